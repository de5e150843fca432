/** Level a of `guelab diff`: hooks of real hosts do what the reference does; and what does not is found, with a vector that shows it. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { nodeSha256 } from "../../src/cli/execute.ts";
import { parseVector } from "../../src/dataplane/vector.ts";
import { runVector } from "../../src/dataplane/vector-run.ts";
import { compareHooks } from "../../src/diff/hooks.ts";
import type { LevelReport } from "../../src/diff/types.ts";
import { buildPrograms } from "../../src/ebpf/build.ts";
import { openTestDataPath } from "../../src/ebpf/testrun.ts";
import { hookPackets } from "../../src/lab/linux/hook-packets.ts";
import type { HookRecord, HostHistory, TableBytes } from "../../src/lab/linux/hook-record.ts";
import { openNetnsLab } from "../../src/lab/netns/lab.ts";
import { captureBytes, withHookPackets } from "../../src/report/capture.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { runScenario } from "../../src/scenario/runner.ts";
import { TC_ACT_SHOT } from "../../src/tables/reasons.ts";
import { GUE_OVERHEAD } from "../../src/wire/gue.ts";
import { readPcapng } from "../../src/wire/pcapng-reader.ts";
import { MUTANTS, type Mutant, mutantSource } from "../kernel/mutants.ts";
import { describeNetns } from "./require.ts";

const root = resolve(import.meta.dirname, "../../scenarios");
const prefix = `h${randomBytes(3).toString("hex")}`;

/** Those whose hooks do most; GUELAB_CATALOGUE=whole takes one of each group. */
const FEW = ["attach/05-one-hook-at-a-time", "fwd/02-egress-fwd", "mtu/10-udp-request-node2"];
const MANY = [
  "attach/04-other-traffic",
  "attach/05-one-hook-at-a-time",
  "basic/03-topology-up-and-down",
  "dso/01-node1-11-9",
  "faults/01-download-10M",
  "fwd/01-ingress-fwd",
  "fwd/02-egress-fwd",
  "gue/05-mapping-changes",
  "lessons/07-mtu",
  "mtu/02-tcp-request-node2-pmtud",
  "mtu/10-udp-request-node2",
  "multi/07-both-nodes-two-proxies-crossed",
  "multiservice/02-same-ip-and-port-refused",
  "ports/01-exhausted-freed-reused",
  "security/04-wrong-header-words",
  "session/02-packet-refreshes",
  "simple/06-node2-egw1-iptables",
  "split/04-node2-equal-ports",
];

/** A fault that no frame shows, only a row. */
const EPOCH: Mutant = {
  name: "session of another epoch",
  file: "include/session.h",
  from: "\t\told->epoch = new.epoch;\n",
  to: "\t\told->epoch = new.epoch + 1;\n",
};

interface RunOptions {
  dataPath?: "ebpf" | "reference";
  source?: string;
  /** Else the scenario's expectations need not hold. */
  passed?: boolean;
}

async function historiesOf(name: string, { dataPath, source, passed = true }: RunOptions = {}): Promise<HostHistory[]> {
  const scenario = loadScenario(join(root, `${name}.yaml`));
  const lab = await openNetnsLab(scenario.topology, {
    prefix,
    dataPath,
    record: true,
    recordHooks: source ?? true,
    sha256: nodeSha256,
  });
  try {
    const report = await runScenario(scenario, lab);
    if (passed) expect(report.status).toBe("passed");
  } finally {
    await lab.close();
  }
  return [...lab.histories()];
}

const count = (report: LevelReport, name: string): number => report.counts.find((c) => c.name === name)?.count ?? 0;
const shown = (report: LevelReport) => report.differences.slice(0, 3).map((d) => `${d.where}: ${d.what}`);

