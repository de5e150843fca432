/**
 * Nanoseconds per packet of the reference data path, beside the floor of the same run: copying and patching the 52 bytes
 * of a tunnel header with no lookup at all. Packets go round-robin over all entries, so large tables pay for cache misses.
 */
import type { FibHelper } from "../src/dataplane/datapath.ts";
import { Reference } from "../src/dataplane/reference.ts";
import { HEADROOM, Skb } from "../src/dataplane/skb.ts";
import { TABLES } from "../src/tables/schema.ts";
import { createTables, type Tables } from "../src/tables/tables.ts";
import { buildPacket } from "../src/wire/build.ts";
import { ETH_P_IP } from "../src/wire/ethernet.ts";

const KEY = Uint8Array.from({ length: 16 }, (_, i) => i + 1);
const EGW = 0xac010003;
const NODE = 0xac010004;
const CLIENT = 0xac010002;
const IFINDEX = 7;
const ROUNDS = 40;
const NS_PER_ROUND = 5e6;

const fib: FibHelper = {
  fibLookup(p) {
    p.smac = 0x020000000003;
    p.dmac = 0x020000000004;
    return 0;
  },
};

/** Backend endpoint, group and service of service `i`. */
const backendIp = (i: number): number => (0x0a000000 + (i >>> 4)) >>> 0;
const backendPort = (i: number): number => 4000 + (i & 15);
const groupOf = (i: number): number => i >>> 16;
const serviceOf = (i: number): number => i & 0xffff;

/** Tables of a host with `n` services. */
function fill(n: number, proxy: boolean): Tables {
  const size = Math.max(n, 16);
  const t = createTables({ TUNNEL: size, ENCAP: size, VERIFY: size, SESSION: size });
  t.CONFIG.update(
    TABLES.CONFIG.key.encode({ value: IFINDEX }),
    TABLES.CONFIG.value.encode({ rx: 1, tx: proxy ? 1 : 0, mtu: 1500 }),
  );
  const local = { ip: proxy ? EGW : NODE, port: 5000, proto: 17, pad: 0 };
  t.DECAP.update(TABLES.DECAP.key.encode(local), TABLES.DECAP.value.encode({ value: 1 }));
  const zero = { ip: 0, port: 0, proto: 0, pad: 0 };
  for (let i = 0; i < n; i++) {
    const tunnel = (groupOf(i) << 16) | serviceOf(i);
    const remote = { ip: proxy ? NODE : EGW, port: 6000, proto: 17, pad: 0 };
    const backend = { ip: backendIp(i), port: backendPort(i), proto: 6, pad: 0 };
    const id = { group: groupOf(i), service: serviceOf(i) };
    t.TUNNEL.update(TABLES.TUNNEL.key.encode({ value: tunnel }), TABLES.TUNNEL.value.encode({ local, remote }));
    t.ENCAP.update(TABLES.ENCAP.key.encode(backend), TABLES.ENCAP.value.encode({ tunnel, id, key: KEY }));
    t.VERIFY.update(
      TABLES.VERIFY.key.encode(id),
      TABLES.VERIFY.value.encode({ key: KEY, tunnel, proxy: zero, backend }),
    );
  }
  return t;
}

/** Runs `step(count)` for some rounds after a warm-up; the best round's ns per packet. */
function measure(step: (count: number) => void): number {
  let count = 20_000;
  for (let took = 0; took < NS_PER_ROUND; ) {
    const start = process.hrtime.bigint();
    step(count);
    took = Number(process.hrtime.bigint() - start);
    if (took < NS_PER_ROUND) count *= 2;
  }
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint();
    step(count);
    best = Math.min(best, Number(process.hrtime.bigint() - start) / count);
  }
  return best;
}

