import { describe, expect, it } from "vitest";
import { Reference } from "../../src/dataplane/reference.ts";
import { HEADROOM, Skb, skbFrom } from "../../src/dataplane/skb.ts";
import { fillTables, parseVector } from "../../src/dataplane/vector.ts";
import { VectorFib } from "../../src/dataplane/vector-run.ts";
import { tableToText } from "../../src/dataplane/vector-text.ts";
import { REASON, TC_ACT_REDIRECT, TC_ACT_SHOT, TC_ACT_UNSPEC } from "../../src/tables/reasons.ts";
import { createTables } from "../../src/tables/tables.ts";
import { buildPacket } from "../../src/wire/build.ts";

const KEY = "000102030405060708090a0b0c0d0e0f";
const PROXY = {
  config: { "7": { rx: "gue+dump", tx: "proxy+dump", mtu: 1500 } },
  tunnel: { "65636": { local: "172.1.0.3:5000", remote: "172.1.0.4:6000" } },
  decap: { "172.1.0.3:5000": 65636 },
  encap: { "tcp 1.1.1.1:4000": { tunnel: 65636, group: 1, service: 100, key: KEY } },
  verify: { "1/100": { key: KEY, tunnel: 65636, proxy: "0.0.0.0:0", backend: "0.0.0.0:0" } },
};

function start(tables: object, sizes = {}) {
  const stores = createTables(sizes);
  const vector = parseVector(JSON.stringify({ tables, packets: [] }));
  fillTables(stores, vector);
  const fib = new VectorFib();
  return { path: new Reference(stores, fib), stores, fib };
}

const request = (len = 5) =>
  buildPacket({
    ip: { src: "172.1.0.2", dst: "1.1.1.1" },
    tcp: { sport: 33000, dport: 4000 },
    payload: new Uint8Array(len),
  });

describe("the dump flag", () => {
  it("gives one event per packet, after the decision, with the length before", () => {
    const { path } = start(PROXY);
    const events: unknown[] = [];
    path.onDump = (side, skb, reason, lenBefore) => events.push([side, skb.len, reason, lenBefore]);
    expect(path.egress(skbFrom(request(), 7))).toBe(TC_ACT_UNSPEC);
    expect(path.ingress(skbFrom(request().slice(0, 20), 7))).toBe(TC_ACT_UNSPEC);
    expect(path.egress(skbFrom(request(), 8))).toBe(TC_ACT_UNSPEC);
    expect(events).toEqual([
      ["egress", 111, REASON.PASS_ENCAP, 59],
      ["ingress", 20, REASON.PASS_SHORT, 20],
    ]);
  });

  it("is quiet for a hook whose flag is not set", () => {
    const { path } = start({ ...PROXY, config: { "7": { rx: "gue", tx: "proxy+dump", mtu: 1500 } } });
    const sides: string[] = [];
    path.onDump = (side) => sides.push(side);
    path.ingress(skbFrom(request(), 7));
    path.egress(skbFrom(request(), 7));
    expect(sides).toEqual(["egress"]);
  });
});

describe("last", () => {
  it("tells entry, FIB result and redirect of this packet only", () => {
    const { path, fib } = start({ ...PROXY, config: { "7": { tx: "proxy+fwd", mtu: 1500 } } });
    fib.set([{ daddr: 0xac010004, rc: 0, ifindex: 9, smac: 1, dmac: 2 }]);
    expect(path.egress(skbFrom(request(), 7))).toBe(TC_ACT_REDIRECT);
    expect(path.last).toEqual({
      reason: REASON.REDIRECT_ENCAP,
      redirectIfindex: 9,
      redirectIngress: false,
      tunnel: 65636,
      group: 1,
      service: 100,
      fib: 0,
    });
    path.egress(skbFrom(request().slice(0, 20), 7));
    const nothing = { redirectIfindex: 0, redirectIngress: false, tunnel: -1, group: -1, service: -1, fib: -1 };
    expect(path.last).toEqual({ reason: REASON.PASS_SHORT, ...nothing });
    fib.set([{ daddr: 0xac010004, rc: -22, ifindex: 0, smac: 0, dmac: 0 }]);
    path.egress(skbFrom(request(), 7));
    expect(path.last.fib).toBe(-2);
  });
});

