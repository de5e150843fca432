/** Faults of links in real labs: the same scenarios as in the simulation, by our own links on TAPs or by the kernel's netem. */
import { randomBytes } from "node:crypto";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";
import { nodeSha256 } from "../../src/cli/execute.ts";
import { LabError } from "../../src/errors.ts";
import { openNetnsLab } from "../../src/lab/netns/lab.ts";
import { formatReport } from "../../src/report/console.ts";
import { loadScenario, loadTopology } from "../../src/scenario/load.ts";
import { parseCommand } from "../../src/scenario/parse-command.ts";
import { runScenario } from "../../src/scenario/runner.ts";
import { describeNetns } from "./require.ts";

const scenarios = resolve(import.meta.dirname, "../../scenarios");
const prefix = `f${randomBytes(3).toString("hex")}`;

describeNetns("faults of links in netns", () => {
  it.each(["02-download-10M-lossy", "03-corruption"])("reference: faults/%s", async (name) => {
    const scenario = loadScenario(join(scenarios, `faults/${name}.yaml`));
    const lab = await openNetnsLab(scenario.topology, {
      prefix,
      record: scenario.needsPackets,
      sha256: nodeSha256,
      dataPath: "reference",
    });
    try {
      const report = await runScenario(scenario, lab);
      expect(report.status, `\n${formatReport(report, { detail: "failures" })}\n`).toBe("passed");
    } finally {
      await lab.close();
    }
  });

  it("ebpf: delays a ping where the kernel has netem, and names the option where it has not", async () => {
    const topology = loadTopology("basic.cfg", scenarios);
    const lab = await openNetnsLab(topology, { prefix });
    const play = (line: string) => lab.run(parseCommand(line, { hosts: topology.hosts.map((h) => h.name) }));
    try {
      const changed = await play("link client/eth1 delay 20ms").catch((err: unknown) => err);
      if (changed instanceof LabError) {
        expect(changed.code).toBe("ERR_NO_NETEM");
        expect(changed.message).toContain("CONFIG_NET_SCH_NETEM");
        return;
      }
      const start = lab.now();
      expect((await play("client ping -c 1 5.5.5.5")).data.received).toBe(1);
      expect(lab.now() - start).toBeGreaterThanOrEqual(40_000_000);
    } finally {
      await lab.close();
    }
  });
});
