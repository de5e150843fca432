/**
 * Scenarios of every kind on the kernel's own stack, with either data path: the same expectations as in the simulation hold.
 * GUELAB_CATALOGUE=whole runs every scenario that has no need of the simulation, or of parts that not every kernel has.
 */
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { nodeSha256 } from "../../src/cli/execute.ts";
import { DATA_PATH_KINDS, type DataPathKind } from "../../src/lab/linux/data-path.ts";
import { labNamespaces } from "../../src/lab/netns/claim.ts";
import { openNetnsLab } from "../../src/lab/netns/lab.ts";
import { formatReport } from "../../src/report/console.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { runScenario } from "../../src/scenario/runner.ts";
import { describeNetns } from "./require.ts";

const root = resolve(import.meta.dirname, "../../scenarios");
const prefix = `c${randomBytes(3).toString("hex")}`;

/** One of each kind, and those that look most closely at packets and at the kernel's own part. */
const CHOSEN = [
  "attach/04-other-traffic",
  "basic/02-node2-behind-nat",
  "basic/03-topology-up-and-down",
  "dso/01-node1-11-9",
  "faults/01-download-10M",
  "fwd/01-ingress-fwd",
  "fwd/02-egress-fwd",
  "gue/05-mapping-changes",
  "mtu/01-tcp-request-node1-pmtud",
  "mtu/10-udp-request-node2",
  "multi/07-both-nodes-two-proxies-crossed",
  "multiservice/02-same-ip-and-port-refused",
  "ports/01-exhausted-freed-reused",
  "security/04-wrong-header-words",
  "session/03-same-port-new-session",
  "split/04-node2-equal-ports",
];

/** A thousand nodes are the simulation's; the kernel's own GUE is of some kernels, as are faults on veth pairs (netem). */
const NOT_HERE = { reference: /^(large|linux|lessons\/09)/, ebpf: /^(large|linux|lessons\/09|faults\/0[23])/ };

const namesFor = (dataPath: DataPathKind): string[] =>
  process.env.GUELAB_CATALOGUE === "whole"
    ? readdirSync(root, { recursive: true, encoding: "utf8" })
        .filter((f) => f.endsWith(".yaml") && !NOT_HERE[dataPath].test(f))
        .map((f) => f.slice(0, -".yaml".length))
        .sort()
    : CHOSEN;

describeNetns("the catalogue in netns", () => {
  describe.each(DATA_PATH_KINDS)("with the data path %s", (dataPath) => {
    it.each(namesFor(dataPath))("%s", async (name) => {
      const scenario = loadScenario(join(root, `${name}.yaml`));
      const lab = await openNetnsLab(scenario.topology, { prefix, dataPath, record: true, sha256: nodeSha256 });
      try {
        const report = await runScenario(scenario, lab);
        expect(report.status, `\n${formatReport(report, { detail: "failures" })}\n`).toBe("passed");
      } finally {
        await lab.close();
      }
      expect(labNamespaces(prefix)).toEqual([]);
    });
  });
});
