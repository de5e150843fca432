import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arpCheck } from "../../src/wire/arp.ts";
import { fromHex, rd16, rd32, toHex, wr16, wr32 } from "../../src/wire/bytes.ts";
import {
  csumFold,
  csumPartial,
  csumReplace16,
  csumReplace32,
  inetChecksum,
  ipv4ChecksumOk,
  l4ChecksumOk,
} from "../../src/wire/checksum.ts";
import { ethCheck, formatMac, parseMac, rdMac, wrMac } from "../../src/wire/ethernet.ts";
import { gueCheck } from "../../src/wire/gue.ts";
import { formatIpv4, ipTotLen, ipv4Check, parseIpv4 } from "../../src/wire/ipv4.ts";
import {
  buildPacket,
  emitArp,
  emitEthernet,
  emitGue,
  emitIcmp,
  emitIpv4,
  emitTcp,
  emitUdp,
  type IcmpRepr,
  ipv4OptionsLength,
  parseArp,
  parseEthernet,
  parseGue,
  parseIcmp,
  parseIpv4Packet,
  parseQuoted,
  parseTcp,
  parseUdp,
  type TcpOption,
  tcpOptionLength,
} from "../../src/wire/repr.ts";
import { seqDiff, seqLt, tcpCheck, tcpFindOption } from "../../src/wire/tcp.ts";
import { udpCheck } from "../../src/wire/udp.ts";
import { FRAMES } from "../support/frames.ts";

const u8 = fc.integer({ min: 0, max: 0xff });
const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const mac = fc.integer({ min: 0, max: 0xffffffffffff });
const payload = fc.uint8Array({ maxLength: 80 });
const key = fc.uint8Array({ minLength: 16, maxLength: 16 });

/** The checksum word by word, as RFC 1071 tells it. */
function naiveChecksum(b: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < b.length; i += 2) {
    sum += (b[i] << 8) | (b[i + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return ~sum & 0xffff;
}

describe("bytes and addresses", () => {
  it("loads what it stored", () => {
    fc.assert(
      fc.property(u16, u32, mac, fc.nat(3), (a, b, m, off) => {
        const buf = new Uint8Array(16);
        wr16(buf, off, a);
        wr32(buf, off + 2, b);
        wrMac(buf, off + 6, m);
        expect([rd16(buf, off), rd32(buf, off + 2), rdMac(buf, off + 6)]).toEqual([a, b, m]);
      }),
    );
  });
  it("reads back the text of addresses and hex", () => {
    fc.assert(
      fc.property(u32, mac, payload, (ip, m, b) => {
        expect(parseIpv4(formatIpv4(ip))).toBe(ip);
        expect(parseMac(formatMac(m))).toBe(m);
        expect(fromHex(toHex(b))).toEqual(b);
      }),
    );
  });
});

describe("checksums", () => {
  it("full sum equals the naive one, at any offset and length", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(7), (b, off) => {
        const at = Math.min(off, b.length);
        expect(inetChecksum(b, at, b.length - at)).toBe(naiveChecksum(b.slice(at)));
      }),
    );
  });
  it("may be summed in pieces of even length", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 2, maxLength: 90 }), fc.nat(44), (b, cut) => {
        const at = Math.min(cut * 2, b.length & ~1);
        const sum = csumPartial(b, at, b.length - at, csumPartial(b, 0, at));
        expect(~csumFold(sum) & 0xffff).toBe(inetChecksum(b, 0, b.length));
      }),
    );
  });
  it("incremental equals full after a field changed", () => {
    // RFC 1624 section 3: -0 cannot arise while another word of the header is not zero, as byte 0 is here.
    const header = fc.uint8Array({ minLength: 20, maxLength: 60 }).map((b) => {
      b[0] = 0x45;
      return b;
    });
    fc.assert(
      fc.property(header, fc.integer({ min: 1, max: 4 }), u16, u32, (b, word, v16, v32) => {
        const before = inetChecksum(b, 0, b.length);
        const off = word * 4;
        const [old16, old32] = [rd16(b, off), rd32(b, off)];
        wr16(b, off, v16);
        expect(csumReplace16(before, old16, v16)).toBe(inetChecksum(b, 0, b.length));
        wr32(b, off, v32);
        expect(csumReplace32(before, old32, v32)).toBe(inetChecksum(b, 0, b.length));
      }),
    );
  });
});

describe("sequence numbers", () => {
  it("compare across the wrap", () => {
    fc.assert(
      fc.property(u32, fc.integer({ min: 1, max: 0x7fffffff }), (a, n) => {
        const b = (a + n) >>> 0;
        expect([seqLt(a, b), seqLt(b, a), seqLt(a, a), seqDiff(b, a), seqDiff(a, b)]).toEqual([
          true,
          false,
          false,
          n,
          -n,
        ]);
      }),
    );
  });
});

