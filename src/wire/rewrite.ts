/**
 * Rewriting a packet's source or destination endpoint in place, checksums included: what the TC programs' NAT and the
 * kernel's nf_nat (net/netfilter/nf_nat_proto.c) both do.
 *
 * Every checksum is updated incrementally (RFC 1624), address first, then port. A UDP checksum of 0 means "none" and
 * stays; a computed UDP 0 is sent as 0xffff; TCP keeps a computed 0. For ICMP echo the identifier plays the port's part
 * and no pseudo header is summed; of other ICMP messages and other protocols only the address changes.
 */
import { rd16, rd32, wr16, wr32 } from "./bytes.ts";
import { csumReplace16, csumReplace32 } from "./checksum.ts";
import { ICMP_CHECK, ICMP_ECHO, ICMP_ECHOREPLY, ICMP_ID } from "./icmp.ts";
import { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, IPV4_CHECK, IPV4_DADDR, IPV4_PROTO, IPV4_SADDR } from "./ipv4.ts";
import { TCP_CHECK, TCP_DPORT, TCP_HLEN, TCP_SPORT } from "./tcp.ts";
import { UDP_CHECK } from "./udp.ts";

/**
 * Makes `addr:port` (host order) the source of the IPv4 packet whose header is at `ipOff`. The caller has checked that
 * the whole IPv4 and L4 headers are there and that the packet is not a later fragment.
 */
export function rewriteSource(pkt: Uint8Array, ipOff: number, addr: number, port: number): void {
  rewriteEnd(pkt, ipOff, IPV4_SADDR, TCP_SPORT, addr, port);
}

/** As `rewriteSource`, for the destination. */
export function rewriteDestination(pkt: Uint8Array, ipOff: number, addr: number, port: number): void {
  rewriteEnd(pkt, ipOff, IPV4_DADDR, TCP_DPORT, addr, port);
}

/** Stores an address at `addrOff` of an IPv4 header and fixes the header checksum only. */
export function rewriteIpv4Addr(pkt: Uint8Array, ipOff: number, addrOff: number, addr: number): void {
  const old = rd32(pkt, ipOff + addrOff);
  wr16(pkt, ipOff + IPV4_CHECK, csumReplace32(rd16(pkt, ipOff + IPV4_CHECK), old, addr));
  wr32(pkt, ipOff + addrOff, addr);
}

/**
 * Rewrites the source or destination of a packet quoted by an ICMP error, whose header is at `ipOff` and which is cut off at
 * `end`. The quoted L4 checksum changes only where it was quoted: 8 bytes of TCP do not reach it.
 */
export function rewriteQuoted(
  pkt: Uint8Array,
  ipOff: number,
  end: number,
  source: boolean,
  addr: number,
  port: number,
): void {
  const l4 = ipOff + (pkt[ipOff] & 0xf) * 4;
  if (pkt[ipOff + IPV4_PROTO] === IPPROTO_TCP && end < l4 + TCP_HLEN) {
    rewriteIpv4Addr(pkt, ipOff, source ? IPV4_SADDR : IPV4_DADDR, addr);
    wr16(pkt, l4 + (source ? TCP_SPORT : TCP_DPORT), port);
  } else if (source) rewriteSource(pkt, ipOff, addr, port);
  else rewriteDestination(pkt, ipOff, addr, port);
}

function rewriteEnd(
  pkt: Uint8Array,
  ipOff: number,
  addrOff: number,
  portOff: number,
  addr: number,
  port: number,
): void {
  const l4 = ipOff + (pkt[ipOff] & 0xf) * 4;
  const proto = pkt[ipOff + IPV4_PROTO];
  const oldAddr = rd32(pkt, ipOff + addrOff);
  rewriteIpv4Addr(pkt, ipOff, addrOff, addr);
  if (proto === IPPROTO_TCP || proto === IPPROTO_UDP) {
    const p = l4 + portOff;
    const c = l4 + (proto === IPPROTO_TCP ? TCP_CHECK : UDP_CHECK);
    const old = rd16(pkt, c);
    if (proto === IPPROTO_TCP || old !== 0) {
      const sum = csumReplace16(csumReplace32(old, oldAddr, addr), rd16(pkt, p), port);
      wr16(pkt, c, proto === IPPROTO_UDP && sum === 0 ? 0xffff : sum);
    }
    wr16(pkt, p, port);
  } else if (proto === IPPROTO_ICMP && (pkt[l4] === ICMP_ECHO || pkt[l4] === ICMP_ECHOREPLY)) {
    const c = l4 + ICMP_CHECK;
    wr16(pkt, c, csumReplace16(rd16(pkt, c), rd16(pkt, l4 + ICMP_ID), port));
    wr16(pkt, l4 + ICMP_ID, port);
  }
}
