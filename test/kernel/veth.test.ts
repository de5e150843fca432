/**
 * The programs on a real veth pair: every packet vector comes out byte for byte as from the reference, and so do the packets
 * that BPF_PROG_TEST_RUN cannot build: too short, with a VLAN tag beside the frame, in pages, GSO.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Reference } from "../../src/dataplane/reference.ts";
import { skbFrom } from "../../src/dataplane/skb.ts";
import { fillTables, parseVector, parseVectors, type Vector } from "../../src/dataplane/vector.ts";
import { VectorFib } from "../../src/dataplane/vector-run.ts";
import { tablesToText } from "../../src/dataplane/vector-text.ts";
import { REASON_NAMES, REASONS, type ReasonName } from "../../src/tables/reasons.ts";
import { createTables } from "../../src/tables/tables.ts";
import { buildPacket, type PacketSpec } from "../../src/wire/build.ts";
import { rd16, toHex } from "../../src/wire/bytes.ts";
import { ETH_HLEN, ETH_P_8021AD, ETH_P_8021Q, ethType } from "../../src/wire/ethernet.ts";
import { describeKernel } from "./require.ts";
import { NIC, type Outcome, VethRig } from "./rig.ts";
import type { VnetHeader } from "./sockets.ts";

const VECTORS = join(import.meta.dirname, "..", "vectors");
const KEY = "000102030405060708090a0b0c0d0e0f";
const BACKEND = "tcp 1.1.1.1:4000";
const TABLES = {
  config: { "7": { rx: "gue+dnat", tx: "proxy", mtu: 1500 } },
  tunnel: { "65636": { local: "172.1.0.3:5000", remote: "172.1.0.4:6000" } },
  decap: { "172.1.0.3:5000": 65636 },
  encap: { [BACKEND]: { tunnel: 65636, group: 1, service: 100, key: KEY } },
  verify: { "1/100": { key: KEY, tunnel: 65636, proxy: "tcp 5.5.5.5:3100", backend: BACKEND } },
  dnat: { "tcp 5.5.5.5:3100": BACKEND },
  fib: { "172.1.0.4": { rc: 0, ifindex: 7, smac: "02:00:00:00:00:03", dmac: "02:00:00:00:00:04" } },
};
const toBackend = { ip: { src: "172.1.0.2", dst: "1.1.1.1" }, tcp: { sport: 33000, dport: 4000 } };
const fromTunnel = (inner: PacketSpec): PacketSpec => ({
  ip: { src: "172.1.0.4", dst: "172.1.0.3" },
  udp: { sport: 6000, dport: 5000, checksum: false },
  gue: { group: 1, service: 100, key: Uint8Array.from({ length: 16 }, (_, i) => i) },
  inner,
});

/** A receiver on a real interface sees tags beside the frame: what the frame is without its first one. */
function untagged(frame: Uint8Array): Uint8Array {
  const type = frame.length >= ETH_HLEN ? ethType(frame, 0) : 0;
  if ((type !== ETH_P_8021Q && type !== ETH_P_8021AD) || frame.length < ETH_HLEN + 4) return frame;
  return Uint8Array.of(...frame.subarray(0, 12), ...frame.subarray(16));
}

