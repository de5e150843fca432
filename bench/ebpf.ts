/**
 * The eBPF programs beside the reference, packet by packet, and the speed of the differential beside its floor, the bare
 * BPF_PROG_TEST_RUN call. Needs root, BPF and clang; says so where they are missing.
 *
 * A packet that a program leaves as it was is run 1,000,000 times by one call. One that it changes would not be the same packet
 * the second time: it is run by many calls, of which the kernel's clock tells the time, less what the clock itself takes.
 */

import { Reference } from "../src/dataplane/reference.ts";
import { Skb } from "../src/dataplane/skb.ts";
import { fillTables, parseVector, type Vector } from "../src/dataplane/vector.ts";
import { VectorFib } from "../src/dataplane/vector-run.ts";
import { CTX_CB, CTX_IFINDEX, TestRun } from "../src/ebpf/bpf.ts";
import { runCampaign } from "../src/ebpf/differential/campaign.ts";
import { openTestDataPath, type TestDataPath } from "../src/ebpf/testrun.ts";
import { LabError } from "../src/errors.ts";
import { REASON_NAMES } from "../src/tables/reasons.ts";
import { createTables } from "../src/tables/tables.ts";
import { buildPacket } from "../src/wire/build.ts";
import { toHex } from "../src/wire/bytes.ts";
import { TCP_SYN } from "../src/wire/tcp.ts";

const REPEAT = 1_000_000;
const CALLS = 100_000;
const CAMPAIGN_SECONDS = 5;
const IFINDEX = 7;
const KEY = "000102030405060708090a0b0c0d0e0f";
const KEY_BYTES = Uint8Array.from({ length: 16 }, (_, i) => i);

const clientToBackend = { src: "172.1.0.2", dst: "1.1.1.1" };
const tcp = { sport: 33000, dport: 4000 };
const inner = { ip: clientToBackend, tcp, payload: new Uint8Array(100) };
const outer = { ip: { src: "172.1.0.4", dst: "172.1.0.3" }, udp: { sport: 6000, dport: 5000 } };

interface Shown {
  name: string;
  hook: "ingress" | "egress";
  rx: number;
  tx: number;
  frame: Uint8Array;
  /** The program leaves the packet as it was. */
  same?: boolean;
}

const SHOWN: readonly Shown[] = [
  {
    name: "no match",
    hook: "egress",
    rx: 3,
    tx: 1,
    same: true,
    frame: buildPacket({ ip: { src: "9.9.9.9", dst: "8.8.8.8" }, tcp }),
  },
  {
    name: "encap, proxy",
    hook: "egress",
    rx: 3,
    tx: 1,
    frame: buildPacket(inner),
  },
  {
    name: "encap, node",
    hook: "egress",
    rx: 1,
    tx: 0,
    frame: buildPacket({
      ip: { src: "1.1.1.1", dst: "172.1.0.2" },
      tcp: { sport: 4000, dport: 33000 },
      payload: new Uint8Array(100),
    }),
  },
  {
    name: "encap, MSS clamped",
    hook: "egress",
    rx: 3,
    tx: 33,
    frame: buildPacket({ ip: clientToBackend, tcp: { ...tcp, flags: TCP_SYN, options: [{ kind: "mss", mss: 1460 }] } }),
  },
  {
    name: "decap, proxy",
    hook: "ingress",
    rx: 1,
    tx: 1,
    frame: buildPacket({ ...outer, gue: { group: 1, service: 100, key: KEY_BYTES }, inner }),
  },
  {
    name: "decap, node (session)",
    hook: "ingress",
    rx: 1,
    tx: 0,
    frame: buildPacket({ ...outer, gue: { group: 1, service: 100, key: KEY_BYTES }, inner }),
  },
  {
    name: "wrong key",
    hook: "ingress",
    rx: 1,
    tx: 1,
    same: true,
    frame: buildPacket({ ...outer, gue: { group: 1, service: 100, key: new Uint8Array(16) }, inner }),
  },
  {
    name: "GUE ping",
    hook: "ingress",
    rx: 1,
    tx: 1,
    same: true,
    frame: buildPacket({ ...outer, gue: { group: 1, service: 100, key: KEY_BYTES, tunnelId: 65636 } }),
  },
  {
    name: "DNAT",
    hook: "ingress",
    rx: 3,
    tx: 1,
    frame: buildPacket({ ip: { src: "172.1.0.2", dst: "5.5.5.5" }, tcp: { sport: 33000, dport: 3100 } }),
  },
  {
    name: "SNAT",
    hook: "egress",
    rx: 3,
    tx: 3,
    frame: buildPacket({ ip: { src: "1.1.1.1", dst: "172.1.0.2" }, tcp: { sport: 4000, dport: 33000 } }),
  },
  {
    name: "too big: ICMP",
    hook: "egress",
    rx: 3,
    tx: 1,
    frame: buildPacket({ ip: clientToBackend, tcp, payload: new Uint8Array(1460) }),
  },
];

