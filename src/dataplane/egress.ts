/** The egress hook (SPEC section 5). Twin of bpf/egress.bpf.c. */
import { REASON } from "../tables/reasons.ts";
import { sessionEntry, TX_MSS, TX_PROXY, TX_SNAT } from "../tables/schema.ts";
import type { HookContext } from "./context.ts";
import { clampSyn, encapsulate } from "./encap.ts";
import { isNoTranslation, natSource } from "./nat.ts";
import { GO_ON, parsePacket, portWord } from "./parse.ts";
import { findSession } from "./session.ts";
import type { Skb } from "./skb.ts";

const { PASS_DSO, PASS_NO_MATCH, PASS_NO_TRANSLATION, PASS_SNAT } = REASON;
const PROXY = sessionEntry.offset("proxy");
const ID = sessionEntry.offset("id");

/** Runs the packet through the hook's steps, the first match wins; returns the reason. */
export function tcEgress(ctx: HookContext, skb: Skb): number {
  const reason = parsePacket(skb, ctx.packet);
  if (reason !== GO_ON) return reason;
  return (ctx.tx & TX_PROXY) !== 0 ? proxyPath(ctx, skb) : nodePath(ctx, skb);
}

/** On a proxy: into the tunnel by the backend's endpoint, or back to the proxy endpoint by SNAT. */
function proxyPath(ctx: HookContext, skb: Skb): number {
  const p = ctx.packet;
  const tunnelEntry = ctx.encap.find2(p.daddr, portWord(p.dport, p.proto));
  if (tunnelEntry >= 0) return encapsulate(ctx, skb, ctx.encap, tunnelEntry);
  if ((ctx.tx & TX_SNAT) === 0) return PASS_NO_MATCH;
  const e = ctx.snat.find2(p.saddr, portWord(p.sport, p.proto));
  if (e < 0) return PASS_NO_MATCH;
  const off = ctx.snat.valueOffset(e);
  if (isNoTranslation(ctx.snat.view, off)) return PASS_NO_TRANSLATION;
  natSource(skb.view, p.ip, p.l4, p.proto, ctx.snat.view, off);
  return PASS_SNAT;
}

/** On a node: the reply goes back by its session, through the tunnel or (DSO) directly as the proxy endpoint. */
function nodePath(ctx: HookContext, skb: Skb): number {
  const e = findSession(ctx);
  if (e < 0) return PASS_NO_MATCH;
  if ((ctx.tx & TX_SNAT) === 0) return encapsulate(ctx, skb, ctx.sessions, e);
  const p = ctx.packet;
  const { view } = ctx.sessions;
  const off = ctx.sessions.valueOffset(e);
  ctx.last.tunnel = view.getUint32(off, true);
  ctx.last.group = view.getUint16(off + ID);
  ctx.last.service = view.getUint16(off + ID + 2);
  if (isNoTranslation(view, off + PROXY)) return PASS_NO_TRANSLATION;
  if ((ctx.tx & TX_MSS) !== 0) clampSyn(ctx, skb);
  natSource(skb.view, p.ip, p.l4, p.proto, view, off + PROXY);
  return PASS_DSO;
}
