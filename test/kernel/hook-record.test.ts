/** The programs with a recorder around them: what it writes of each run, and that they stay the programs that they are. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { attach } from "../../src/ebpf/attach.ts";
import { buildPrograms, buildRecorded, HOOK_NAMES } from "../../src/ebpf/build.ts";
import { HookTrace, type TracedRun } from "../../src/ebpf/hook-trace.ts";
import { type Instance, instanceTables, mapsDir } from "../../src/ebpf/load.ts";
import { closeTables } from "../../src/ebpf/maps.ts";
import type { NetNs } from "../../src/ebpf/nsenter.ts";
import { REASON, TC_ACT_SHOT, TC_ACT_UNSPEC } from "../../src/tables/reasons.ts";
import { RX_DNAT, RX_GUE, TABLES } from "../../src/tables/schema.ts";
import { typed } from "../../src/tables/typed.ts";
import { buildPacket } from "../../src/wire/build.ts";
import { dissect } from "../../src/wire/dissect.ts";
import { parseIpv4 } from "../../src/wire/ipv4.ts";
import { ifindexOf, TestNet, veth } from "./net.ts";
import { describeKernel } from "./require.ts";
import { PacketSocket } from "./sockets.ts";

const endpoint = (ip: string, port: number, proto: number) => ({ ip: parseIpv4(ip) as number, port, proto, pad: 0 });

/** One function of an object file: its eBPF instructions. */
function instructions(object: string, name: string): Uint8Array {
  const bytes = readFileSync(object);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const u64 = (off: number): number => Number(view.getBigUint64(off, true));
  const [at, size, count] = [u64(40), view.getUint16(58, true), view.getUint16(60, true)];
  const sections = Array.from({ length: count }, (_, i) => {
    const s = at + i * size;
    return {
      type: view.getUint32(s + 4, true),
      at: u64(s + 24),
      size: u64(s + 32),
      link: view.getUint32(s + 40, true),
    };
  });
  const symbols = sections.find((s) => s.type === 2)!;
  for (let s = symbols.at; s < symbols.at + symbols.size; s += 24) {
    const text = sections[symbols.link].at + view.getUint32(s, true);
    if (bytes.toString("latin1", text, bytes.indexOf(0, text)) !== name) continue;
    const from = sections[view.getUint16(s + 6, true)].at + u64(s + 8);
    return bytes.subarray(from, from + u64(s + 16));
  }
  throw new Error(`${object} has no ${name}`);
}

