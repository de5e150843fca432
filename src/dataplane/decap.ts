/**
 * GUE at ingress (SPEC section 4, point 3; draft-ietf-intarea-gue section 3): verification, pings, decapsulation. Twin of
 * bpf/include/decap.h.
 */
import { REASON } from "../tables/reasons.ts";
import { RX_FWD, TX_PROXY, tunnel, verifyEntry } from "../tables/schema.ts";
import { ETH_HLEN } from "../wire/ethernet.ts";
import {
  GUE_BASE_HLEN,
  GUE_CTYPE_PING,
  GUE_DATA_HLEN,
  GUE_FLAGS,
  GUE_GROUP,
  GUE_HLEN_DATA,
  GUE_HLEN_PING,
  GUE_HLEN_PLAIN,
  GUE_KEY,
  GUE_PROTO_IPV4,
  GUE_TUNNEL_ID,
} from "../wire/gue.ts";
import { IPPROTO_UDP, IPV4_DADDR, IPV4_HLEN, IPV4_PROTO, IPV4_SADDR, IPV4_TOT_LEN } from "../wire/ipv4.ts";
import { UDP_HLEN, UDP_LEN } from "../wire/udp.ts";
import type { HookContext } from "./context.ts";
import { setMacsByFib } from "./nexthop.ts";
import { GO_ON, moveMacHeader, portWord } from "./parse.ts";
import { learnSession, trackableProto } from "./session.ts";
import type { Skb } from "./skb.ts";

const {
  DROP_CTRL_FLAGS,
  DROP_CTRL_HLEN,
  DROP_CTRL_TYPE,
  DROP_DATA_FLAGS,
  DROP_DATA_HLEN,
  DROP_DATA_PROTO,
  DROP_GUE_SHORT,
  DROP_GUE_VERSION,
  DROP_INNER_IHL,
  DROP_INNER_SHORT,
  DROP_INNER_TOTLEN,
  DROP_INNER_VERSION,
  DROP_NO_SERVICE,
  DROP_PING_NO_TUNNEL,
  DROP_PING_TUNNEL,
  DROP_WRONG_KEY,
  PASS_DECAP,
  PASS_GUE_PLAIN,
  PING_CONSUMED,
  REDIRECT_DECAP,
} = REASON;

const VERIFY_TUNNEL = verifyEntry.offset("tunnel");
const VERIFY_KEY = verifyEntry.offset("key");
const TUNNEL_REMOTE = tunnel.offset("remote");

/** Handles a packet to a DECAP endpoint and returns the reason; GO_ON when it is not one. */
export function guePath(ctx: HookContext, skb: Skb): number {
  const p = ctx.packet;
  if (p.proto !== IPPROTO_UDP || ctx.decap.find2(p.daddr, portWord(p.dport, IPPROTO_UDP)) < 0) return GO_ON;
  const v = skb.view;
  const gue = p.l4 + UDP_HLEN;
  const len = v.getUint16(p.l4 + UDP_LEN) - UDP_HLEN;
  if (len < GUE_BASE_HLEN) return DROP_GUE_SHORT;
  // One load for the base header's five fields: 8 % of a decapsulation.
  const base = v.getInt32(gue);
  if (version(base) !== 0) return DROP_GUE_VERSION;
  if (len < GUE_BASE_HLEN + headerLen(base) * 4) return DROP_GUE_SHORT;
  return isControl(base) ? gueControl(ctx, v, gue, base) : gueData(ctx, skb, v, gue, base, len);
}

// Fields of a GUE base header as a word: version 2 bits, C 1, Hlen 5, protocol or control type 8, flags 16.
const version = (base: number): number => base >>> 30;
const isControl = (base: number): boolean => (base & 0x20000000) !== 0;
const headerLen = (base: number): number => (base >>> 24) & 0x1f;
const protocol = (base: number): number => (base >>> 16) & 0xff;
const flags = (base: number): number => base & 0xffff;

/** A ping: sets the remote endpoint of the service's tunnel to where it came from. */
function gueControl(ctx: HookContext, v: DataView, gue: number, base: number): number {
  const hlen = headerLen(base);
  if (hlen !== GUE_HLEN_DATA && hlen !== GUE_HLEN_PING) return DROP_CTRL_HLEN;
  if (protocol(base) !== GUE_CTYPE_PING) return DROP_CTRL_TYPE;
  if (flags(base) !== GUE_FLAGS) return DROP_CTRL_FLAGS;
  const verify = findVerify(ctx, v, gue);
  if (verify < 0) return DROP_NO_SERVICE;
  if (!keyMatches(ctx, verify, v, gue)) return DROP_WRONG_KEY;
  // Without a tunnel id of its own, the ping names tunnel group << 16 | service: the word that GUE_GROUP starts.
  const id = v.getInt32(gue + (hlen === GUE_HLEN_PING ? GUE_TUNNEL_ID : GUE_GROUP));
  if (id !== verifyTunnel(ctx, verify)) return DROP_PING_TUNNEL;
  const e = ctx.tunnels.find1(id);
  if (e < 0) return DROP_PING_NO_TUNNEL;
  const p = ctx.packet;
  const remote = ctx.tunnels.valueOffset(e) + TUNNEL_REMOTE;
  ctx.tunnels.view.setInt32(remote, p.saddr);
  ctx.tunnels.view.setInt32(remote + 4, portWord(p.sport, IPPROTO_UDP));
  return PING_CONSUMED;
}

