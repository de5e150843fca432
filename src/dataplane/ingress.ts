/** The ingress hook (SPEC section 4). Twin of bpf/ingress.bpf.c. */
import { REASON } from "../tables/reasons.ts";
import { RX_DNAT, RX_GUE } from "../tables/schema.ts";
import type { HookContext } from "./context.ts";
import { guePath } from "./decap.ts";
import { isNoTranslation, natDest } from "./nat.ts";
import { GO_ON, parsePacket, portWord } from "./parse.ts";
import type { Skb } from "./skb.ts";

const { PASS_DNAT, PASS_NO_MATCH, PASS_NO_TRANSLATION } = REASON;

/** Runs the packet through the hook's steps, the first match wins; returns the reason. */
export function tcIngress(ctx: HookContext, skb: Skb): number {
  let reason = parsePacket(skb, ctx.packet);
  if (reason !== GO_ON) return reason;
  if ((ctx.rx & RX_GUE) !== 0) {
    reason = guePath(ctx, skb);
    if (reason !== GO_ON) return reason;
  }
  return (ctx.rx & RX_DNAT) !== 0 ? dnatPath(ctx, skb) : PASS_NO_MATCH;
}

/** Proxy endpoint -> backend endpoint. */
function dnatPath(ctx: HookContext, skb: Skb): number {
  const p = ctx.packet;
  const e = ctx.dnat.find2(p.daddr, portWord(p.dport, p.proto));
  if (e < 0) return PASS_NO_MATCH;
  const off = ctx.dnat.valueOffset(e);
  if (isNoTranslation(ctx.dnat.view, off)) return PASS_NO_TRANSLATION;
  natDest(skb.view, p.ip, p.l4, p.proto, ctx.dnat.view, off);
  return PASS_DNAT;
}