describeKernel("hooks that record", () => {
  let net: TestNet;
  let host: NetNs;
  let instance: Instance;
  let trace: HookTrace;
  let wire: PacketSocket;
  let nic: PacketSocket;
  let ifindex: number;
  beforeAll(() => {
    net = new TestNet();
    host = net.namespace("h");
    const far = net.namespace("f");
    veth({ ns: host, nic: "n0" }, { ns: far, nic: "f0" }, 65_535);
    ifindex = ifindexOf(host, "n0");
    instance = net.load("rec", { objects: buildRecorded(), recorded: true });
    trace = new HookTrace(mapsDir(instance));
    attach(instance, { nic: "n0", netns: host.name, rx: RX_GUE | RX_DNAT, tx: 0 });
    wire = new PacketSocket(far.path, ifindexOf(far, "f0"));
    nic = new PacketSocket(host.path, ifindex);
  });
  afterAll(() => {
    for (const each of [wire, nic, trace, net]) each?.close();
  });

  const read = (): TracedRun[] => {
    const runs: TracedRun[] = [];
    trace.read((run) => runs.push(run));
    return runs;
  };
  const datagram = (len: number): Uint8Array =>
    buildPacket({
      ip: { src: "172.1.0.4", dst: "172.1.0.3" },
      udp: { sport: 6000, dport: 7 },
      payload: new Uint8Array(len),
    });

  it("are the deployed programs, instruction by instruction", () => {
    const [plain, recorded] = [buildPrograms(), buildRecorded()];
    for (const hook of HOOK_NAMES) {
      const a = instructions(plain[hook], `guelab_${hook}`);
      const b = instructions(recorded[hook], "deployed").slice();
      expect(b.length).toBe(a.length);
      // Where a function that is called lies, the loader finds out: BPF_CALL with BPF_PSEUDO_CALL.
      for (let i = 0; i < a.length; i += 8)
        if (a[i] === 0x85 && a[i + 1] >> 4 === 1) b.set(a.subarray(i + 4, i + 8), i + 4);
      expect(Buffer.from(b).equals(Buffer.from(a))).toBe(true);
    }
  });

  it("tell of frames of all lengths, whole, on both hooks and in order", () => {
    const lengths = [18, 150, 151, 300, 1458, 1750, 1751, 9000, 16_342, 16_343, 40_000, 65_507];
    const sent = lengths.map(datagram);
    for (const frame of sent) wire.send(frame);
    nic.send(sent[0]);
    const runs = read();
    expect(runs.map((r) => r.hook)).toEqual([...lengths.map(() => "ingress"), "egress"]);
    for (const [i, frame] of [...sent, sent[0]].entries()) {
      const { before, after, startNs, endNs } = runs[i];
      expect(before).toEqual({ frame, ifindex, mark: 0, gsoSize: 0, vlan: 0 });
      expect(after).toEqual(before);
      expect(runs[i]).toMatchObject({ verdict: TC_ACT_UNSPEC, result: { reason: REASON.PASS_NO_MATCH, fib: -1 } });
      expect(endNs).toBeGreaterThanOrEqual(startNs);
      expect(startNs).toBeGreaterThanOrEqual(runs[i - 1]?.endNs ?? 0);
    }
    expect(Number(process.hrtime.bigint())).toBeGreaterThan(runs[runs.length - 1].endNs);
  });

  it("tell what the program made of a packet, and of one that it dropped", () => {
    const tables = instanceTables(instance);
    try {
      typed(TABLES.DNAT, tables.DNAT).set(endpoint("172.1.0.3", 7, 17), endpoint("1.1.1.1", 4000, 17));
      typed(TABLES.DECAP, tables.DECAP).set(endpoint("172.1.0.3", 5000, 17), { value: 1 });
    } finally {
      closeTables(tables);
    }
    const translated = datagram(4);
    const short = buildPacket({
      ip: { src: "172.1.0.4", dst: "172.1.0.3" },
      udp: { sport: 6000, dport: 5000 },
      payload: new Uint8Array(2),
    });
    wire.send(translated);
    wire.send(short);
    const [first, second] = read();
    expect(first.before.frame).toEqual(translated);
    expect(first.result.reason).toBe(REASON.PASS_DNAT);
    expect(JSON.stringify(dissect(first.after.frame))).toContain("1.1.1.1");
    expect(second).toMatchObject({ verdict: TC_ACT_SHOT, result: { reason: REASON.DROP_GUE_SHORT } });
    expect(second.before.frame).toEqual(short);
  });

  it("tell of the VLAN tag beside a frame", () => {
    const plain = datagram(4);
    const tagged = new Uint8Array([...plain.subarray(0, 12), 0x81, 0, 0x20, 5, ...plain.subarray(12)]);
    wire.send(tagged);
    const [run] = read();
    expect(run.before).toMatchObject({ vlan: 0x12005, frame: plain });
    expect(run.result.reason).toBe(REASON.PASS_VLAN);
  });

  it("tell of segments to be made", () => {
    const frame = buildPacket({
      ip: { src: "172.1.0.4", dst: "172.1.0.3" },
      tcp: { sport: 6000, dport: 7, flags: 16 },
      payload: new Uint8Array(5000),
    });
    wire.send(frame, { gsoType: 1, gsoSize: 1400, hdrLen: 54, csumStart: 34, csumOffset: 16 });
    expect(read()[0].before).toMatchObject({ gsoSize: 1400 });
  });

  it("say so when something is missing", () => {
    const frame = datagram(65_507);
    for (let i = 0; i < 300; i++) wire.send(frame);
    expect(read).toThrow(/records did not fit the ring/);
  });
});
