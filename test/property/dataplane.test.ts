/**
 * What must hold for every packet: decap undoes encap, checksums stay right, hostile bytes neither throw nor make a hook
 * look or write outside the frame.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Reference } from "../../src/dataplane/reference.ts";
import { Skb } from "../../src/dataplane/skb.ts";
import { fillTables, parseVector, type Vector } from "../../src/dataplane/vector.ts";
import { VectorFib } from "../../src/dataplane/vector-run.ts";
import { tablesToText } from "../../src/dataplane/vector-text.ts";
import { REASON_NAMES, VERDICT } from "../../src/tables/reasons.ts";
import { createTables } from "../../src/tables/tables.ts";
import { buildPacket } from "../../src/wire/build.ts";
import { toHex, wr16 } from "../../src/wire/bytes.ts";
import { ipv4ChecksumOk } from "../../src/wire/checksum.ts";
import { ipHlen, ipProto, ipTotLen } from "../../src/wire/ipv4.ts";

const KEY = "000102030405060708090a0b0c0d0e0f";
const SERVICE = { tunnel: 65636, group: 1, service: 100, key: KEY };
const PROTOS = ["tcp", "udp"];
const each = <T>(row: (proto: string) => [string, T]): Record<string, T> => Object.fromEntries(PROTOS.map(row));

const parsed = new Map<string, Vector>();

/** A host of the demo, proxy or node1, that has the service for both protocols. */
function host(role: "proxy" | "node", config: object, more: object = {}) {
  const proxy = role === "proxy";
  const [local, remote] = proxy ? ["172.1.0.3:5000", "172.1.0.4:6000"] : ["172.1.0.4:6000", "172.1.0.3:5000"];
  const tables = {
    config: { "7": config },
    tunnel: { "65636": { local, remote } },
    decap: { [local]: 65636 },
    verify: { "1/100": { key: KEY, tunnel: 65636, proxy: "tcp 5.5.5.5:3100", backend: "tcp 1.1.1.1:4000" } },
    ...(proxy && {
      encap: each((p) => [`${p} 1.1.1.1:4000`, SERVICE]),
      dnat: each((p) => [`${p} 5.5.5.5:3100`, `${p} 1.1.1.1:4000`]),
      snat: each((p) => [`${p} 1.1.1.1:4000`, `${p} 5.5.5.5:3100`]),
    }),
    epoch: 3,
    ...more,
  };
  const text = JSON.stringify({ tables, packets: [] });
  const vector = parsed.get(text) ?? parseVector(text);
  parsed.set(text, vector);
  const stores = createTables();
  fillTables(stores, vector);
  const path = new Reference(stores, new VectorFib());
  return { path, stores };
}

function send(path: Reference, hook: "ingress" | "egress", frame: Uint8Array, gsoSize = 0) {
  const skb = new Skb(0);
  skb.setFrame(frame);
  skb.ifindex = 7;
  skb.gsoSize = gsoSize;
  const verdict = hook === "ingress" ? path.ingress(skb) : path.egress(skb);
  return { verdict, reason: REASON_NAMES[path.last.reason], frame: skb.frame() };
}

const ipOptions = fc
  .uint8Array({ maxLength: 40 })
  .map((b) => (b.length === 0 ? [] : [{ type: 0x88, data: b.slice(0, 38) }]));
const l4 = fc.record({ tcp: fc.boolean(), flags: fc.nat(255), payload: fc.uint8Array({ maxLength: 300 }) });
const ipFields = fc.record({
  id: fc.nat(0xffff),
  df: fc.boolean(),
  rf: fc.boolean(),
  tos: fc.nat(255),
  ttl: fc.nat(255),
  options: ipOptions,
});
const trailer = fc.uint8Array({ maxLength: 30 });
const client = fc.tuple(fc.nat(0xffffffff), fc.nat(0xffff));

type Fields = {
  id: number;
  df: boolean;
  rf: boolean;
  tos: number;
  ttl: number;
  options: { type: number; data: Uint8Array }[];
};
type L4 = { tcp: boolean; flags: number; payload: Uint8Array };

function packet(ip: Fields, t: L4, src: [number, number], dst: [string, number], tail: Uint8Array): Uint8Array {
  return buildPacket({
    ip: { ...ip, src: src[0], dst: dst[0] },
    ...(t.tcp
      ? { tcp: { sport: src[1], dport: dst[1], flags: t.flags } }
      : { udp: { sport: src[1], dport: dst[1], checksum: (t.flags & 1) === 0 } }),
    payload: t.payload,
    trailer: tail,
  });
}

const NODE_CONFIG = { rx: "gue", tx: 0, mtu: 1500 };

