/**
 * Sessions of a node (SPEC section 4, "Session learning"): {client, backend} -> the tunnel and service by which the client's
 * latest packet came, so that the reply goes back the same way. Twin of bpf/include/session.h.
 */
import { REASON } from "../tables/reasons.ts";
import { sessionEntry, verifyEntry } from "../tables/schema.ts";
import { GUE_KEY_LEN } from "../wire/gue.ts";
import {
  IP_MF,
  IP_OFFMASK,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPV4_DADDR,
  IPV4_FRAG_OFF,
  IPV4_PROTO,
  IPV4_SADDR,
  IPV4_TOT_LEN,
} from "../wire/ipv4.ts";
import { TCP_HLEN } from "../wire/tcp.ts";
import { UDP_HLEN } from "../wire/udp.ts";
import { count, type HookContext } from "./context.ts";
import { portWord } from "./parse.ts";

const { SESSION_LEARNED, SESSION_UNTRACKED } = REASON;
const ID = sessionEntry.offset("id");
const KEY = sessionEntry.offset("key");
const PROXY = sessionEntry.offset("proxy");
const EPOCH = sessionEntry.offset("epoch");
const VERIFY_TUNNEL = verifyEntry.offset("tunnel");
const VERIFY_PROXY = verifyEntry.offset("proxy");

/** L4 protocol of the IPv4 packet at `ip` if it has ports to go by: not a fragment, its L4 header complete; else 0. */
export function trackableProto(v: DataView, ip: number): number {
  if ((v.getUint16(ip + IPV4_FRAG_OFF) & (IP_MF | IP_OFFMASK)) !== 0) return 0;
  const l4Len = v.getUint16(ip + IPV4_TOT_LEN) - (v.getUint8(ip) & 0xf) * 4;
  const proto = v.getUint8(ip + IPV4_PROTO);
  if (proto === IPPROTO_TCP) return l4Len >= TCP_HLEN ? proto : 0;
  if (proto === IPPROTO_UDP) return l4Len >= UDP_HLEN ? proto : 0;
  return 0;
}

/**
 * Learns or refreshes the session of the inner packet at `ip`, whose GUE header's identifier stands at `id`; `verify` is
 * the service's entry.
 */
export function learnSession(ctx: HookContext, v: DataView, ip: number, id: number, verify: number): void {
  const proto = trackableProto(v, ip);
  if (proto === 0) {
    count(ctx, SESSION_UNTRACKED);
    return;
  }
  const l4 = ip + (v.getUint8(ip) & 0xf) * 4;
  const e = ctx.sessions.upsert(
    v.getInt32(ip + IPV4_SADDR),
    portWord(v.getUint16(l4), proto),
    v.getInt32(ip + IPV4_DADDR),
    portWord(v.getUint16(l4 + 2), proto),
  );
  const to = ctx.sessions.view;
  const off = ctx.sessions.valueOffset(e);
  const from = ctx.verify.view;
  const service = ctx.verify.valueOffset(verify);
  to.setInt32(off, from.getInt32(service + VERIFY_TUNNEL, true), true);
  to.setInt32(off + ID, v.getInt32(id));
  for (let i = 0; i < GUE_KEY_LEN; i += 4) to.setInt32(off + KEY + i, from.getInt32(service + i));
  to.setInt32(off + PROXY, from.getInt32(service + VERIFY_PROXY));
  to.setInt32(off + PROXY + 4, from.getInt32(service + VERIFY_PROXY + 4));
  to.setInt32(off + EPOCH, ctx.epoch.view.getInt32(0, true), true);
  count(ctx, SESSION_LEARNED);
}

/** Entry of the session that a packet of the backend belongs to, its last_seen set to now; -1 when there is none. */
export function findSession(ctx: HookContext): number {
  const p = ctx.packet;
  const s = ctx.sessions;
  const e = s.find4(p.daddr, portWord(p.dport, p.proto), p.saddr, portWord(p.sport, p.proto));
  if (e >= 0) s.view.setInt32(s.valueOffset(e) + EPOCH, ctx.epoch.view.getInt32(0, true), true);
  return e;
}
