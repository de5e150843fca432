/** `guelab diff` on the kernel's own stack: no level finds anything, and each finds what is put into a run. */
import { randomBytes } from "node:crypto";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";
import { nodeSha256 } from "../../src/cli/execute.ts";
import { compareBoxes } from "../../src/diff/boxes.ts";
import { type RecordedRun, recordRun } from "../../src/diff/real.ts";
import { diffReport } from "../../src/diff/report.ts";
import { compareScenario } from "../../src/diff/scenario.ts";
import { DIFF_LEVELS } from "../../src/diff/types.ts";
import type { DataPathKind } from "../../src/lab/linux/data-path.ts";
import type { HostHistory } from "../../src/lab/linux/hook-record.ts";
import { labNamespaces } from "../../src/lab/netns/claim.ts";
import { openNetnsLab } from "../../src/lab/netns/lab.ts";
import { SimLab } from "../../src/lab/sim/lab.ts";
import { formatDiff } from "../../src/report/diff.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { wr16 } from "../../src/wire/bytes.ts";
import { describeNetns } from "./require.ts";

const root = resolve(import.meta.dirname, "../../scenarios");
const prefix = `f${randomBytes(3).toString("hex")}`;

interface Both {
  real: RecordedRun;
  reference: RecordedRun;
  histories: readonly HostHistory[] | undefined;
}

async function runBoth(name: string, dataPath: DataPathKind): Promise<Both> {
  const scenario = loadScenario(join(root, `${name}.yaml`));
  const { topology, seed } = scenario;
  const lab = await openNetnsLab(topology, { prefix, dataPath, record: true, recordHooks: true, sha256: nodeSha256 });
  let histories: readonly HostHistory[] | undefined;
  const real = await recordRun(scenario, lab, () => {
    histories = lab.histories();
  });
  const reference = await recordRun(scenario, new SimLab(topology, { seed, record: true, sha256: nodeSha256 }));
  return { real, reference, histories };
}

const report = (file: string, dataPath: DataPathKind, both: Both) =>
  diffReport({ file, against: "netns", dataPath, levels: DIFF_LEVELS, ...both });

/** GUELAB_CATALOGUE=whole takes one of each kind. */
const FEW = ["basic/02-node2-behind-nat", "multiservice/01-same-ip-two-ports"];
const MANY = [
  "attach/04-other-traffic",
  "basic/02-node2-behind-nat",
  "basic/03-topology-up-and-down",
  "dso/03-node1-mss",
  "fwd/02-egress-fwd",
  "gue/05-mapping-changes",
  "mtu/02-tcp-request-node2-pmtud",
  "mtu/12-udp-reply-node2",
  "multi/07-both-nodes-two-proxies-crossed",
  "multiservice/01-same-ip-two-ports",
  "ports/01-exhausted-freed-reused",
  "security/03-truncated",
  "session/02-packet-refreshes",
  "simple/06-node2-egw1-iptables",
  "split/04-node2-equal-ports",
];

describeNetns("guelab diff in netns", () => {
  it.each(process.env.GUELAB_CATALOGUE === "whole" ? MANY : FEW)(
    "finds nothing in %s with the eBPF programs",
    async (name) => {
      const found = report(name, "ebpf", await runBoth(name, "ebpf"));
      expect(found.verdict, `\n${formatDiff(found)}\n`).toBe("equal");
      expect(found.levels.map((l) => l.verdict)).toEqual(["equal", "equal", "equal"]);
      expect(labNamespaces(prefix)).toEqual([]);
    },
  );

  it.each(["basic/02-node2-behind-nat", "basic/03-topology-up-and-down"])(
    "finds nothing in %s with the reference at the interfaces, whose frames are given to another",
    async (name) => {
      const found = report(name, "reference", await runBoth(name, "reference"));
      expect(found.verdict, `\n${formatDiff(found)}\n`).toBe("equal");
      expect(found.levels.map((l) => l.verdict)).toEqual(["equal", "equal", "equal"]);
    },
  );

  it("finds a rule that a box lacks, a port that NAT did not give, and a packet that was lost", async () => {
    const { real, reference } = await runBoth("basic/02-node2-behind-nat", "ebpf");
    const lacking = compareBoxes(real, (net) => net.twin("nat").host.netfilter.removeRule("nat", "POSTROUTING", 0));
    expect(lacking.first?.where).toBe("nat/eth1");

    const at = real.packets.findIndex(
      (p) => p.host === "nat" && p.nic === "eth1" && p.direction === "out" && p.frame[23] === 17,
    );
    const packets = real.packets.map((p, i) => (i === at ? { ...p, frame: p.frame.slice() } : p));
    wr16(packets[at].frame, 34, 1);
    expect(compareBoxes({ ...real, packets }).first?.where).toBe("nat/eth1");

    const isAnswer = (p: RecordedRun["packets"][number]): boolean =>
      p.host === "client" && p.direction === "in" && p.frame[23] === 6 && p.frame.length > 100;
    const lost = { ...real, packets: real.packets.filter((p) => !isAnswer(p)) };
    expect(compareBoxes(lost).verdict, "what never came in is missing in no box").toBe("equal");
    expect(compareScenario(lost, reference).first).toMatchObject({
      where: "client/eth1",
      what: "a TCP direction carried other bytes",
    });
  });
});