describeNetns("hook by hook", () => {
  let dir: string;
  const cache = process.env.XDG_CACHE_HOME;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), "guelab-diff-"));
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  it.each(process.env.GUELAB_CATALOGUE === "whole" ? MANY : FEW)("%s: no difference", async (name) => {
    const report = compareHooks(await historiesOf(name));
    expect(shown(report)).toEqual([]);
    expect(report.verdict).toBe("equal");
    expect(count(report, "hook runs")).toBeGreaterThan(20);
    expect(count(report, "rows at the end")).toBeGreaterThan(0);
  });

  it.each(["dso/01-node1-11-9"])("%s on the reference: no difference", async (name) => {
    const report = compareHooks(await historiesOf(name, { dataPath: "reference" }));
    expect(shown(report)).toEqual([]);
    expect(count(report, "hook runs")).toBeGreaterThan(20);
  });

  it.each([
    ["outer ID not copied", "basic/01-node1"],
    ["fragment word not copied", "basic/02-node2-behind-nat"],
    ["session of another epoch", "basic/01-node1"],
    ["GUE flags of data not checked", "security/04-wrong-header-words"],
  ])("programs with the fault '%s' are found in %s", async (fault, name) => {
    const source = mutantSource(dir, [...MUTANTS, EPOCH].find((m) => m.name === fault)!);
    process.env.XDG_CACHE_HOME = dir;
    let histories: HostHistory[];
    try {
      histories = await historiesOf(name, { source, passed: false });
    } finally {
      if (cache === undefined) delete process.env.XDG_CACHE_HOME;
      else process.env.XDG_CACHE_HOME = cache;
    }
    const report = compareHooks(histories);
    expect(report.verdict).toBe("different");
    expect(report.first).toBeDefined();
    // What is written shows the fault: the reference gives what the vector wants, the mutant does not.
    const vector = parseVector(report.vector ?? "");
    expect(runVector(vector).mismatches).toEqual([]);
    const target = openTestDataPath({ objects: buildPrograms({ source, out: source }) });
    try {
      expect(runVector(vector, target).mismatches).not.toEqual([]);
    } finally {
      target.close();
    }
  });

  it("the frames at the hooks are in a capture, on interfaces of their own", async () => {
    const hooks = (await historiesOf("basic/01-node1")).flatMap((h) => h.hooks);
    const { interfaces, packets } = readPcapng(captureBytes(withHookPackets([], hookPackets(hooks, []))));
    const of = (name: string) => packets.filter((p) => interfaces[p.ifId]?.name === name);
    const runs = (nic: string, hook: string) => hooks.filter((r) => `${r.host}/${r.nic}` === nic && r.hook === hook);
    const [ingress, egress] = [runs("node1/eth1", "ingress"), runs("egw/eth1", "egress")];
    expect(of("egw/eth1:egress:before").map((p) => p.frame)).toEqual(egress.map((r) => r.before.frame));
    expect(of("node1/eth1:ingress:after").map((p) => p.frame)).toEqual(
      ingress.filter((r) => r.verdict !== TC_ACT_SHOT).map((r) => r.after.frame),
    );
    expect(egress.length).toBeGreaterThan(5);
    expect(ingress.some((r) => r.after.frame.length === r.before.frame.length - GUE_OVERHEAD)).toBe(true);
  });

  it("finds whatever is not as it was recorded", async () => {
    const histories = await historiesOf("basic/02-node2-behind-nat");
    const at = histories.findIndex((h) => h.hooks.some((r) => r.result.fib === 0));
    const host = histories[at];
    const report = (changed: Partial<HostHistory>): LevelReport =>
      compareHooks(histories.map((h, i) => (i === at ? { ...h, ...changed } : h)));
    expect(report({}).verdict).toBe("equal");

    const i = host.hooks.findIndex((r) => r.result.fib === 0);
    const hooks = (change: Partial<HookRecord>): LevelReport =>
      report({ hooks: host.hooks.map((r, k) => (k === i ? { ...r, ...change } : r)) });
    const run = host.hooks[i];
    const flipped = (at: number): HookRecord["after"] => ({
      ...run.after,
      frame: run.after.frame.map((b, k) => (k === at ? b ^ 1 : b)),
    });
    for (let at = 0; at < run.after.frame.length; at++) expect(hooks({ after: flipped(at) }).verdict).toBe("different");
    const { first, vector } = hooks({ after: flipped(22) });
    expect(first).toMatchObject({
      where: `${run.host}/${run.nic} ${run.hook}`,
      what: "the frames are different",
      timeNs: run.timeNs,
      fields: [{ layer: "ipv4", real: expect.anything(), reference: "64" }],
    });
    expect(runVector(parseVector(vector ?? "")).mismatches).toEqual([]);
    expect(hooks({ verdict: TC_ACT_SHOT }).first?.what).toContain("the verdict is 2");
    expect(hooks({ result: { ...run.result, reason: 0 } }).first?.what).toContain("the reason is 0");
    expect(hooks({ after: { ...run.after, mark: 1 } }).first?.what).toContain("the mark");

    // A run that is missing, a write that was another, a row that is another at the end.
    expect(report({ hooks: host.hooks.filter((r) => r !== run) }).verdict).toBe("different");
    const w = host.writes.findIndex((write) => write.table === "VERIFY" && write.op === "update");
    const write = { ...host.writes[w], value: host.writes[w].value?.map((b) => b ^ 1) };
    expect(report({ writes: host.writes.map((each, k) => (k === w ? write : each)) }).verdict).toBe("different");
    const [[key, value]] = host.tables.TUNNEL;
    const tables: TableBytes = { ...host.tables, TUNNEL: [[key, value.map((b) => b ^ 1)]] };
    expect(report({ tables }).first?.rows).toMatchObject([{ host: host.host, table: "TUNNEL" }]);
  });
});
