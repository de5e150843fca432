/**
 * GUE, Generic UDP Encapsulation (draft-ietf-intarea-gue-09 section 3; G and SEC fields: draft-ietf-intarea-gue-extensions).
 * This is the dialect of True Ingress: a group identifier and a 128-bit security field.
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +---+-+---------+---------------+-------------------------------+
 *   |ver|C|  Hlen   | proto / ctype |             flags             |
 *   +---+-+---------+---------------+-------------------------------+
 *   |            group id           |          service id           |
 *   +-------------------------------+-------------------------------+
 *   |                     security field (key)                      |
 *   |                          16 bytes ...                         |
 *   +---------------------------------------------------------------+
 *   |             tunnel id (control packets, Hlen 6)               |
 *   +---------------------------------------------------------------+
 *
 * Hlen counts 32-bit words behind the first.
 */
import { rd16, rd32, wr16, wr32 } from "./bytes.ts";

export const GUE_BASE_HLEN = 4;
/** Data header of this dialect: base, group identifier, security field. */
export const GUE_DATA_HLEN = 24;
/** Outer IPv4 + UDP + GUE data header: what encap prepends. */
export const GUE_OVERHEAD = 52;
/** Hlen values, in words. */
export const GUE_HLEN_PLAIN = 0;
export const GUE_HLEN_DATA = 5;
export const GUE_HLEN_PING = 6;
export const GUE_PROTO_IPV4 = 4;
export const GUE_CTYPE_PING = 1;
/** G (group identifier present) and SEC = 2 (128-bit security field). */
export const GUE_FLAGS = 0xa000;
export const GUE_KEY_LEN = 16;
/** Registered UDP port (IANA "gue"). */
export const GUE_PORT = 6080;

/** Byte offsets within the header. */
export const GUE_FLAGS_OFF = 2;
export const GUE_GROUP = 4;
export const GUE_SERVICE = 6;
export const GUE_KEY = 8;
export const GUE_TUNNEL_ID = 24;

export const gueVersion = (pkt: Uint8Array, off: number): number => pkt[off] >>> 6;
/** The C bit: a control message. */
export const gueIsControl = (pkt: Uint8Array, off: number): boolean => (pkt[off] & 0x20) !== 0;
/** Words behind the base header. */
export const gueHlen = (pkt: Uint8Array, off: number): number => pkt[off] & 0x1f;
/** IP protocol of a data message, control type of a control message. */
export const gueProto = (pkt: Uint8Array, off: number): number => pkt[off + 1];
export const gueFlags = (pkt: Uint8Array, off: number): number => rd16(pkt, off + GUE_FLAGS_OFF);
export const gueGroup = (pkt: Uint8Array, off: number): number => rd16(pkt, off + GUE_GROUP);
export const gueService = (pkt: Uint8Array, off: number): number => rd16(pkt, off + GUE_SERVICE);
export const gueTunnelId = (pkt: Uint8Array, off: number): number => rd32(pkt, off + GUE_TUNNEL_ID);
/** The older ping carries no tunnel id: it is made of group and service. */
export const gueDefaultTunnelId = (group: number, service: number): number => ((group << 16) | service) >>> 0;

/** True when [off, end) holds the base header and all words its Hlen promises. */
export function gueCheck(pkt: Uint8Array, off: number, end: number): boolean {
  if (end > pkt.length || end - off < GUE_BASE_HLEN) return false;
  return off + GUE_BASE_HLEN + gueHlen(pkt, off) * 4 <= end;
}

/** Writes a data header: `05 04 a0 00`, group, service, key. */
export function writeGueData(pkt: Uint8Array, off: number, group: number, service: number, key: Uint8Array): void {
  wr32(pkt, off, 0x0504a000);
  wr16(pkt, off + GUE_GROUP, group);
  wr16(pkt, off + GUE_SERVICE, service);
  pkt.set(key.subarray(0, GUE_KEY_LEN), off + GUE_KEY);
}

/** Bytes of a GUE ping with its tunnel id. */
export const GUE_PING_LEN = 28;

/** Writes a GUE ping: `26 01 a0 00`, group, service, key, tunnel id. */
export function writeGuePing(
  pkt: Uint8Array,
  off: number,
  group: number,
  service: number,
  key: Uint8Array,
  tunnelId: number,
): void {
  wr32(pkt, off, 0x2601a000);
  wr16(pkt, off + GUE_GROUP, group);
  wr16(pkt, off + GUE_SERVICE, service);
  pkt.set(key.subarray(0, GUE_KEY_LEN), off + GUE_KEY);
  wr32(pkt, off + GUE_TUNNEL_ID, tunnelId);
}
