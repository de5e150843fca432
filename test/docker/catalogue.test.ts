/**
 * Scenarios on containers: the same expectations as in the simulation hold. One or two of each group, or with
 * GUELAB_DOCKER_ALL=1 every scenario of the groups.
 */
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";
import { nodeSha256 } from "../../src/cli/execute.ts";
import { openDockerLab } from "../../src/lab/docker/lab.ts";
import { labObjects } from "../../src/lab/docker/leftovers.ts";
import { formatReport } from "../../src/report/console.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { runScenario } from "../../src/scenario/runner.ts";
import { expectDissected } from "../support/dissector.ts";
import { hasTool } from "../support/tools.ts";
import { describeDocker } from "./require.ts";

const root = resolve(import.meta.dirname, "../../scenarios");
const prefix = `d${randomBytes(3).toString("hex")}`;

const CHOSEN = [
  "basic/02-node2-behind-nat",
  "dso/01-node1-11-9",
  "gue/05-mapping-changes",
  "mtu/02-tcp-request-node2-pmtud",
  "mtu/09-udp-request-node1",
  "multi/07-both-nodes-two-proxies-crossed",
  "session/02-packet-refreshes",
  "simple/06-node2-egw1-iptables",
  "split/04-node2-equal-ports",
];
const GROUPS = [...new Set(["basic", "simple", ...CHOSEN.map((name) => name.split("/")[0])])];
const every = GROUPS.flatMap((group) => readdirSync(join(root, group)).map((file) => `${group}/${file.slice(0, -5)}`));

describeDocker("the catalogue in docker", () => {
  it.each(process.env.GUELAB_DOCKER_ALL === "1" ? every : CHOSEN)("%s", async (name) => {
    const scenario = loadScenario(join(root, `${name}.yaml`));
    const lab = await openDockerLab(scenario.topology, { prefix, record: true, sha256: nodeSha256 });
    try {
      const report = await runScenario(scenario, lab);
      expect(report.status, `\n${formatReport(report, { detail: "failures" })}\n`).toBe("passed");
      if (name === "basic/02-node2-behind-nat" && hasTool("tshark")) expectDissected(lab);
    } finally {
      await lab.close();
    }
    expect(labObjects(prefix)).toEqual({ containers: [], networks: [] });
  });
});