/** A data packet: verifies it, strips the outer headers, learns the session. `len` is the UDP payload's. */
function gueData(ctx: HookContext, skb: Skb, v: DataView, gue: number, base: number, len: number): number {
  const hlen = headerLen(base);
  if (hlen === GUE_HLEN_PLAIN) return PASS_GUE_PLAIN;
  if (hlen !== GUE_HLEN_DATA) return DROP_DATA_HLEN;
  if (protocol(base) !== GUE_PROTO_IPV4) return DROP_DATA_PROTO;
  if (flags(base) !== GUE_FLAGS) return DROP_DATA_FLAGS;
  const verify = findVerify(ctx, v, gue);
  if (verify < 0) return DROP_NO_SERVICE;
  if (!keyMatches(ctx, verify, v, gue)) return DROP_WRONG_KEY;

  const room = len - GUE_DATA_HLEN;
  if (room < IPV4_HLEN) return DROP_INNER_SHORT;
  const inner = gue + GUE_DATA_HLEN;
  const versionIhl = v.getUint8(inner);
  if (versionIhl >>> 4 !== 4) return DROP_INNER_VERSION;
  const innerHlen = (versionIhl & 0xf) * 4;
  if (innerHlen < IPV4_HLEN) return DROP_INNER_IHL;
  const totLen = v.getUint16(inner + IPV4_TOT_LEN);
  if (totLen < innerHlen || totLen > room) return DROP_INNER_TOTLEN;

  if ((ctx.tx & TX_PROXY) === 0) learnSession(ctx, v, inner, gue + GUE_GROUP, verify);
  stripOuter(skb, v, inner);
  return (ctx.rx & RX_FWD) !== 0 && forward(ctx, skb, v, inner) ? REDIRECT_DECAP : PASS_DECAP;
}

/** VERIFY's entry for the group and service of a GUE header, or -1. */
function findVerify(ctx: HookContext, v: DataView, gue: number): number {
  const id = v.getInt32(gue + GUE_GROUP);
  const e = ctx.verify.find1(id);
  if (e >= 0) {
    ctx.last.tunnel = verifyTunnel(ctx, e) >>> 0;
    ctx.last.group = id >>> 16;
    ctx.last.service = id & 0xffff;
  }
  return e;
}

/** Tunnel id of a VERIFY entry as a signed word. */
function verifyTunnel(ctx: HookContext, verify: number): number {
  return ctx.verify.view.getInt32(ctx.verify.valueOffset(verify) + VERIFY_TUNNEL, true);
}

function keyMatches(ctx: HookContext, verify: number, v: DataView, gue: number): boolean {
  const values = ctx.verify.view;
  const off = ctx.verify.valueOffset(verify) + VERIFY_KEY;
  const key = gue + GUE_KEY;
  // The whole key is looked at whatever it holds: a compare that stops early tells by its time how much was right.
  return (
    ((values.getInt32(off) ^ v.getInt32(key)) |
      (values.getInt32(off + 4) ^ v.getInt32(key + 4)) |
      (values.getInt32(off + 8) ^ v.getInt32(key + 8)) |
      (values.getInt32(off + 12) ^ v.getInt32(key + 12))) ===
    0
  );
}

/** Removes what lies between the MAC header and the inner packet; what follows the inner packet stays. */
function stripOuter(skb: Skb, v: DataView, inner: number): void {
  const to = inner - ETH_HLEN;
  moveMacHeader(v, skb.head, to);
  skb.head = to;
}

/** Finds the inner packet's next hop; false leaves it to the stack. Ports are 0 where it has none to go by. */
function forward(ctx: HookContext, skb: Skb, v: DataView, ip: number): boolean {
  const proto = trackableProto(v, ip);
  const l4 = ip + (v.getUint8(ip) & 0xf) * 4;
  const sport = proto === 0 ? 0 : v.getUint16(l4);
  const dport = proto === 0 ? 0 : v.getUint16(l4 + 2);
  const saddr = v.getInt32(ip + IPV4_SADDR);
  const daddr = v.getInt32(ip + IPV4_DADDR);
  if (!setMacsByFib(ctx, skb, saddr, daddr, sport, dport, v.getUint8(ip + IPV4_PROTO))) return false;
  ctx.last.redirectIfindex = ctx.fibParams.ifindex;
  return true;
}
