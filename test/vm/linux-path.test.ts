/** The path without True Ingress on a kernel that has fou and ipip: the catalogue's scenarios hold as in the simulation. */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cli } from "../kernel/cli.ts";
import { requirement } from "../support/require.ts";
import { guelabInVm, vmMissing } from "../support/vm.ts";

const lacks = requirement("vm", vmMissing);
const group = "scenarios/linux";
const scenarios = readdirSync(join(import.meta.dirname, "../..", group)).filter((f) => f.endsWith(".yaml"));

describe.skipIf(lacks !== undefined)(
  `the kernel's own GUE tunnels, in a virtual machine${lacks ? ` (skipped: ${lacks})` : ""}`,
  () => {
    let cli: Cli;
    beforeAll(async () => {
      cli = await Cli.build();
    });
    afterAll(() => cli.close());

    it("carry the demo's services", { timeout: 300_000 }, async () => {
      const files = scenarios.map((f) => `${group}/${f}`);
      const { status, console } = await guelabInVm(cli.path, ["run", "--lab", "netns", ...files]);
      expect(console).toContain(`${scenarios.length} passed, 0 failed`);
      expect(status).toBe(0);
    });
  },
);
