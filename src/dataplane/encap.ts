/**
 * Encapsulation (SPEC section 5, point 5; layout in section 2): 52 bytes between the MAC header and the inner packet. Twin
 * of bpf/include/encap.h.
 */
import type { BpfMap } from "../tables/map.ts";
import { REASON } from "../tables/reasons.ts";
import { encapEntry, TX_FWD, TX_MSS, tunnel } from "../tables/schema.ts";
import { ETH_HLEN } from "../wire/ethernet.ts";
import { GUE_OVERHEAD } from "../wire/gue.ts";
import { IPPROTO_TCP, IPPROTO_UDP, IPV4_DADDR, IPV4_HLEN, IPV4_ID, IPV4_SADDR, IPV4_TTL } from "../wire/ipv4.ts";
import { UDP_HLEN } from "../wire/udp.ts";
import { count, type HookContext } from "./context.ts";
import { clampMss } from "./mss.ts";
import { exceedsMtu, makeFragNeeded } from "./mtu.ts";
import { setMacsByFib } from "./nexthop.ts";
import { moveMacHeader } from "./parse.ts";
import type { Skb } from "./skb.ts";

const { DROP_NO_TUNNEL, DROP_UNRESOLVED, MSS_CLAMPED, PASS_ENCAP, REDIRECT_ENCAP, REDIRECT_FRAG_NEEDED } = REASON;

const LOCAL = tunnel.offset("local");
const REMOTE = tunnel.offset("remote");
const ID = encapEntry.offset("id");
/** Version 4, IHL 5, TOS 0 in front of a total length; TTL 64 and protocol UDP in front of a checksum. */
const VERSION_IHL_TOS = 0x45000000;
const TTL_PROTO = 0x40110000;
/** Version 0, Hlen 5, IPv4 inside, flags G and SEC = 2. */
const GUE_DATA_WORD = 0x0504a000;

/**
 * Sends the packet into the tunnel of entry `e` of `map`: ENCAP, or SESSION, whose values start alike. Returns the reason.
 */
export function encapsulate(ctx: HookContext, skb: Skb, map: BpfMap, e: number): number {
  const entry = map.valueOffset(e);
  const id = map.view.getInt32(entry, true);
  const last = ctx.last;
  last.tunnel = id >>> 0;
  last.group = map.view.getUint16(entry + ID);
  last.service = map.view.getUint16(entry + ID + 2);

  const t = ctx.tunnels.find1(id);
  if (t < 0) return DROP_NO_TUNNEL;
  const tun = ctx.tunnels.valueOffset(t);
  const ends = ctx.tunnels.view;
  const remote = ends.getInt32(tun + REMOTE);
  if (remote === 0) return DROP_UNRESOLVED;

  const p = ctx.packet;
  if (exceedsMtu(p, skb.gsoSize, ctx.mtu)) {
    makeFragNeeded(ctx, skb);
    last.redirectIfindex = skb.ifindex;
    last.redirectIngress = true;
    return REDIRECT_FRAG_NEEDED;
  }
  if ((ctx.tx & TX_MSS) !== 0) clampSyn(ctx, skb);

  const local = ends.getInt32(tun + LOCAL);
  const sport = ends.getUint16(tun + LOCAL + 4);
  const dport = ends.getUint16(tun + REMOTE + 4);
  prepend(skb, p.end - p.ip, local, remote, sport, dport, map.view, entry + ID);
  const found = setMacsByFib(ctx, skb, local, remote, sport, dport, IPPROTO_UDP);
  if (!found || (ctx.tx & TX_FWD) === 0 || ctx.fibParams.ifindex === skb.ifindex) return PASS_ENCAP;
  last.redirectIfindex = ctx.fibParams.ifindex;
  return REDIRECT_ENCAP;
}

/** Clamps the MSS of a TCP SYN and counts that it did. */
export function clampSyn(ctx: HookContext, skb: Skb): void {
  const p = ctx.packet;
  if (p.proto === IPPROTO_TCP && clampMss(skb.view, p.l4, p.end, ctx.mtu)) count(ctx, MSS_CLAMPED);
}

/**
 * Writes the outer headers in front of an inner packet of `innerLen` bytes; the MAC header moves. The tunnel's two ends come
 * as the caller has loaded them; `id` is the place of group, service and key in `values`.
 */
function prepend(
  skb: Skb,
  innerLen: number,
  local: number,
  remote: number,
  sport: number,
  dport: number,
  values: DataView,
  id: number,
): void {
  skb.push(GUE_OVERHEAD);
  const v = skb.view;
  const eth = skb.head;
  moveMacHeader(v, eth + GUE_OVERHEAD, eth);

  const ip = eth + ETH_HLEN;
  const totLen = innerLen + GUE_OVERHEAD;
  // ID and fragment word: what the sender decided about fragmentation holds on the way, too.
  const idFrag = v.getInt32(ip + GUE_OVERHEAD + IPV4_ID);
  v.setInt32(ip, VERSION_IHL_TOS | totLen);
  v.setInt32(ip + IPV4_ID, idFrag);
  // Nine 16-bit words: two folds bring any such sum below 2^16.
  let sum =
    (VERSION_IHL_TOS >>> 16) +
    totLen +
    (idFrag >>> 16) +
    (idFrag & 0xffff) +
    (TTL_PROTO >>> 16) +
    (local >>> 16) +
    (local & 0xffff) +
    (remote >>> 16) +
    (remote & 0xffff);
  sum = (sum & 0xffff) + (sum >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  v.setInt32(ip + IPV4_TTL, TTL_PROTO | (~sum & 0xffff));
  v.setInt32(ip + IPV4_SADDR, local);
  v.setInt32(ip + IPV4_DADDR, remote);

  const udp = ip + IPV4_HLEN;
  v.setInt32(udp, (sport << 16) | dport);
  // Length, and a checksum of 0: none.
  v.setInt32(udp + 4, (totLen - IPV4_HLEN) << 16);

  // Group, service and key stand in the entry in the order of the GUE header.
  const gue = udp + UDP_HLEN;
  v.setInt32(gue, GUE_DATA_WORD);
  v.setInt32(gue + 4, values.getInt32(id));
  v.setInt32(gue + 8, values.getInt32(id + 4));
  v.setInt32(gue + 12, values.getInt32(id + 8));
  v.setInt32(gue + 16, values.getInt32(id + 12));
  v.setInt32(gue + 20, values.getInt32(id + 16));
}
