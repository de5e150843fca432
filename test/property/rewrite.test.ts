import fc from "fast-check";
import { expect, it } from "vitest";
import { rd16 } from "../../src/wire/bytes.ts";
import { IPPROTO_UDP } from "../../src/wire/ipv4.ts";
import { rewriteDestination, rewriteQuoted, rewriteSource } from "../../src/wire/rewrite.ts";
import { echo, expectChecksums, tcp, udp } from "../support/packets.ts";

const u32 = fc.oneof(fc.integer({ min: 0, max: 0xffffffff }), fc.constantFrom(0, 0xffffffff, 0xffff, 0xffff0000));
const u16 = fc.oneof(fc.nat(0xffff), fc.constantFrom(0, 1, 0xffff));
const kind = fc.constantFrom("udp", "tcp", "echo");

function make(k: string, saddr: number, sport: number, daddr: number, dport: number): Uint8Array {
  if (k === "udp") return udp(saddr, sport, daddr, dport);
  return k === "tcp" ? tcp(saddr, sport, daddr, dport, 0x10) : echo(saddr, daddr, 8, sport);
}

it("gives the bytes of a packet made with the new endpoint, every checksum right", () => {
  fc.assert(
    fc.property(kind, u32, u16, u32, u16, u32, u16, fc.boolean(), (k, sa, sp, da, dp, addr, port, source) => {
      const pkt = make(k, sa, sp, da, dp);
      const quoted = pkt.slice();
      if (source) rewriteSource(pkt, 0, addr, port);
      else rewriteDestination(pkt, 0, addr, port);
      expectChecksums(pkt);
      const id = k === "echo";
      const want = source ? make(k, addr, port, da, dp) : make(k, sa, id ? port : sp, addr, port);
      // The payload of `udp` depends on its source port; an incremental checksum may be 0xffff where a full one is 0.
      expect(pkt.subarray(0, 10)).toEqual(want.subarray(0, 10));
      expect(pkt.subarray(12, 22)).toEqual(want.subarray(12, 22));
      if (!id) expect(pkt.subarray(22, 24)).toEqual(want.subarray(22, 24));
      if (pkt[9] === IPPROTO_UDP) expect(rd16(pkt, 26)).not.toBe(0);
      rewriteQuoted(quoted, 0, quoted.length, source, addr, port);
      expect(quoted).toEqual(pkt);
    }),
    { numRuns: 1000 },
  );
});

it("undoes itself", () => {
  fc.assert(
    fc.property(kind, u32, u16, u32, u16, u32, u16, (k, sa, sp, da, dp, addr, port) => {
      const pkt = make(k, sa, sp, da, dp);
      rewriteSource(pkt, 0, addr, port);
      rewriteSource(pkt, 0, sa, sp);
      expectChecksums(pkt);
      expect(pkt.subarray(12, 22)).toEqual(make(k, sa, sp, da, dp).subarray(12, 22));
    }),
  );
});

it("leaves what an ICMP error did not quote of TCP alone", () => {
  const pkt = tcp(1, 2, 3, 4, 0x10);
  const cut = pkt.slice(0, 28);
  rewriteQuoted(cut, 0, 28, true, 9, 10);
  expect([rd16(cut, 14), rd16(cut, 20)]).toEqual([9, 10]);
  expect(cut.subarray(22)).toEqual(pkt.subarray(22, 28));
});