describeKernel("the programs on a veth pair", () => {
  let rig: VethRig;
  beforeAll(() => {
    rig = new VethRig();
  });
  afterAll(() => rig?.close());

  /** Fills both sets of tables from a vector; undefined where no real routes give its FIB answers. */
  function start(vector: Vector): { reference: Reference; tables: ReturnType<typeof createTables> } | undefined {
    const rows = rig.setFib(vector.fib);
    if (!rows) return undefined;
    const tables = createTables();
    const fib = new VectorFib();
    fib.set(rows);
    for (const store of Object.values(rig.tables)) store.clear();
    fillTables(rig.tables, vector);
    fillTables(tables, vector);
    return { reference: new Reference(tables, fib), tables };
  }
  const startTables = (tables: object = TABLES) => {
    const started = start(parseVector(JSON.stringify({ tables, packets: [] })));
    if (!started) throw new Error("this FIB cannot be made");
    return started;
  };

  /** What the reference says of a frame: its reasons, and the bytes that come out. */
  function expected(reference: Reference, hook: "ingress" | "egress", frame: Uint8Array, gsoSize = 0, vlan = 0) {
    // The kernel has taken the first tag out of the frame before ingress filters see it.
    const bare = hook === "ingress" ? untagged(frame) : frame;
    const skb = skbFrom(bare, NIC);
    skb.gsoSize = gsoSize;
    skb.vlan = bare === frame ? vlan : 0x10000 | rd16(frame, ETH_HLEN);
    reference[hook](skb);
    const reasons: ReasonName[] = [REASON_NAMES[reference.last.reason]];
    const first = REASONS[reasons[0]].outcome;
    // The ICMP goes through the ingress hook of its own interface.
    if (reasons[0] === "REDIRECT_FRAG_NEEDED") {
      reference.ingress(skb);
      reasons.push(REASON_NAMES[reference.last.reason]);
    }
    reasons.sort((a, b) => REASON_NAMES.indexOf(a) - REASON_NAMES.indexOf(b));
    return { reasons, frames: first === "drop" ? [] : [toHex(untagged(skb.frame()))] };
  }
  const seen = (o: Outcome) => ({ reasons: o.reasons, frames: o.out.map((f) => toHex(f.frame)) });

  const vectors = readdirSync(VECTORS)
    .filter((f) => f.endsWith(".jsonl"))
    .flatMap((f) => parseVectors(readFileSync(join(VECTORS, f), "utf8"), f));

  it("gives every packet vector as the reference does, tables included", () => {
    let packets = 0;
    for (const vector of vectors) {
      // A packet socket sends whole frames without a GSO size; what it cannot send has tests of its own below.
      if (vector.packets.some((p) => p.gsoSize > 0 || p.vlan >= 0 || p.frame.length < ETH_HLEN)) continue;
      const started = start(vector);
      if (!started) continue;
      for (const [i, packet] of vector.packets.entries()) {
        const want = expected(started.reference, packet.hook, packet.frame);
        expect(seen(rig.pass(packet.hook, packet.frame)), `${vector.file}:${vector.line} packet ${i + 1}`).toEqual(
          want,
        );
        packets++;
      }
      const where = `${vector.file}:${vector.line} tables`;
      expect(tablesToText(rig.tables), where).toEqual(tablesToText(started.tables));
    }
    expect(packets).toBeGreaterThan(200);
  });

  it("passes IPv4 frames that end within their headers", () => {
    const { reference } = startTables();
    const whole = buildPacket(toBackend);
    for (const hook of ["ingress", "egress"] as const)
      for (let len = ETH_HLEN + 1; len < ETH_HLEN + 20; len++) {
        const want = expected(reference, hook, whole.slice(0, len));
        expect(want.reasons).toEqual(["PASS_SHORT"]);
        expect(seen(rig.pass(hook, whole.slice(0, len))), `${hook}, ${len} bytes`).toEqual(want);
      }
  });

  it("passes frames with a VLAN tag, in the frame or beside it", () => {
    const { reference } = startTables();
    const plain = buildPacket(toBackend);
    const tagged = buildPacket({ ...toBackend, eth: { vlans: [{ tpid: ETH_P_8021Q, tci: 5 }] } });
    const wantIn = expected(reference, "ingress", tagged);
    expect(wantIn).toEqual({ reasons: ["PASS_VLAN"], frames: [toHex(plain)] });
    expect(seen(rig.pass("ingress", tagged))).toEqual(wantIn);
    expect(seen(rig.pass("egress", tagged))).toEqual(expected(reference, "egress", tagged));
    // On egress a filter before guelab's puts it beside the frame, as a VLAN device does. 129 = 0x8100 in network order.
    rig.addFilter("egress", 10, "tag", "\tbpf_skb_vlan_push(skb, 129, 5);\n\treturn -1;");
    try {
      const want = expected(reference, "egress", plain, 0, 0x10005);
      expect(want.reasons).toEqual(["PASS_VLAN"]);
      expect(seen(rig.pass("egress", plain))).toEqual(want);
    } finally {
      rig.removeFilter("egress", 10);
    }
    // Without the tag the same frame goes into the tunnel.
    expect(rig.pass("egress", plain).reasons).toEqual(["PASS_ENCAP"]);
  });

  it("reads headers that lie in pages, and changes such packets as others", () => {
    const { reference } = startTables({ ...TABLES, config: { "7": { rx: "gue+dnat", tx: "proxy", mtu: 0 } } });
    const payload = Uint8Array.from({ length: 8_000 }, (_, i) => (i * 7) & 255);
    const out = buildPacket({ ...toBackend, payload });
    const dnat = buildPacket({
      ip: { src: "172.1.0.2", dst: "5.5.5.5" },
      tcp: { sport: 1, dport: 3100 },
      payload,
    });
    const decap = buildPacket(fromTunnel({ ...toBackend, payload }));
    // The linear part ends behind the MAC header, or within any header: the rest lies in pages.
    for (const hdrLen of [14, 15, 33, 34, 40, 54, 90])
      for (const [hook, frame, reason] of [
        ["egress", out, "PASS_ENCAP"],
        ["ingress", dnat, "PASS_DNAT"],
        ["ingress", decap, "PASS_DECAP"],
      ] as const) {
        const want = expected(reference, hook, frame);
        expect(want.reasons).toEqual([reason]);
        expect(seen(rig.pass(hook, frame, { hdrLen })), `${reason}, ${hdrLen} bytes linear`).toEqual(want);
      }
  });

  it("judges and changes GSO packets by their segments", () => {
    const { reference } = startTables();
    const gso = (size: number, payload: number): [Uint8Array, VnetHeader] => [
      buildPacket({ ...toBackend, payload: new Uint8Array(payload).fill(65) }),
      { gsoType: 1, gsoSize: size, hdrLen: 54, csumStart: 34, csumOffset: 16 },
    ];
    // 20 + 20 + 1408 + 52 = 1500: the largest segment that fits.
    for (const [size, reason] of [
      [1408, "PASS_ENCAP"],
      [1409, "REDIRECT_FRAG_NEEDED"],
    ] as const) {
      const [frame, header] = gso(size, 5 * size);
      const want = expected(reference, "egress", frame, size);
      expect(want.reasons, `${size}`).toContain(reason);
      const got = rig.pass("egress", frame, header);
      expect(seen(got), `${size}`).toEqual(want);
      // Still GSO, with the same segments, when it is in the tunnel; the ICMP is an ordinary packet.
      expect(got.out[0].gsoSize).toBe(reason === "PASS_ENCAP" ? size : 0);
    }
  });
});