/** What any encapsulation in place must do: move the MAC header, write 52 bytes, patch lengths and checksum. */
function floor(): number {
  const skb = new Skb();
  const frame = buildPacket({ ip: { src: CLIENT, dst: backendIp(0) }, tcp: { sport: 33000, dport: backendPort(0) } });
  const header = new DataView(new ArrayBuffer(52));
  skb.setFrame(frame);
  return measure((count) => {
    for (let n = 0; n < count; n++) {
      skb.head = HEADROOM;
      skb.push(52);
      const v = skb.view;
      const eth = skb.head;
      for (let i = 0; i < 12; i += 4) v.setInt32(eth + i, v.getInt32(eth + 52 + i));
      v.setInt16(eth + 12, v.getInt16(eth + 64));
      for (let i = 0; i < 52; i += 4) v.setInt32(eth + 14 + i, header.getInt32(i));
      v.setInt16(eth + 16, 92 + (n & 1));
      v.setInt16(eth + 24, n);
      v.setInt16(eth + 38, 72);
    }
  });
}

function encap(n: number): number {
  const path = new Reference(fill(n, true), fib);
  const skb = new Skb();
  skb.setFrame(buildPacket({ ip: { src: CLIENT, dst: backendIp(0) }, tcp: { sport: 33000, dport: backendPort(0) } }));
  skb.ifindex = IFINDEX;
  const { end, view: v } = skb;
  let i = 0;
  return measure((count) => {
    for (let k = 0; k < count; k++) {
      skb.head = HEADROOM;
      skb.end = end;
      // The outer header has overwritten the EtherType.
      v.setUint16(HEADROOM + 12, ETH_P_IP);
      v.setUint32(HEADROOM + 30, backendIp(i));
      v.setUint16(HEADROOM + 36, backendPort(i));
      if (path.egress(skb) !== -1 || skb.head !== HEADROOM - 52) throw new Error("not encapsulated");
      i = i + 1 < n ? i + 1 : 0;
    }
  });
}

function decap(n: number, proxy: boolean): number {
  const tables = fill(n, proxy);
  const path = new Reference(tables, fib);
  const skb = new Skb();
  const inner = { ip: { src: CLIENT, dst: backendIp(0) }, tcp: { sport: 33000, dport: backendPort(0) } };
  const ends = { src: proxy ? NODE : EGW, dst: proxy ? EGW : NODE };
  skb.setFrame(
    buildPacket({ ip: ends, udp: { sport: 6000, dport: 5000 }, gue: { group: 0, service: 0, key: KEY }, inner }),
  );
  skb.ifindex = IFINDEX;
  let i = 0;
  const v = skb.view;
  const [key1, key2, key3] = [52, 56, 60].map((o) => v.getInt32(HEADROOM + o));
  const key4 = v.getInt16(HEADROOM + 64);
  return measure((count) => {
    for (let k = 0; k < count; k++) {
      skb.head = HEADROOM;
      // The MAC header has overwritten the end of the key.
      v.setInt32(HEADROOM + 52, key1);
      v.setInt32(HEADROOM + 56, key2);
      v.setInt32(HEADROOM + 60, key3);
      v.setInt16(HEADROOM + 64, key4);
      v.setInt32(HEADROOM + 46, i);
      if (!proxy) v.setUint32(HEADROOM + 66 + 16, backendIp(i));
      if (path.ingress(skb) !== -1 || skb.head !== HEADROOM + 52) throw new Error("not decapsulated");
      i = i + 1 < n ? i + 1 : 0;
    }
  });
}

/** Prints one line per figure. */
export async function benchDataplane(
  print: (line: string) => void,
  sizes: readonly number[] = [1, 1_000, 1_000_000],
): Promise<void> {
  // The floor is measured between the figures, too: a single moment's would often be another job's, and flatter the rest.
  let base = floor();
  const figures: [what: string, ns: number][] = [];
  for (const n of sizes) {
    const entries = `${n.toLocaleString("en-US")} ${n === 1 ? "entry" : "entries"}`;
    figures.push([`encap with lookups, ${entries}`, encap(n)]);
    base = Math.min(base, floor());
    figures.push([`decap with verification and lookups, ${entries}`, decap(n, true)]);
    base = Math.min(base, floor());
    figures.push([`decap on a node, learning sessions, ${entries}`, decap(n, false)]);
  }
  for (const [what, ns] of [["52-byte copy and patch (floor)", base] as const, ...figures])
    print(`${what.padEnd(58)} ${ns.toFixed(1).padStart(7)} ns/packet   floor ${base.toFixed(1)}`);
}