describe("decap(encap(p)) = p", () => {
  it("from the proxy to the node, and its reply back", () => {
    fc.assert(
      fc.property(ipFields, l4, client, trailer, ipFields, l4, (ip, t, who, tail, ip2, t2) => {
        const proxy = host("proxy", { rx: "gue+dnat", tx: "proxy+snat", mtu: 1500 });
        const node = host("node", NODE_CONFIG);
        const request = packet(ip, t, who, ["1.1.1.1", 4000], tail);
        const out = send(proxy.path, "egress", request);
        expect(out.reason).toBe("PASS_ENCAP");
        expect(out.frame.length).toBe(request.length + 52);
        expect(ipv4ChecksumOk(out.frame, 14)).toBe(true);
        expect(toHex(out.frame, 18, 22)).toBe(toHex(request, 18, 22));
        const arrived = send(node.path, "ingress", out.frame);
        expect(arrived.reason).toBe("PASS_DECAP");
        expect(toHex(arrived.frame)).toBe(toHex(request));

        const back = { ...t2, tcp: t.tcp };
        const reply = packet(ip2, back, [0x01010101, 4000], [ipText(who[0]), who[1]], tail);
        const tunnelled = send(node.path, "egress", reply);
        expect(tunnelled.reason).toBe("PASS_ENCAP");
        const home = send(proxy.path, "ingress", tunnelled.frame);
        expect(home.reason).toBe("PASS_DECAP");
        expect(toHex(home.frame)).toBe(toHex(reply));
      }),
    );
  });
});

const ipText = (n: number): string => [24, 16, 8, 0].map((s) => (n >>> s) & 255).join(".");

describe("translation", () => {
  it("leaves right checksums right, by update as by computing anew", () => {
    fc.assert(
      fc.property(ipFields, l4, client, client, fc.boolean(), trailer, (ip, t, who, to, incoming, tail) => {
        const p = t.tcp ? "tcp" : "udp";
        const target = `${p} ${ipText(to[0])}:${to[1]}`;
        fc.pre(to[0] !== 0 || to[1] !== 0);
        const tables = { dnat: { [`${p} 5.5.5.5:3100`]: target }, snat: { [`${p} 5.5.5.5:3100`]: target }, encap: {} };
        const { path } = host("proxy", { rx: "dnat", tx: "proxy+snat", mtu: 1500 }, tables);
        type Ends = [src: [number, number], dst: [string, number]];
        const newDst: [string, number] = [ipText(to[0]), to[1]];
        const peer: [string, number] = [ipText(who[0]), who[1]];
        const before: Ends = incoming ? [who, ["5.5.5.5", 3100]] : [[0x05050505, 3100], peer];
        const after: Ends = incoming ? [who, newDst] : [to, peer];
        const { reason, frame: out } = send(path, incoming ? "ingress" : "egress", packet(ip, t, ...before, tail));
        expect(reason).toBe(incoming ? "PASS_DNAT" : "PASS_SNAT");
        const want = packet(ip, t, ...after, tail);
        expect(toHex(out)).toBe(toHex(want));
      }),
    );
  });
});

describe("too big for the tunnel", () => {
  it("is a well-formed ICMP error that quotes the packet", () => {
    fc.assert(
      fc.property(ipFields, l4, client, trailer, fc.integer({ min: 1, max: 79 }), (ip, t, who, tail, mtu) => {
        const { path } = host("proxy", { rx: "gue", tx: "proxy", mtu });
        const frame = packet(ip, t, who, ["1.1.1.1", 4000], tail);
        const { reason, frame: out } = send(path, "egress", frame);
        expect(reason).toBe("REDIRECT_FRAG_NEEDED");
        const quoted = ipHlen(frame, 14) + 8;
        expect(out.length).toBe(14 + 28 + quoted);
        expect([ipTotLen(out, 14), ipProto(out, 14)]).toEqual([28 + quoted, 1]);
        expect(ipv4ChecksumOk(out, 14)).toBe(true);
        expect(onesComplementSum(out, 34)).toBe(0xffff);
        expect(toHex(out, 42)).toBe(toHex(frame, 14, 14 + quoted));
        expect(toHex(out, 0, 12)).toBe(toHex(frame, 6, 12) + toHex(frame, 0, 6));
        expect(toHex(out, 26, 34)).toBe(toHex(frame, 30, 34) + toHex(frame, 26, 30));
      }),
    );
  });
});