describe("the packet's buffer", () => {
  it("is enlarged where the headroom does not suffice", () => {
    const { path } = start(PROXY);
    const skb = new Skb(0);
    skb.buf = request();
    skb.head = 0;
    skb.end = skb.buf.length;
    skb.ifindex = 7;
    path.egress(skb);
    const roomy = skbFrom(request(), 7);
    path.egress(roomy);
    expect(skb.frame()).toEqual(roomy.frame());
  });

  it("takes the ICMP error of a packet at the front of its buffer", () => {
    const { path } = start({ ...PROXY, config: { "7": { tx: "proxy", mtu: 90 } } });
    const skb = new Skb(0);
    skb.buf = request();
    skb.head = 0;
    skb.end = skb.buf.length;
    skb.ifindex = 7;
    expect(path.egress(skb)).toBe(TC_ACT_REDIRECT);
    const roomy = skbFrom(request(), 7);
    path.egress(roomy);
    expect(skb.frame()).toEqual(roomy.frame());
  });

  it("is not touched where the headroom suffices", () => {
    const { path } = start(PROXY);
    const skb = skbFrom(request(), 7);
    const { buf } = skb;
    path.egress(skb);
    expect([skb.buf === buf, skb.head]).toEqual([true, HEADROOM - 52]);
  });
});

describe("counters", () => {
  it("carry from the low to the high word", () => {
    const near = 2 ** 32 - 1;
    const stats = { "7": { rx_packets: near, rx_bytes: near, tx_packets: 0, tx_bytes: 0 } };
    const { path, stores } = start({ ...PROXY, stats, reasons: { PASS_NO_MATCH: near } });
    path.ingress(skbFrom(request(), 7));
    expect(tableToText(stores, "reasons")).toEqual({ PASS_NO_MATCH: 2 ** 32 });
    expect(tableToText(stores, "stats")).toEqual({
      "7": { rx_packets: 2 ** 32, rx_bytes: near + 59, tx_packets: 0, tx_bytes: 0 },
    });
  });

  it("go on without STATS when that table is full", () => {
    const { path, stores } = start({ ...PROXY, stats: { "1": {} } }, { STATS: 1 });
    expect(path.egress(skbFrom(request(), 7))).toBe(TC_ACT_UNSPEC);
    expect(path.last.reason).toBe(REASON.PASS_ENCAP);
    expect(Object.keys(tableToText(stores, "stats") as object)).toEqual(["1"]);
  });
});

it("evicts the oldest session when SESSION is full", () => {
  const ends = { local: "172.1.0.4:6000", remote: "172.1.0.3:5000" };
  const node = {
    config: { "7": { rx: "gue", mtu: 1500 } },
    tunnel: { "65636": ends },
    decap: { "172.1.0.4:6000": 65636 },
    verify: PROXY.verify,
  };
  const { path, stores } = start(node, { SESSION: 2 });
  for (const sport of [1, 2, 1, 3]) {
    const inner = { ip: { src: "172.1.0.2", dst: "1.1.1.1" }, tcp: { sport, dport: 4000 } };
    const key = Uint8Array.from({ length: 16 }, (_, i) => i);
    const outer = { ip: { src: "172.1.0.3", dst: "172.1.0.4" }, udp: { sport: 5000, dport: 6000 } };
    path.ingress(skbFrom(buildPacket({ ...outer, gue: { group: 1, service: 100, key }, inner }), 7));
    expect(path.last.reason).toBe(REASON.PASS_DECAP);
  }
  expect(Object.keys(tableToText(stores, "session") as object)).toEqual([
    "tcp 172.1.0.2:1 > 1.1.1.1:4000",
    "tcp 172.1.0.2:3 > 1.1.1.1:4000",
  ]);
});

describe("GSO", () => {
  const gso = (len: number, gsoSize: number) => {
    const { path } = start({ ...PROXY, config: { "7": { tx: "proxy", mtu: 1500 } } });
    const skb = skbFrom(request(len), 7);
    skb.gsoSize = gsoSize;
    path.egress(skb);
    return [path.last.reason, skb.gsoSize];
  };
  it("keeps its segment size through the tunnel, and is no longer GSO as an ICMP error", () => {
    expect(gso(30_000, 1408)).toEqual([REASON.PASS_ENCAP, 1408]);
    expect(gso(30_000, 1409)).toEqual([REASON.REDIRECT_FRAG_NEEDED, 0]);
  });
  it("never exceeds what the outer total length can hold", () => {
    expect(gso(65_535 - 52 - 40, 1408)).toEqual([REASON.PASS_ENCAP, 1408]);
    expect(gso(65_535 - 52 - 39, 1408)).toEqual([REASON.REDIRECT_FRAG_NEEDED, 0]);
  });
});

it("drops by TC_ACT_SHOT", () => {
  const { path } = start({ ...PROXY, tunnel: {} });
  expect(path.egress(skbFrom(request(), 7))).toBe(TC_ACT_SHOT);
});
