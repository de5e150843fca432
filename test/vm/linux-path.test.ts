/**
 * What this machine's kernel may lack, on one that has it: the path without True Ingress on fou and ipip, with the catalogue's
 * scenarios as in the simulation; and faults of links by netem.
 */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Cli } from "../kernel/cli.ts";
import { requirement } from "../support/require.ts";
import { guelabInVm, vmMissing } from "../support/vm.ts";

const lacks = requirement("vm", vmMissing);
const group = "scenarios/linux";
const scenarios = readdirSync(join(import.meta.dirname, "../..", group)).filter((f) => f.endsWith(".yaml"));

const NETEM = `
title: A delay and a loss by netem
topology: basic.cfg
steps:
  - do: link client/eth1 delay 50ms
  - do: client ping -c 1 5.5.5.5
    expect: { received: 1, time: ">=100ms" }
  - do: link client/eth1 loss 100%
  - do: client ping -c 1 -W 0.2 5.5.5.5
    expect: { received: 0 }
  - do: link client/eth1 clear
  - do: client ping -c 1 5.5.5.5
    expect: { received: 1 }
`;

describe.skipIf(lacks !== undefined)(
  `another kernel, in a virtual machine${lacks ? ` (skipped: ${lacks})` : ""}`,
  () => {
    let cli: Cli;
    beforeAll(async () => {
      cli = await Cli.build();
    });
    afterAll(() => cli.close());

    it("has GUE tunnels of its own that carry the demo's services, and netem", { timeout: 600_000 }, async ({
      signal,
    }) => {
      const files = scenarios.map((f) => `${group}/${f}`);
      const args = ["run", "--lab", "netns", ...files, "netem.yaml"];
      const { status, console } = await guelabInVm(cli.path, args, { "netem.yaml": NETEM }, signal);
      expect(console).toContain(`${scenarios.length + 1} passed, 0 failed`);
      expect(status).toBe(0);
    });
  },
);
