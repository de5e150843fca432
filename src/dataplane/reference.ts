/**
 * The reference data path: the two TC hooks over the twins of the kernel's maps. It counts one reason per packet, allocates
 * nothing, throws on nothing and never reads outside the frame. The programs in bpf/ are its twins.
 */
import { REASON, VERDICT } from "../tables/reasons.ts";
import { config, ifStats, RX_DUMP, TX_DUMP } from "../tables/schema.ts";
import type { Tables } from "../tables/tables.ts";
import { add64, count, HookContext } from "./context.ts";
import type { DataPath, FibHelper, HookResult, Verdict } from "./datapath.ts";
import { tcEgress } from "./egress.ts";
import { tcIngress } from "./ingress.ts";
import type { Skb } from "./skb.ts";

const { PASS_NO_CONFIG } = REASON;
const CONFIG_RX = config.offset("rx");
const CONFIG_TX = config.offset("tx");
const CONFIG_MTU = config.offset("mtu");
const RX_PACKETS = ifStats.offset("rx_packets");
const TX_PACKETS = ifStats.offset("tx_packets");

/**
 * One event of the `dump` flag: the packet as the hook leaves it, the slot of its reason, and its length in bytes when it
 * came. The packet must be copied if it is kept.
 */
export type DumpHandler = (side: "ingress" | "egress", skb: Skb, reason: number, lenBefore: number) => void;

export class Reference implements DataPath {
  readonly last: HookResult;
  /** Called for every packet of a hook whose `dump` flag is set. */
  onDump?: DumpHandler;
  private readonly ctx: HookContext;

  constructor(tables: Tables, fib: FibHelper) {
    this.ctx = new HookContext(tables, fib);
    this.last = this.ctx.last;
  }

  ingress(skb: Skb): Verdict {
    const ctx = this.ctx;
    const lenBefore = skb.end - skb.head;
    if (!enter(ctx, skb, RX_PACKETS)) return VERDICT[PASS_NO_CONFIG];
    const reason = tcIngress(ctx, skb);
    leave(ctx, reason);
    if ((ctx.rx & RX_DUMP) !== 0) this.onDump?.("ingress", skb, reason, lenBefore);
    return VERDICT[reason];
  }

  egress(skb: Skb): Verdict {
    const ctx = this.ctx;
    const lenBefore = skb.end - skb.head;
    if (!enter(ctx, skb, TX_PACKETS)) return VERDICT[PASS_NO_CONFIG];
    const reason = tcEgress(ctx, skb);
    leave(ctx, reason);
    if ((ctx.tx & TX_DUMP) !== 0) this.onDump?.("egress", skb, reason, lenBefore);
    return VERDICT[reason];
  }
}

/** Finds the interface's CONFIG and counts the packet in its STATS; false (and PASS_NO_CONFIG counted) without one. */
function enter(ctx: HookContext, skb: Skb, packets: number): boolean {
  const last = ctx.last;
  last.redirectIfindex = 0;
  last.redirectIngress = false;
  last.tunnel = last.group = last.service = last.fib = -1;
  const c = ctx.config.find1(skb.ifindex);
  if (c < 0) {
    leave(ctx, PASS_NO_CONFIG);
    return false;
  }
  const { view } = ctx.config;
  const off = ctx.config.valueOffset(c);
  ctx.rx = view.getInt32(off + CONFIG_RX, true);
  ctx.tx = view.getInt32(off + CONFIG_TX, true);
  ctx.mtu = view.getUint32(off + CONFIG_MTU, true);

  let s = ctx.stats.find1(skb.ifindex);
  if (s < 0) s = ctx.stats.upsert(skb.ifindex);
  if (s >= 0) {
    const at = ctx.stats.valueOffset(s) + packets;
    add64(ctx.stats.view, at, 1);
    add64(ctx.stats.view, at + 8, skb.end - skb.head);
  }
  return true;
}

function leave(ctx: HookContext, reason: number): void {
  ctx.last.reason = reason;
  count(ctx, reason);
}
