/**
 * Endpoint translation with incremental checksums (RFC 1624 eqn. 3). Twin of bpf/include/nat.h.
 *
 * The sums are made as the kernel makes them (csum_replace4): the checksum that results is never 0xffff. A UDP checksum of
 * 0 means "none" and stays 0, a computed UDP 0 is sent as 0xffff (RFC 768), TCP keeps a computed 0.
 */
import { IPPROTO_UDP, IPV4_CHECK, IPV4_DADDR, IPV4_SADDR } from "../wire/ipv4.ts";
import { TCP_CHECK } from "../wire/tcp.ts";
import { UDP_CHECK } from "../wire/udp.ts";

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
export function l4CsumUpdate(v: DataView, l4: number, proto: number, delta: number): void {
  if (proto === IPPROTO_UDP) {
    const check = v.getUint16(l4 + UDP_CHECK);
    if (check !== 0) v.setUint16(l4 + UDP_CHECK, csumUpdate(check, delta) || 0xffff);
  } else {
    v.setUint16(l4 + TCP_CHECK, csumUpdate(v.getUint16(l4 + TCP_CHECK), delta));
  }
}

/** True when the endpoint at `off` of a map's values is 0.0.0.0:0: "no translation". Its protocol is not looked at. */
export function isNoTranslation(values: DataView, off: number): boolean {
  return values.getInt32(off) === 0 && values.getUint16(off + 4) === 0;
}

/** Rewrites source address and port to the endpoint at `off` of `values`. */
export function natSource(v: DataView, ip: number, l4: number, proto: number, values: DataView, off: number): void {
  rewrite(v, ip, ip + IPV4_SADDR, l4, l4, proto, values.getInt32(off), values.getUint16(off + 4));
}

/** Rewrites destination address and port to the endpoint at `off` of `values`. */
export function natDest(v: DataView, ip: number, l4: number, proto: number, values: DataView, off: number): void {
  rewrite(v, ip, ip + IPV4_DADDR, l4, l4 + 2, proto, values.getInt32(off), values.getUint16(off + 4));
}

/**
 * The destination of the packet that an ICMP error quotes: as `natDest`, but the quoted L4 checksum stays (it may lie
 * behind the 8 bytes that are quoted).
 */
export function natQuotedDest(v: DataView, ip: number, l4: number, values: DataView, off: number): void {
  const addr = values.getInt32(off);
  const delta = delta32(v.getInt32(ip + IPV4_DADDR), addr);
  v.setUint16(ip + IPV4_CHECK, csumUpdate(v.getUint16(ip + IPV4_CHECK), delta));
  v.setInt32(ip + IPV4_DADDR, addr);
  v.setUint16(l4 + 2, values.getUint16(off + 4));
}

function rewrite(
  v: DataView,
  ip: number,
  addrOff: number,
  l4: number,
  portOff: number,
  proto: number,
  addr: number,
  port: number,
): void {
  const addrDelta = delta32(v.getInt32(addrOff), addr);
  v.setUint16(ip + IPV4_CHECK, csumUpdate(v.getUint16(ip + IPV4_CHECK), addrDelta));
  l4CsumUpdate(v, l4, proto, addrDelta + delta16(v.getUint16(portOff), port));
  v.setInt32(addrOff, addr);
  v.setUint16(portOff, port);
}