function vectorOf(s: Shown): Vector {
  const service = { tunnel: 65636, group: 1, service: 100, key: KEY };
  const proxy = "tcp 5.5.5.5:3100";
  return parseVector(
    JSON.stringify({
      name: s.name,
      tables: {
        config: { [IFINDEX]: { rx: s.rx, tx: s.tx, mtu: 1500 } },
        tunnel: { "65636": { local: "172.1.0.3:5000", remote: "172.1.0.4:6000" } },
        decap: { "172.1.0.3:5000": 65636 },
        encap: { "tcp 1.1.1.1:4000": service },
        session: { "tcp 172.1.0.2:33000 > 1.1.1.1:4000": { ...service, proxy, epoch: 1 } },
        verify: { "1/100": { key: KEY, tunnel: 65636, proxy, backend: "tcp 1.1.1.1:4000" } },
        dnat: { [proxy]: "tcp 1.1.1.1:4000" },
        snat: { "tcp 1.1.1.1:4000": proxy },
        fib: { "172.1.0.4": { rc: 0, ifindex: IFINDEX, smac: "02:00:00:00:00:07", dmac: "02:00:00:00:00:08" } },
      },
      packets: [{ hook: s.hook, ifindex: IFINDEX, in: toHex(s.frame) }],
    }),
  );
}

/** ns per packet of the kernel's program, and the reason that it gave. */
function kernelNs(target: TestDataPath, vector: Vector, s: Shown, clockNs: number): { ns: number; reason: string } {
  for (const store of Object.values(target.tables)) store.clear();
  fillTables(target.tables, vector);
  target.setFib(vector.fib);
  const t = prepared(s.frame);
  const fd = target.fds[s.hook];
  t.run(fd, s.frame.length);
  const reason = REASON_NAMES[t.ctxOut.view.getUint32(CTX_CB, true) - 1];
  if (s.same) {
    t.run(fd, s.frame.length, REPEAT);
    return { ns: t.durationNs, reason };
  }
  return { ns: singleNs(t, fd, s.frame.length) - clockNs, reason };
}

function prepared(frame: Uint8Array): TestRun {
  const t = new TestRun();
  t.frame.bytes.set(frame);
  t.ctx.view.setUint32(CTX_IFINDEX, IFINDEX, true);
  return t;
}

/** Mean of the kernel's clock over calls of one run each. */
function singleNs(t: TestRun, fd: number, len: number): number {
  let sum = 0;
  for (let i = 0; i < CALLS; i++) {
    t.run(fd, len);
    sum += t.durationNs;
  }
  return sum / CALLS;
}

/** ns per packet of the reference: best of some rounds, less the time of putting the frame back. */
function referenceNs(vector: Vector, s: Shown): number {
  const tables = createTables();
  fillTables(tables, vector);
  const fib = new VectorFib();
  fib.set(vector.fib);
  const path = new Reference(tables, fib);
  const skb = new Skb();
  skb.ifindex = IFINDEX;
  const round = (run: boolean): number => {
    const start = process.hrtime.bigint();
    for (let i = 0; i < CALLS; i++) {
      skb.setFrame(s.frame);
      if (!run) continue;
      if (s.hook === "ingress") path.ingress(skb);
      else path.egress(skb);
    }
    return Number(process.hrtime.bigint() - start) / CALLS;
  };
  const best = (run: boolean): number => Math.min(...Array.from({ length: 12 }, () => round(run)));
  return best(true) - best(false);
}

/** Calls of BPF_PROG_TEST_RUN per second, on a packet that the program passes at once. */
function callsPerSecond(t: TestRun, fd: number, len: number): number {
  const start = performance.now();
  for (let i = 0; i < 3 * CALLS; i++) t.run(fd, len);
  return (3 * CALLS) / ((performance.now() - start) / 1000);
}

export async function benchEbpf(print: (line: string) => void): Promise<void> {
  let target: TestDataPath;
  try {
    target = openTestDataPath();
  } catch (err) {
    if (!(err instanceof LabError)) throw err;
    print(`  not measured: ${err.message}`);
    return;
  }
  let floor: number;
  try {
    target.namespace.ensureDevice(IFINDEX);
    const t = prepared(SHOWN[0].frame);
    const len = SHOWN[0].frame.length;
    floor = callsPerSecond(t, target.fds.egress, len);
    // The same run timed both ways: what the clock takes.
    t.run(target.fds.egress, len, REPEAT);
    const repeated = t.durationNs;
    const clockNs = singleNs(t, target.fds.egress, len) - repeated;
    print(`  ${"ns per packet".padEnd(24)} ${"kernel".padStart(8)} ${"reference".padStart(10)}`);
    for (const s of SHOWN) {
      const vector = vectorOf(s);
      const { ns, reason } = kernelNs(target, vector, s, clockNs);
      print(
        `  ${s.name.padEnd(24)} ${ns.toFixed(0).padStart(8)} ${referenceNs(vector, s).toFixed(0).padStart(10)}  ${reason}`,
      );
    }
  } finally {
    target.close();
  }
  const result = runCampaign({
    seed: 1,
    count: Number.POSITIVE_INFINITY,
    seconds: CAMPAIGN_SECONDS,
    shard: 1,
    shards: 1,
  });
  const rate = result.packets / result.seconds;
  print(
    `  differential: ${Math.round(rate).toLocaleString("en")} packets/s, ${result.found ? "a difference" : "no difference"}`,
  );
  print(`  floor: ${Math.round(floor).toLocaleString("en")} bare BPF_PROG_TEST_RUN calls/s`);
}
