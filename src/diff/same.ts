/** Whether a frame of a real box is the one that its twin made. */
import { rd16, wr16 } from "../wire/bytes.ts";
import { csumReplace16 } from "../wire/checksum.ts";
import { ETH_HLEN, ETH_P_IP, ethType } from "../wire/ethernet.ts";
import { GUE_DATA_HLEN, GUE_FLAGS, GUE_HLEN_DATA, gueCheck, gueFlags, gueHlen, gueIsControl } from "../wire/gue.ts";
import { icmpIsError } from "../wire/icmp.ts";
import {
  IP_OFFMASK,
  IPPROTO_ICMP,
  IPPROTO_UDP,
  IPV4_CHECK,
  IPV4_HLEN,
  IPV4_ID,
  ipDaddr,
  ipFragOff,
  ipHlen,
  ipProto,
  ipSaddr,
  ipv4Check,
} from "../wire/ipv4.ts";
import { UDP_HLEN } from "../wire/udp.ts";

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export const isIpv4 = (frame: Uint8Array): boolean =>
  frame.length >= ETH_HLEN && ethType(frame, 0) === ETH_P_IP && ipv4Check(frame, ETH_HLEN, frame.length);

/** RFC 3376. */
const IPPROTO_IGMP = 2;
export const isIgmp = (frame: Uint8Array): boolean => isIpv4(frame) && ipProto(frame, ETH_HLEN) === IPPROTO_IGMP;

/** Where the packet in a tunnel of this dialect begins; 0 where there is none. `at`: of the outer IPv4 header. */
export function innerOffset(b: Uint8Array, at: number): number {
  const gue = at + IPV4_HLEN + UDP_HLEN;
  if (ipProto(b, at) !== IPPROTO_UDP || ipHlen(b, at) !== IPV4_HLEN || (ipFragOff(b, at) & IP_OFFMASK) !== 0) return 0;
  if (!gueCheck(b, gue, b.length) || gueIsControl(b, gue)) return 0;
  if (gueHlen(b, gue) !== GUE_HLEN_DATA || gueFlags(b, gue) !== GUE_FLAGS) return 0;
  const inner = gue + GUE_DATA_HLEN;
  return ipv4Check(b, inner, b.length) ? inner : 0;
}

/** Gives the IPv4 header at `at` another ID. */
function setId(b: Uint8Array, at: number, id: number): void {
  wr16(b, at + IPV4_CHECK, csumReplace16(rd16(b, at + IPV4_CHECK), rd16(b, at + IPV4_ID), id));
  wr16(b, at + IPV4_ID, id);
}

/** Equal but for the IP ID, which an outer header has from the inner one. */
export function equalButId(real: Uint8Array, made: Uint8Array): boolean {
  if (real.length !== made.length || !isIpv4(real) || !isIpv4(made)) return false;
  const inner = innerOffset(made, ETH_HLEN);
  const id = rd16(real, (inner || ETH_HLEN) + IPV4_ID);
  const copy = made.slice();
  setId(copy, ETH_HLEN, id);
  if (inner > 0) setId(copy, inner, id);
  return equalBytes(real, copy);
}

/** The innermost IPv4 packet's flow, for what must not overtake one another; the whole MAC header for other frames. */
export function flowOf(frame: Uint8Array): string {
  if (!isIpv4(frame)) return `ethernet ${ethType(frame, 0)}`;
  const at = innerOffset(frame, ETH_HLEN) || ETH_HLEN;
  const ends = `${ipProto(frame, at)} ${ipSaddr(frame, at)} ${ipDaddr(frame, at)}`;
  const l4 = at + ipHlen(frame, at);
  if ((ipFragOff(frame, at) & IP_OFFMASK) !== 0 || l4 + 4 > frame.length) return ends;
  return ipProto(frame, at) === IPPROTO_ICMP ? ends : `${ends} ${rd16(frame, l4)} ${rd16(frame, l4 + 2)}`;
}

/** Type and code of an ICMP error outside of any tunnel; -1 for other frames. */
export function icmpErrorOf(frame: Uint8Array): number {
  if (!isIpv4(frame) || ipProto(frame, ETH_HLEN) !== IPPROTO_ICMP) return -1;
  const at = ETH_HLEN + ipHlen(frame, ETH_HLEN);
  return at + 8 <= frame.length && icmpIsError(frame[at]) ? rd16(frame, at) : -1;
}
