import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 60_000,
    reporters: ["default"],
    // All processors: tests of real labs wait more than they work.
    maxWorkers: availableParallelism(),
  },
});