describe("parse(emit(r)) = r", () => {
  it("Ethernet with tags", () => {
    const vlans = fc.array(fc.record({ tpid: fc.constantFrom(0x8100, 0x88a8), tci: u16 }), { maxLength: 3 });
    const type = u16.filter((t) => t !== 0x8100 && t !== 0x88a8);
    fc.assert(
      fc.property(fc.record({ dst: mac, src: mac, vlans, type, payload }, { noNullPrototype: true }), (r) => {
        expect(parseEthernet(emitEthernet(r))).toEqual(r);
      }),
    );
  });
  it("ARP", () => {
    fc.assert(
      fc.property(fc.record({ oper: u16, sha: mac, spa: u32, tha: mac, tpa: u32 }, { noNullPrototype: true }), (r) => {
        expect(parseArp(emitArp(r))).toEqual(r);
      }),
    );
  });
  it("IPv4 with options, with a right checksum", () => {
    const nop = fc.constant({ type: 1, data: new Uint8Array(0) });
    const option = fc.record(
      { type: fc.integer({ min: 2, max: 255 }), data: fc.uint8Array({ maxLength: 12 }) },
      { noNullPrototype: true },
    );
    const options = fc.array(fc.oneof(nop, option), { maxLength: 6 }).filter((o) => ipv4OptionsLength(o) <= 40);
    const repr = fc.record(
      {
        tos: u8,
        id: u16,
        rf: fc.boolean(),
        df: fc.boolean(),
        mf: fc.boolean(),
        fragOffset: fc.nat(0x1fff),
        ttl: u8,
        proto: u8,
        saddr: u32,
        daddr: u32,
        options,
        payload,
      },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(repr, (r) => {
        const b = emitIpv4(r);
        expect(parseIpv4Packet(b)).toEqual(r);
        expect(ipv4ChecksumOk(b, 0)).toBe(true);
        expect(ipTotLen(b, 0)).toBe(b.length);
      }),
    );
  });
  it("ICMP", () => {
    const id = { id: u16, seq: u16, data: payload };
    const opts = { noNullPrototype: true };
    const message: fc.Arbitrary<IcmpRepr> = fc.oneof(
      fc.record({ kind: fc.constantFrom("echo" as const, "echoReply" as const), ...id }, opts),
      fc.record({ kind: fc.constant("unreachable" as const), code: u8, mtu: u16, quoted: payload }, opts),
      fc.record({ kind: fc.constant("timeExceeded" as const), code: u8, quoted: payload }, opts),
      fc.record({ kind: fc.constant("redirect" as const), code: u8, gateway: u32, quoted: payload }, opts),
      fc.record({ kind: fc.constant("parameterProblem" as const), code: u8, pointer: u8, quoted: payload }, opts),
      fc.record(
        {
          kind: fc.constant("other" as const),
          type: u8.filter((t) => ![0, 3, 5, 8, 11, 12].includes(t)),
          code: u8,
          rest: u32,
          data: payload,
        },
        opts,
      ),
    );
    fc.assert(
      fc.property(message, (r) => {
        const b = emitIcmp(r);
        expect(parseIcmp(b)).toEqual(r);
        expect(inetChecksum(b, 0, b.length)).toBe(0);
      }),
    );
  });
  it("UDP, with a right checksum or none", () => {
    const repr = fc.record({ sport: u16, dport: u16, checksum: fc.boolean(), payload }, { noNullPrototype: true });
    fc.assert(
      fc.property(repr, u32, u32, (r, saddr, daddr) => {
        const b = emitUdp(r, saddr, daddr);
        expect(parseUdp(b)).toEqual(r);
        const ip = new Uint8Array(20 + b.length);
        wr32(ip, 12, saddr);
        wr32(ip, 16, daddr);
        ip.set(b, 20);
        expect(!r.checksum || l4ChecksumOk(ip, 0, 20, b.length, 17)).toBe(true);
      }),
    );
  });
  it("TCP with options, found at their place, with a right checksum", () => {
    const opts = { noNullPrototype: true };
    const option: fc.Arbitrary<TcpOption> = fc.oneof(
      fc.constant({ kind: "nop" as const }),
      fc.record({ kind: fc.constant("mss" as const), mss: u16 }, opts),
      fc.record({ kind: fc.constant("wscale" as const), shift: u8 }, opts),
      fc.constant({ kind: "sackPermitted" as const }),
      fc.record(
        { kind: fc.constant("sack" as const), blocks: fc.array(fc.tuple(u32, u32), { minLength: 1, maxLength: 4 }) },
        opts,
      ),
      fc.record({ kind: fc.constant("timestamps" as const), val: u32, ecr: u32 }, opts),
      fc.record(
        {
          kind: fc.constant("unknown" as const),
          type: fc.integer({ min: 9, max: 255 }),
          data: fc.uint8Array({ maxLength: 6 }),
        },
        opts,
      ),
    );
    const options = fc
      .array(option, { maxLength: 6 })
      .filter((list) => list.reduce((n, o) => n + tcpOptionLength(o), 0) <= 40);
    const repr = fc.record(
      { sport: u16, dport: u16, seq: u32, ack: u32, flags: u8, window: u16, urgent: u16, options, payload },
      opts,
    );
    fc.assert(
      fc.property(repr, u32, u32, (r, saddr, daddr) => {
        const b = emitTcp(r, saddr, daddr);
        expect(parseTcp(b)).toEqual(r);
        const mss = r.options.find((o) => o.kind === "mss");
        const at = tcpFindOption(b, 0, 2);
        expect(at < 0 ? undefined : rd16(b, at + 2)).toBe(mss?.mss);
        const ip = new Uint8Array(20 + b.length);
        wr32(ip, 12, saddr);
        wr32(ip, 16, daddr);
        ip.set(b, 20);
        expect(l4ChecksumOk(ip, 0, 20, b.length, 6)).toBe(true);
      }),
    );
  });
  it("GUE", () => {
    const opts = { noNullPrototype: true };
    const id = { group: u16, service: u16, key };
    const message = fc.oneof(
      fc.record({ kind: fc.constant("data" as const), ...id, payload }, opts),
      fc.record({ kind: fc.constant("ping" as const), ...id, tunnelId: u32 }, opts),
      fc.record({ kind: fc.constant("ping" as const), ...id }, opts),
      fc.record({ kind: fc.constant("plain" as const), proto: u8, payload }, opts),
    );
    fc.assert(
      fc.property(message, (r) => {
        expect(parseGue(emitGue(r))).toEqual(r);
      }),
    );
  });
});

