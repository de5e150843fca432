/** IPv4 packets for tests of conntrack and NAT: header at offset 0, all checksums right. */
import { expect } from "vitest";
import { rd16, wr16, wr32 } from "../../src/wire/bytes.ts";
import { csumFold, csumPartial, ipv4ChecksumOk, l4ChecksumOk } from "../../src/wire/checksum.ts";
import { icmpIsError, icmpSendCheck } from "../../src/wire/icmp.ts";
import {
  IPPROTO_ICMP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  ipDaddr,
  ipHlen,
  ipProto,
  ipSaddr,
  ipTotLen,
  parseIpv4,
  writeIpv4,
} from "../../src/wire/ipv4.ts";
import { writeUdp } from "../../src/wire/udp.ts";

export const ip = (text: string): number => parseIpv4(text)!;

export function udp(saddr: number, sport: number, daddr: number, dport: number, payload = 4): Uint8Array {
  const pkt = new Uint8Array(28 + payload);
  for (let i = 0; i < payload; i++) pkt[28 + i] = (i * 37 + sport) & 255;
  writeUdp(pkt, 20, sport, dport, payload, saddr, daddr);
  writeIpv4(pkt, 0, pkt.length, 7, 0, 64, IPPROTO_UDP, saddr, daddr);
  return pkt;
}

export function tcp(saddr: number, sport: number, daddr: number, dport: number, flags: number): Uint8Array {
  const pkt = new Uint8Array(40);
  wr16(pkt, 20, sport);
  wr16(pkt, 22, dport);
  wr32(pkt, 24, 1000);
  pkt[32] = 0x50;
  pkt[33] = flags;
  wr16(pkt, 34, 8192);
  const sum = csumPartial(pkt, 20, 20, saddr + daddr + IPPROTO_TCP + 20);
  wr16(pkt, 36, ~csumFold(sum) & 0xffff);
  writeIpv4(pkt, 0, pkt.length, 7, 0, 64, IPPROTO_TCP, saddr, daddr);
  return pkt;
}

/** An echo request (type 8) or reply (type 0). */
export function echo(saddr: number, daddr: number, type: number, id: number): Uint8Array {
  const pkt = new Uint8Array(32);
  pkt[20] = type;
  wr16(pkt, 24, id);
  wr16(pkt, 26, 1);
  wr32(pkt, 28, 0xdeadbeef);
  icmpSendCheck(pkt, 20, 12);
  writeIpv4(pkt, 0, pkt.length, 7, 0, 64, IPPROTO_ICMP, saddr, daddr);
  return pkt;
}

/** An ICMP error from `saddr` to the sender of `quoted`, quoting its first `bytes` bytes. */
export function icmpError(saddr: number, quoted: Uint8Array, bytes = quoted.length, type = 3, code = 3): Uint8Array {
  const pkt = new Uint8Array(28 + bytes);
  pkt[20] = type;
  pkt[21] = code;
  pkt.set(quoted.subarray(0, bytes), 28);
  icmpSendCheck(pkt, 20, 8 + bytes);
  writeIpv4(pkt, 0, pkt.length, 9, 0, 64, IPPROTO_ICMP, saddr, ipSaddr(quoted, 0));
  return pkt;
}

/** `proto src:sport > dst:dport`, with the identifier as both ports of an ICMP echo. */
export function endpoints(pkt: Uint8Array, off = 0): string {
  const l4 = off + ipHlen(pkt, off);
  const icmp = ipProto(pkt, off) === IPPROTO_ICMP;
  const a = icmp ? rd16(pkt, l4 + 4) : rd16(pkt, l4);
  const b = icmp ? rd16(pkt, l4 + 4) : rd16(pkt, l4 + 2);
  return `${ipProto(pkt, off)} ${dotted(ipSaddr(pkt, off))}:${a} > ${dotted(ipDaddr(pkt, off))}:${b}`;
}

const dotted = (a: number): string => [24, 16, 8, 0].map((n) => (a >>> n) & 255).join(".");

/** Recomputes every checksum of the packet, and of a packet that an ICMP error quotes in full. */
export function expectChecksums(pkt: Uint8Array, off = 0, end = pkt.length): void {
  expect(ipv4ChecksumOk(pkt, off)).toBe(true);
  const l4 = off + ipHlen(pkt, off);
  const len = ipTotLen(pkt, off) - ipHlen(pkt, off);
  if (ipProto(pkt, off) !== IPPROTO_ICMP) {
    const none = ipProto(pkt, off) === IPPROTO_UDP && rd16(pkt, l4 + 6) === 0;
    if (l4 + len <= end && !none) expect(l4ChecksumOk(pkt, off, l4, len, ipProto(pkt, off))).toBe(true);
    return;
  }
  if (l4 + len > end) return;
  expect(csumFold(csumPartial(pkt, l4, len))).toBe(0xffff);
  if (icmpIsError(pkt[l4])) expectChecksums(pkt, l4 + 8, l4 + len);
}
