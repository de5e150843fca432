/**
 * The checks that both hooks make first (SPEC section 4, points 1 and 2): what is not an unfragmented IPv4 TCP or UDP
 * packet with a complete header passes untouched, each kind with a reason of its own. Twin of bpf/include/parse.h.
 */

import { REASON } from "../tables/reasons.ts";
import { ETH_HLEN, ETH_P_8021AD, ETH_P_8021Q, ETH_P_IP } from "../wire/ethernet.ts";
import {
  IP_MF,
  IP_OFFMASK,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPV4_DADDR,
  IPV4_FRAG_OFF,
  IPV4_HLEN,
  IPV4_PROTO,
  IPV4_SADDR,
  IPV4_TOT_LEN,
} from "../wire/ipv4.ts";
import { TCP_HLEN } from "../wire/tcp.ts";
import { UDP_HLEN, UDP_LEN } from "../wire/udp.ts";
import type { PacketFields } from "./context.ts";
import type { Skb } from "./skb.ts";

const {
  PASS_SHORT,
  PASS_VLAN,
  PASS_NOT_IPV4,
  PASS_IP_VERSION,
  PASS_IP_IHL,
  PASS_IP_TOTLEN,
  PASS_FRAGMENT,
  PASS_PROTO,
  PASS_L4_SHORT,
  PASS_UDP_LENGTH,
} = REASON;

/** What `parsePacket` and the steps of a hook return when nothing was decided: go on. */
export const GO_ON = -1;

/** Copies a MAC header to a place that does not overlap it. */
export function moveMacHeader(v: DataView, from: number, to: number): void {
  v.setInt32(to, v.getInt32(from));
  v.setInt32(to + 4, v.getInt32(from + 4));
  v.setInt32(to + 8, v.getInt32(from + 8));
  v.setUint16(to + 12, v.getUint16(from + 12));
}

/** Second key word of an endpoint, signed. */
export function portWord(port: number, proto: number): number {
  return (port << 16) | (proto << 8);
}

/** Fills in `p` and returns GO_ON, or returns the reason to pass the packet untouched. */
export function parsePacket(skb: Skb, p: PacketFields): number {
  const v = skb.view;
  const room = skb.end - skb.head;
  if (room < ETH_HLEN) return PASS_SHORT;
  const type = v.getUint16(skb.head + 12);
  if (skb.vlan !== 0 || type === ETH_P_8021Q || type === ETH_P_8021AD) return PASS_VLAN;
  if (type !== ETH_P_IP) return PASS_NOT_IPV4;
  if (room < ETH_HLEN + IPV4_HLEN) return PASS_SHORT;

  const ip = skb.head + ETH_HLEN;
  const versionIhl = v.getUint8(ip);
  if (versionIhl >>> 4 !== 4) return PASS_IP_VERSION;
  const hlen = (versionIhl & 0xf) * 4;
  if (hlen < IPV4_HLEN) return PASS_IP_IHL;
  const totLen = v.getUint16(ip + IPV4_TOT_LEN);
  if (totLen < hlen || totLen > room - ETH_HLEN) return PASS_IP_TOTLEN;
  if ((v.getUint16(ip + IPV4_FRAG_OFF) & (IP_MF | IP_OFFMASK)) !== 0) return PASS_FRAGMENT;
  const proto = v.getUint8(ip + IPV4_PROTO);
  if (proto !== IPPROTO_TCP && proto !== IPPROTO_UDP) return PASS_PROTO;
  const l4Len = totLen - hlen;
  if (l4Len < (proto === IPPROTO_TCP ? TCP_HLEN : UDP_HLEN)) return PASS_L4_SHORT;
  const l4 = ip + hlen;
  if (proto === IPPROTO_UDP) {
    const udpLen = v.getUint16(l4 + UDP_LEN);
    if (udpLen < UDP_HLEN || udpLen > l4Len) return PASS_UDP_LENGTH;
  }

  p.ip = ip;
  p.l4 = l4;
  p.end = ip + totLen;
  p.proto = proto;
  p.saddr = v.getInt32(ip + IPV4_SADDR);
  p.daddr = v.getInt32(ip + IPV4_DADDR);
  p.sport = v.getUint16(l4);
  p.dport = v.getUint16(l4 + 2);
  return GO_ON;
}