/** An array that fails the test when it is read outside [off, end). */
function guarded(b: Uint8Array, off: number, end: number): Uint8Array {
  return new Proxy(b, {
    get(target, prop) {
      if (typeof prop === "string" && /^\d+$/.test(prop)) {
        const i = Number(prop);
        if (i < off || i >= end) throw new Error(`read at ${i}, outside [${off}, ${end})`);
        return target[i];
      }
      const v = Reflect.get(target, prop, target);
      return typeof v === "function" ? v.bind(target) : v;
    },
  });
}

const PARSERS = { parseEthernet, parseArp, parseIpv4Packet, parseIcmp, parseUdp, parseTcp, parseGue, parseQuoted };
const CHECKS = { ethCheck, arpCheck, ipv4Check, udpCheck, tcpCheck, gueCheck };

describe("any bytes", () => {
  const nearValid = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.tuple(fc.constantFrom(...Object.values(FRAMES)), fc.nat(200), u8, fc.nat(60)).map(([frame, at, v, cut]) => {
      const b = frame.slice(Math.min(cut, frame.length));
      if (b.length > 0) b[at % b.length] = v;
      return b;
    }),
  );
  it("parsers and checks neither throw nor read outside [off, end)", () => {
    fc.assert(
      fc.property(nearValid, fc.nat(20), fc.nat(20), (b, head, tail) => {
        const off = Math.min(head, b.length);
        const end = Math.max(off, b.length - tail);
        const g = guarded(b, off, end);
        for (const parse of Object.values(PARSERS)) parse(g, off, end);
        for (const check of Object.values(CHECKS)) check(g, off, end);
      }),
      { numRuns: 500 },
    );
  });
  it("every truncation of every frame is refused or parsed, never thrown at", () => {
    for (const frame of Object.values(FRAMES))
      for (let end = 0; end <= frame.length; end++)
        for (const parse of Object.values(PARSERS))
          for (const off of [0, 14, 34, 42]) if (off <= end) parse(guarded(frame, off, end), off, end);
  });
  it("refuses an end beyond the array", () => {
    for (const [name, check] of Object.entries(CHECKS))
      expect([name, check(new Uint8Array(10), 0, 60)]).toEqual([name, false]);
  });
});

it("buildPacket fills in lengths and checksums", () => {
  fc.assert(
    fc.property(u32, u32, u16, u16, payload, payload, (src, dst, sport, dport, data, trailer) => {
      const frame = buildPacket({ ip: { src, dst }, udp: { sport, dport }, payload: data, trailer });
      const eth = parseEthernet(frame)!;
      const ip = parseIpv4Packet(eth.payload)!;
      const udp = parseUdp(ip.payload)!;
      expect([ip.saddr, ip.daddr, udp.sport, udp.dport, udp.payload]).toEqual([src, dst, sport, dport, data]);
      expect(ipv4ChecksumOk(frame, 14)).toBe(true);
      expect(l4ChecksumOk(frame, 14, 34, ip.payload.length, 17)).toBe(true);
      expect(frame.slice(frame.length - trailer.length)).toEqual(trailer);
    }),
  );
});
