/** Builds the teaching page: one script, which is the worker's as well, and one style sheet. */
import { defineConfig } from "vite";

export default defineConfig({
  root: import.meta.dirname,
  // The page works under any path, also as a file.
  base: "./",
  build: {
    outDir: "../dist/web",
    emptyOutDir: true,
    target: "es2022",
    cssCodeSplit: false,
    // Only the page that `guelab serve` gives loads it; a report holds all of it inline.
    modulePreload: false,
    chunkSizeWarningLimit: 2500,
    rolldownOptions: { output: { codeSplitting: false } },
  },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  server: { host: "127.0.0.1", fs: { allow: [".."] } },
  preview: { host: "127.0.0.1" },
});
