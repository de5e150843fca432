/**
 * Encapsulation (SPEC section 5, point 5; layout in section 2): 52 bytes between the MAC header and the inner packet. Twin
 * of bpf/include/encap.h.
 */
import type { BpfMap } from "../tables/map.ts";
import { REASON } from "../tables/reasons.ts";
import { encapEntry, TX_FWD, TX_MSS, tunnel } from "../tables/schema.ts";
import { rd16, wr16, wr32 } from "../wire/bytes.ts";
import { ETH_HLEN } from "../wire/ethernet.ts";
import { GUE_OVERHEAD } from "../wire/gue.ts";
import { IPPROTO_TCP, IPPROTO_UDP, IPV4_HLEN } from "../wire/ipv4.ts";
import { UDP_HLEN } from "../wire/udp.ts";
import { count, type HookContext } from "./context.ts";
import { clampMss } from "./mss.ts";
import { exceedsMtu, makeFragNeeded } from "./mtu.ts";
import { setMacsByFib } from "./nexthop.ts";
import { rdWord } from "./parse.ts";
import type { Skb } from "./skb.ts";

const { DROP_NO_TUNNEL, DROP_UNRESOLVED, MSS_CLAMPED, PASS_ENCAP, REDIRECT_ENCAP, REDIRECT_FRAG_NEEDED } = REASON;

const LOCAL = tunnel.offset("local");
const REMOTE = tunnel.offset("remote");
const ID = encapEntry.offset("id");
/** Group, service and key, in the order in which they stand in the GUE header. */
const ID_AND_KEY = encapEntry.size - ID;
const OUTER_TTL = 64;

/**
 * Sends the packet into the tunnel of entry `e` of `map`: ENCAP, or SESSION, whose values start alike. Returns the reason.
 */
export function encapsulate(ctx: HookContext, skb: Skb, map: BpfMap, e: number): number {
  const entry = map.valueOffset(e);
  const id = map.values32[entry >>> 2];
  const last = ctx.last;
  last.tunnel = id >>> 0;
  last.group = rd16(map.values, entry + ID);
  last.service = rd16(map.values, entry + ID + 2);

  const t = ctx.tunnels.find1(id);
  if (t < 0) return DROP_NO_TUNNEL;
  const tun = ctx.tunnels.valueOffset(t);
  const ends = ctx.tunnels.values;
  if (ctx.tunnels.values32[(tun + REMOTE) >>> 2] === 0) return DROP_UNRESOLVED;

  const p = ctx.packet;
  if (exceedsMtu(p, skb.gsoSize, ctx.mtu)) {
    makeFragNeeded(ctx, skb);
    last.redirectIfindex = skb.ifindex;
    last.redirectIngress = true;
    return REDIRECT_FRAG_NEEDED;
  }
  if ((ctx.tx & TX_MSS) !== 0) clampSyn(ctx, skb);

  prepend(skb, p.end - p.ip, ends, tun, map.values, entry + ID);
  const found = setMacsByFib(
    ctx,
    skb,
    rdWord(ends, tun + LOCAL),
    rdWord(ends, tun + REMOTE),
    rd16(ends, tun + LOCAL + 4),
    rd16(ends, tun + REMOTE + 4),
    IPPROTO_UDP,
  );
  if (!found || (ctx.tx & TX_FWD) === 0 || ctx.fibParams.ifindex === skb.ifindex) return PASS_ENCAP;
  last.redirectIfindex = ctx.fibParams.ifindex;
  return REDIRECT_ENCAP;
}

/** Clamps the MSS of a TCP SYN and counts that it did. */
export function clampSyn(ctx: HookContext, skb: Skb): void {
  const p = ctx.packet;
  if (p.proto === IPPROTO_TCP && clampMss(skb.buf, p.l4, p.end, ctx.mtu)) count(ctx, MSS_CLAMPED);
}

/**
 * Writes the outer headers in front of an inner packet of `innerLen` bytes; the MAC header moves. `tun` is the TUNNEL value
 * in `ends`, `id` the place of group, service and key in `values`.
 */
function prepend(skb: Skb, innerLen: number, ends: Uint8Array, tun: number, values: Uint8Array, id: number): void {
  skb.push(GUE_OVERHEAD);
  const b = skb.buf;
  const eth = skb.head;
  for (let i = 0; i < ETH_HLEN; i++) b[eth + i] = b[eth + GUE_OVERHEAD + i];

  const ip = eth + ETH_HLEN;
  const inner = ip + GUE_OVERHEAD;
  const totLen = innerLen + GUE_OVERHEAD;
  const idWord = rd16(b, inner + 4);
  const fragWord = rd16(b, inner + 6);
  const local = tun + LOCAL;
  const remote = tun + REMOTE;
  wr32(b, ip, 0x45000000 | totLen);
  wr16(b, ip + 4, idWord);
  wr16(b, ip + 6, fragWord);
  b[ip + 8] = OUTER_TTL;
  b[ip + 9] = IPPROTO_UDP;
  // Nine 16-bit words: two folds bring any such sum below 2^16.
  let sum =
    0x4500 +
    totLen +
    idWord +
    fragWord +
    ((OUTER_TTL << 8) | IPPROTO_UDP) +
    rd16(ends, local) +
    rd16(ends, local + 2) +
    rd16(ends, remote) +
    rd16(ends, remote + 2);
  sum = (sum & 0xffff) + (sum >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  wr16(b, ip + 10, ~sum);
  for (let i = 0; i < 4; i++) {
    b[ip + 12 + i] = ends[local + i];
    b[ip + 16 + i] = ends[remote + i];
  }

  const udp = ip + IPV4_HLEN;
  b[udp] = ends[local + 4];
  b[udp + 1] = ends[local + 5];
  b[udp + 2] = ends[remote + 4];
  b[udp + 3] = ends[remote + 5];
  wr16(b, udp + 4, totLen - IPV4_HLEN);
  wr16(b, udp + 6, 0);

  const gue = udp + UDP_HLEN;
  wr32(b, gue, 0x0504a000);
  for (let i = 0; i < ID_AND_KEY; i++) b[gue + 4 + i] = values[id + i];
}
