/**
 * Packets that do not fit the tunnel become ICMP "fragmentation needed" (RFC 792, RFC 1191; SPEC section 5, MTU), which
 * goes to the interface's own ingress. Twin of bpf/include/mtu.h.
 *
 *   MAC (swapped) | IPv4 20 | ICMP 8 | quoted: IPv4 header with options, 8 bytes of L4
 */
import { RX_DNAT } from "../tables/schema.ts";
import { wr16 } from "../wire/bytes.ts";
import { ETH_ALEN, ETH_HLEN } from "../wire/ethernet.ts";
import { GUE_OVERHEAD } from "../wire/gue.ts";
import { ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, ICMP_HLEN, ICMP_MTU, icmpSendCheck } from "../wire/icmp.ts";
import { IPPROTO_ICMP, IPPROTO_TCP, IPV4_HLEN, writeIpv4 } from "../wire/ipv4.ts";
import { TCP_HLEN } from "../wire/tcp.ts";
import { UDP_HLEN } from "../wire/udp.ts";
import type { HookContext, PacketFields } from "./context.ts";
import { isNoTranslation, natQuotedDest } from "./nat.ts";
import { portWord } from "./parse.ts";
import type { Skb } from "./skb.ts";

/** What the IPv4 total length field can hold: a limit whatever the MTU. */
const IPV4_MAX_LEN = 65_535;
/** Bytes of L4 that an ICMP error quotes (RFC 792). */
const QUOTED_L4 = 8;

/**
 * True when the packet with its tunnel header exceeds `mtu` (bytes; 0 = unchecked). A GSO packet is judged by the
 * segments that the NIC will make of it, its L4 header without options.
 */
export function exceedsMtu(p: PacketFields, gsoSize: number, mtu: number): boolean {
  const total = p.end - p.ip + GUE_OVERHEAD;
  if (total > IPV4_MAX_LEN) return true;
  if (mtu === 0) return false;
  if (gsoSize === 0) return total > mtu;
  const headers = p.l4 - p.ip + (p.proto === IPPROTO_TCP ? TCP_HLEN : UDP_HLEN);
  const segment = headers + gsoSize + GUE_OVERHEAD;
  return segment > Math.min(mtu, IPV4_MAX_LEN);
}

/** The next-hop MTU to report for an interface's `mtu`: what the inner packet may have, 0 where nothing fits. */
export function nextHopMtu(mtu: number): number {
  const limit = mtu === 0 ? IPV4_MAX_LEN : Math.min(mtu, IPV4_MAX_LEN);
  return Math.max(limit - GUE_OVERHEAD, 0);
}

/** Turns the packet, in place, into the ICMP error about itself. `ctx.packet` is stale afterwards. */
export function makeFragNeeded(ctx: HookContext, skb: Skb): void {
  const p = ctx.packet;
  const quotedHlen = p.l4 - p.ip;
  const quotedLen = quotedHlen + QUOTED_L4;
  // The quoted bytes stay where they are; two headers go in front of them and everything behind them goes away.
  skb.end = p.l4 + QUOTED_L4;
  skb.push(IPV4_HLEN + ICMP_HLEN);
  skb.gsoSize = 0;
  const b = skb.buf;
  const eth = skb.head;
  const oldEth = eth + IPV4_HLEN + ICMP_HLEN;
  for (let i = 0; i < ETH_ALEN; i++) {
    b[eth + i] = b[oldEth + ETH_ALEN + i];
    b[eth + ETH_ALEN + i] = b[oldEth + i];
  }
  b[eth + 12] = b[oldEth + 12];
  b[eth + 13] = b[oldEth + 13];

  const ip = eth + ETH_HLEN;
  const icmp = ip + IPV4_HLEN;
  const quoted = icmp + ICMP_HLEN;
  if ((ctx.rx & RX_DNAT) !== 0) {
    const e = ctx.snat.find2(p.daddr, portWord(p.dport, p.proto));
    const off = ctx.snat.valueOffset(e);
    if (e >= 0 && !isNoTranslation(ctx.snat.view, off))
      natQuotedDest(skb.view, quoted, quoted + quotedHlen, ctx.snat.view, off);
  }
  writeIpv4(b, ip, IPV4_HLEN + ICMP_HLEN + quotedLen, 0, 0, 64, IPPROTO_ICMP, p.daddr, p.saddr);
  b[icmp] = ICMP_DEST_UNREACH;
  b[icmp + 1] = ICMP_FRAG_NEEDED;
  wr16(b, icmp + 4, 0);
  wr16(b, icmp + ICMP_MTU, nextHopMtu(ctx.mtu));
  icmpSendCheck(b, icmp, ICMP_HLEN + quotedLen);
}
