/**
 * Sessions of a node (SPEC section 4, "Session learning"): {client, backend} -> the tunnel and service by which the client's
 * latest packet came, so that the reply goes back the same way. Twin of bpf/include/session.h.
 */
import { REASON } from "../tables/reasons.ts";
import { sessionEntry, verifyEntry } from "../tables/schema.ts";
import { rd16 } from "../wire/bytes.ts";
import {
  IP_MF,
  IP_OFFMASK,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPV4_DADDR,
  IPV4_FRAG_OFF,
  IPV4_PROTO,
  IPV4_SADDR,
  ipHlen,
  ipTotLen,
} from "../wire/ipv4.ts";
import { TCP_HLEN } from "../wire/tcp.ts";
import { UDP_HLEN } from "../wire/udp.ts";
import { count, type HookContext } from "./context.ts";
import { portWord, rdWord } from "./parse.ts";

const { SESSION_LEARNED, SESSION_UNTRACKED } = REASON;
const ID = sessionEntry.offset("id");
const KEY = sessionEntry.offset("key");
const PROXY = sessionEntry.offset("proxy");
const EPOCH32 = sessionEntry.offset("epoch") / 4;
const VERIFY_TUNNEL32 = verifyEntry.offset("tunnel") / 4;
const VERIFY_PROXY = verifyEntry.offset("proxy");

/** L4 protocol of the IPv4 packet at `ip` if it has ports to go by: not a fragment, its L4 header complete; else 0. */
export function trackableProto(b: Uint8Array, ip: number): number {
  if ((rd16(b, ip + IPV4_FRAG_OFF) & (IP_MF | IP_OFFMASK)) !== 0) return 0;
  const l4Len = ipTotLen(b, ip) - ipHlen(b, ip);
  const proto = b[ip + IPV4_PROTO];
  if (proto === IPPROTO_TCP) return l4Len >= TCP_HLEN ? proto : 0;
  if (proto === IPPROTO_UDP) return l4Len >= UDP_HLEN ? proto : 0;
  return 0;
}

/**
 * Learns or refreshes the session of the inner packet at `ip`, whose GUE header's identifier stands at `id`; `verify` is
 * the service's entry. `proto` is what `trackableProto` said.
 */
export function learnSession(
  ctx: HookContext,
  b: Uint8Array,
  ip: number,
  proto: number,
  id: number,
  verify: number,
): void {
  if (proto === 0) {
    count(ctx, SESSION_UNTRACKED);
    return;
  }
  const l4 = ip + ipHlen(b, ip);
  const s = ctx.sessions;
  const e = s.upsert(
    rdWord(b, ip + IPV4_SADDR),
    portWord(rd16(b, l4), proto),
    rdWord(b, ip + IPV4_DADDR),
    portWord(rd16(b, l4 + 2), proto),
  );
  const off = s.valueOffset(e);
  const off32 = off / 4;
  const v = ctx.verify;
  const from = v.valueOffset(verify);
  s.values32[off32] = v.values32[from / 4 + VERIFY_TUNNEL32];
  for (let i = 0; i < KEY - ID; i++) s.values[off + ID + i] = b[id + i];
  for (let i = 0; i < 16; i++) s.values[off + KEY + i] = v.values[from + i];
  for (let i = 0; i < 8; i++) s.values[off + PROXY + i] = v.values[from + VERIFY_PROXY + i];
  s.values32[off32 + EPOCH32] = ctx.epoch.values32[0];
  count(ctx, SESSION_LEARNED);
}

/** Entry of the session that a packet of the backend belongs to, its last_seen set to now; -1 when there is none. */
export function findSession(ctx: HookContext): number {
  const p = ctx.packet;
  const s = ctx.sessions;
  const e = s.find4(p.daddr, portWord(p.dport, p.proto), p.saddr, portWord(p.sport, p.proto));
  if (e >= 0) s.values32[s.valueOffset(e) / 4 + EPOCH32] = ctx.epoch.values32[0];
  return e;
}
