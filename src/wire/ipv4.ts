/**
 * IPv4 (RFC 791).
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-------+-------+---------------+-------------------------------+
 *   |version|  IHL  |type of service|          total length         |
 *   +-------+-------+---------------+-----+-------------------------+
 *   |         identification        |flags|     fragment offset     |
 *   +---------------+---------------+-----+-------------------------+
 *   |      TTL      |    protocol   |        header checksum        |
 *   +---------------+---------------+-------------------------------+
 *   |                         source address                        |
 *   +---------------------------------------------------------------+
 *   |                      destination address                      |
 *   +---------------------------------------------------------------+
 *   |                    options (IHL > 5) ...                      |
 */
import { rd16, rd32, wr16, wr32 } from "./bytes.ts";
import { inetChecksum } from "./checksum.ts";

export const IPV4_HLEN = 20;
export const IPPROTO_ICMP = 1;
export const IPPROTO_IPIP = 4;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
/** Flags and offset word: reserved, don't fragment, more fragments, offset in units of 8 bytes. */
export const IP_RF = 0x8000;
export const IP_DF = 0x4000;
export const IP_MF = 0x2000;
export const IP_OFFMASK = 0x1fff;

/** Byte offsets within the header. */
export const IPV4_TOS = 1;
export const IPV4_TOT_LEN = 2;
export const IPV4_ID = 4;
export const IPV4_FRAG_OFF = 6;
export const IPV4_TTL = 8;
export const IPV4_PROTO = 9;
export const IPV4_CHECK = 10;
export const IPV4_SADDR = 12;
export const IPV4_DADDR = 16;

export const ipVersion = (pkt: Uint8Array, off: number): number => pkt[off] >>> 4;
/** Header length in bytes (IHL * 4), 20 to 60 in a legal packet. */
export const ipHlen = (pkt: Uint8Array, off: number): number => (pkt[off] & 0xf) * 4;
export const ipTos = (pkt: Uint8Array, off: number): number => pkt[off + IPV4_TOS];
/** Total length in bytes, header included. */
export const ipTotLen = (pkt: Uint8Array, off: number): number => rd16(pkt, off + IPV4_TOT_LEN);
export const ipId = (pkt: Uint8Array, off: number): number => rd16(pkt, off + IPV4_ID);
/** Flags and fragment offset as one 16-bit word. */
export const ipFragOff = (pkt: Uint8Array, off: number): number => rd16(pkt, off + IPV4_FRAG_OFF);
export const ipTtl = (pkt: Uint8Array, off: number): number => pkt[off + IPV4_TTL];
export const ipProto = (pkt: Uint8Array, off: number): number => pkt[off + IPV4_PROTO];
export const ipCheck = (pkt: Uint8Array, off: number): number => rd16(pkt, off + IPV4_CHECK);
export const ipSaddr = (pkt: Uint8Array, off: number): number => rd32(pkt, off + IPV4_SADDR);
export const ipDaddr = (pkt: Uint8Array, off: number): number => rd32(pkt, off + IPV4_DADDR);
export const setIpCheck = (pkt: Uint8Array, off: number, v: number): void => wr16(pkt, off + IPV4_CHECK, v);
/** True for every fragment, the first included: MF set or offset above zero. */
export const ipIsFragment = (pkt: Uint8Array, off: number): boolean =>
  (ipFragOff(pkt, off) & (IP_MF | IP_OFFMASK)) !== 0;

/**
 * True when [off, end) holds version 4, a whole header (IHL >= 5), and a total length between the header and `end`.
 * The getters, and the bytes up to `off + ipTotLen()`, are safe only after this. The checksum is not looked at.
 */
export function ipv4Check(pkt: Uint8Array, off: number, end: number): boolean {
  if (end > pkt.length || end - off < IPV4_HLEN || pkt[off] >>> 4 !== 4) return false;
  const hlen = ipHlen(pkt, off);
  const tot = ipTotLen(pkt, off);
  return hlen >= IPV4_HLEN && tot >= hlen && off + tot <= end;
}

/** Computes and stores the header checksum. */
export function ipSendCheck(pkt: Uint8Array, off: number): void {
  wr16(pkt, off + IPV4_CHECK, 0);
  wr16(pkt, off + IPV4_CHECK, inetChecksum(pkt, off, ipHlen(pkt, off)));
}

/** Dotted quad of a host-order address. */
export function formatIpv4(addr: number): string {
  return `${addr >>> 24}.${(addr >>> 16) & 255}.${(addr >>> 8) & 255}.${addr & 255}`;
}

/** Host-order address of a dotted quad of four decimal numbers without leading zeros; undefined when it is not one. */
export function parseIpv4(text: string): number | undefined {
  const m = /^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$/.exec(text);
  if (!m) return undefined;
  let addr = 0;
  for (let i = 1; i <= 4; i++) {
    const part = Number(m[i]);
    if (part > 255) return undefined;
    addr = addr * 256 + part;
  }
  return addr;
}

/** Writes an IPv4 header without options and its checksum. Fields in host order; `fragOff` is the whole 16-bit word. */
export function writeIpv4(
  pkt: Uint8Array,
  off: number,
  totLen: number,
  id: number,
  fragOff: number,
  ttl: number,
  proto: number,
  saddr: number,
  daddr: number,
  tos = 0,
): void {
  pkt[off] = 0x45;
  pkt[off + IPV4_TOS] = tos;
  wr16(pkt, off + IPV4_TOT_LEN, totLen);
  wr16(pkt, off + IPV4_ID, id);
  wr16(pkt, off + IPV4_FRAG_OFF, fragOff);
  pkt[off + IPV4_TTL] = ttl;
  pkt[off + IPV4_PROTO] = proto;
  wr32(pkt, off + IPV4_SADDR, saddr);
  wr32(pkt, off + IPV4_DADDR, daddr);
  ipSendCheck(pkt, off);
}
