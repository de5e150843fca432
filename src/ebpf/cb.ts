/** What the programs leave in the skb's cb[]: their decision, for the filters behind them and for who runs or records them. */
import type { HookResult } from "../dataplane/datapath.ts";

const CB_REDIRECT_INGRESS = 1;
const CB_HAS_ENTRY = 2;
const CB_FIB_SHIFT = 8;

/** Reads what bpf/include/verdict.h wrote to cb[], which stands at `off`. */
export function readCb(ctx: DataView, off: number, last: HookResult): void {
  const flags = ctx.getUint32(off + 16, true);
  const entry = (flags & CB_HAS_ENTRY) !== 0;
  const id = ctx.getUint32(off + 8, true);
  const fib = (flags >>> CB_FIB_SHIFT) & 0xff;
  last.reason = ctx.getUint32(off, true) - 1;
  last.tunnel = entry ? ctx.getUint32(off + 4, true) : -1;
  last.group = entry ? id >>> 16 : -1;
  last.service = entry ? id & 0xffff : -1;
  last.redirectIfindex = ctx.getUint32(off + 12, true);
  last.redirectIngress = (flags & CB_REDIRECT_INGRESS) !== 0;
  // 0 = no lookup, 1 = the call failed; the errno itself is not kept.
  last.fib = fib === 0 ? -1 : fib === 1 ? -2 : fib - 2;
}
