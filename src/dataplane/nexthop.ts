/**
 * Both MAC addresses of a packet by bpf_fib_lookup (net/core/filter.c), with its result counted. On any result but success
 * the old addresses stay. Twin of bpf/include/fib.h.
 */
import { fibNote } from "../tables/reasons.ts";
import { ETH_ALEN, type Mac } from "../wire/ethernet.ts";
import { count, type HookContext } from "./context.ts";
import { BPF_FIB_LKUP_RET_SUCCESS } from "./datapath.ts";
import type { Skb } from "./skb.ts";

/** Looks up the way to `daddr` and sets the MAC addresses; true on success, the interface is then in `ctx.fibParams`. */
export function setMacsByFib(
  ctx: HookContext,
  skb: Skb,
  saddr: number,
  daddr: number,
  sport: number,
  dport: number,
  proto: number,
): boolean {
  const f = ctx.fibParams;
  f.ifindex = skb.ifindex;
  f.saddr = saddr >>> 0;
  f.daddr = daddr >>> 0;
  f.sport = sport;
  f.dport = dport;
  f.proto = proto;
  f.frameLen = skb.gsoSize === 0 ? skb.end - skb.head : 0;
  const rc = ctx.fib.fibLookup(f);
  ctx.last.fib = rc < 0 ? -2 : rc;
  count(ctx, fibNote(rc));
  if (rc !== BPF_FIB_LKUP_RET_SUCCESS) return false;
  const v = skb.view;
  storeMac(v, skb.head, f.dmac);
  storeMac(v, skb.head + ETH_ALEN, f.smac);
  return true;
}

function storeMac(v: DataView, off: number, mac: Mac): void {
  v.setUint16(off, (mac / 0x100000000) | 0);
  // `| 0` takes a number modulo 2^32: the low four bytes.
  v.setInt32(off + 2, mac | 0);
}
