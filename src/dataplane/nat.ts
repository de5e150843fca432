/**
 * Endpoint translation with incremental checksums (RFC 1624 eqn. 3). Twin of bpf/include/nat.h.
 *
 * The sums are made as the kernel makes them (csum_replace4): the checksum that results is never 0xffff. A UDP checksum of
 * 0 means "none" and stays 0, a computed UDP 0 is sent as 0xffff (RFC 768), TCP keeps a computed 0.
 */
import { rd16, wr16 } from "../wire/bytes.ts";
import { IPPROTO_UDP, IPV4_CHECK, IPV4_DADDR, IPV4_SADDR } from "../wire/ipv4.ts";
import { TCP_CHECK } from "../wire/tcp.ts";
import { UDP_CHECK } from "../wire/udp.ts";
import { rdWord } from "./parse.ts";

/** What a 32-bit field's change from `from` to `to` adds to a sum. */
export function delta32(from: number, to: number): number {
  return ((~from >>> 16) & 0xffff) + (~from & 0xffff) + ((to >>> 16) & 0xffff) + (to & 0xffff);
}

/** What a 16-bit field's change adds to a sum. */
export function delta16(from: number, to: number): number {
  return (~from & 0xffff) + to;
}

/** `check` after its sum changed by `delta` (at most 2^32 - 1 in all). */
export function csumUpdate(check: number, delta: number): number {
  // 0xffff is the other zero of one's complement: it keeps a sum of nothing but zeros from becoming "minus zero".
  let s = 0xffff + (~check & 0xffff) + delta;
  s = (s & 0xffff) + (s >>> 16);
  s = (s & 0xffff) + (s >>> 16);
  return ~s & 0xffff;
}

/** Applies a change to the L4 checksum of a TCP or UDP header at `l4`. */
export function l4CsumUpdate(b: Uint8Array, l4: number, proto: number, delta: number): void {
  if (proto === IPPROTO_UDP) {
    const check = rd16(b, l4 + UDP_CHECK);
    if (check !== 0) wr16(b, l4 + UDP_CHECK, csumUpdate(check, delta) || 0xffff);
  } else {
    wr16(b, l4 + TCP_CHECK, csumUpdate(rd16(b, l4 + TCP_CHECK), delta));
  }
}

/** True when the endpoint at `values[off]` is 0.0.0.0:0: "no translation". Its protocol is not looked at. */
export function isNoTranslation(values: Uint8Array, off: number): boolean {
  return rdWord(values, off) === 0 && rd16(values, off + 4) === 0;
}

/** Rewrites source address and port to the endpoint at `values[off]`. */
export function natSource(b: Uint8Array, ip: number, l4: number, proto: number, values: Uint8Array, off: number): void {
  rewrite(b, ip, ip + IPV4_SADDR, l4, l4, proto, values, off);
}

/** Rewrites destination address and port to the endpoint at `values[off]`. */
export function natDest(b: Uint8Array, ip: number, l4: number, proto: number, values: Uint8Array, off: number): void {
  rewrite(b, ip, ip + IPV4_DADDR, l4, l4 + 2, proto, values, off);
}

/**
 * The destination of the packet that an ICMP error quotes: as `natDest`, but the quoted L4 checksum stays (it may lie
 * behind the 8 bytes that are quoted).
 */
export function natQuotedDest(b: Uint8Array, ip: number, l4: number, values: Uint8Array, off: number): void {
  const delta = delta32(rdWord(b, ip + IPV4_DADDR), rdWord(values, off));
  wr16(b, ip + IPV4_CHECK, csumUpdate(rd16(b, ip + IPV4_CHECK), delta));
  for (let i = 0; i < 4; i++) b[ip + IPV4_DADDR + i] = values[off + i];
  wr16(b, l4 + 2, rd16(values, off + 4));
}

function rewrite(
  b: Uint8Array,
  ip: number,
  addrOff: number,
  l4: number,
  portOff: number,
  proto: number,
  values: Uint8Array,
  off: number,
): void {
  const addrDelta = delta32(rdWord(b, addrOff), rdWord(values, off));
  wr16(b, ip + IPV4_CHECK, csumUpdate(rd16(b, ip + IPV4_CHECK), addrDelta));
  l4CsumUpdate(b, l4, proto, addrDelta + delta16(rd16(b, portOff), rd16(values, off + 4)));
  for (let i = 0; i < 4; i++) b[addrOff + i] = values[off + i];
  b[portOff] = values[off + 4];
  b[portOff + 1] = values[off + 5];
}