/** The plainest form of the checksum, so that this does not test the code with itself. */
function onesComplementSum(b: Uint8Array, off: number): number {
  let sum = 0;
  for (let i = off; i < b.length; i += 2) sum += b[i] * 256 + (b[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum % 65536) + Math.floor(sum / 65536);
  return sum;
}

const BASES: Uint8Array[] = [
  buildPacket({ ip: { src: "172.1.0.2", dst: "1.1.1.1" }, tcp: { sport: 33000, dport: 4000, flags: 2, options: [] } }),
  buildPacket({ ip: { src: "1.1.1.1", dst: "172.1.0.2" }, tcp: { sport: 4000, dport: 33000 }, payload: "HELLO" }),
  buildPacket({ ip: { src: "172.1.0.2", dst: "5.5.5.5" }, udp: { sport: 33000, dport: 3100 }, payload: "hello" }),
  buildPacket({
    ip: { src: "172.1.0.4", dst: "172.1.0.3" },
    udp: { sport: 6000, dport: 5000 },
    gue: { key: hexKey(), tunnelId: 65636 },
  }),
  buildPacket({
    ip: { src: "172.1.0.3", dst: "172.1.0.4" },
    udp: { sport: 5000, dport: 6000 },
    gue: { key: hexKey() },
    inner: { ip: { src: "172.1.0.2", dst: "1.1.1.1" }, tcp: { sport: 33000, dport: 4000 }, payload: "GET /" },
  }),
];

function hexKey(): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, i) => i);
}

const CONFIGS = [
  ["proxy", { rx: "gue+dnat+fwd", tx: "proxy+snat+fwd+mss", mtu: 1500 }],
  ["proxy", { rx: "gue", tx: "proxy+mss", mtu: 80 }],
  ["node", { rx: "gue+fwd", tx: "mss", mtu: 1500 }],
  ["node", { rx: "gue", tx: "snat+mss", mtu: 1500 }],
] as const;
const SESSION = {
  session: { "tcp 172.1.0.2:33000 > 1.1.1.1:4000": { ...SERVICE, proxy: "tcp 5.5.5.5:3100", epoch: 0 } },
};

/** Runs the frame through a hook with `poison` all around it; everything that can be seen of the result. */
function runPoisoned(which: number, hook: "ingress" | "egress", frame: Uint8Array, poison: number) {
  const [role, config] = CONFIGS[which];
  const { path, stores } = host(role, config, role === "node" ? SESSION : {});
  const skb = new Skb(0);
  const behind = 64;
  skb.reset(frame.length + behind);
  skb.buf.fill(poison);
  skb.buf.set(frame, skb.head);
  skb.end -= behind;
  const end = skb.end;
  skb.ifindex = 7;
  const { buf } = skb;
  const verdict = hook === "ingress" ? path.ingress(skb) : path.egress(skb);
  expect(verdict).toBe(VERDICT[path.last.reason]);
  expect(buf.subarray(end, end + behind).every((b) => b === poison)).toBe(true);
  const tables = tablesToText(stores);
  const counted = Object.entries(tables.reasons as Record<string, number>).filter(
    ([name]) => !/^(FIB|SESSION|MSS)_/.test(name),
  );
  expect(counted).toEqual([[REASON_NAMES[path.last.reason], 1]]);
  return JSON.stringify({ verdict, ...path.last, frame: toHex(skb.frame()), tables });
}

function sameWhateverIsAround(which: number, hook: "ingress" | "egress", frame: Uint8Array): void {
  expect(runPoisoned(which, hook, frame, 0xff)).toBe(runPoisoned(which, hook, frame, 0x00));
}

describe("hostile bytes", () => {
  it("at every truncation, with and without lengths that fit again", () => {
    for (const base of BASES)
      for (let n = 0; n <= base.length; n++) {
        const cut = base.slice(0, n);
        const fitted = base.slice(0, n);
        if (n >= 34) wr16(fitted, 16, n - 14);
        if (n >= 42 && fitted[23] === 17) wr16(fitted, 38, n - 34);
        for (const hook of ["ingress", "egress"] as const)
          for (let which = 0; which < CONFIGS.length; which++) {
            sameWhateverIsAround(which, hook, cut);
            sameWhateverIsAround(which, hook, fitted);
          }
      }
  });

  it("random bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(3), fc.boolean(), (bytes, which, incoming) =>
        sameWhateverIsAround(which, incoming ? "ingress" : "egress", bytes),
      ),
    );
  });

  it("packets with some bytes changed", () => {
    const edit = fc.tuple(fc.nat(110), fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x45, 0x4f, 0x46, 0xff)));
    const edits = fc.array(edit, { maxLength: 4 });
    fc.assert(
      fc.property(
        fc.nat(BASES.length - 1),
        edits,
        fc.nat(3),
        fc.boolean(),
        trailer,
        (which, list, config, incoming, tail) => {
          const frame = new Uint8Array(BASES[which].length + tail.length);
          frame.set(BASES[which]);
          frame.set(tail, BASES[which].length);
          for (const [at, byte] of list) frame[at % frame.length] = byte;
          sameWhateverIsAround(config, incoming ? "ingress" : "egress", frame);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
