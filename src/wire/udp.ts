/**
 * UDP (RFC 768).
 *
 *    0                   1                   2                   3
 *   +-------------------------------+-------------------------------+
 *   |          source port          |       destination port        |
 *   +-------------------------------+-------------------------------+
 *   |             length            |           checksum            |
 *   +-------------------------------+-------------------------------+
 *
 * A checksum of 0 means "none"; a computed 0 is sent as 0xffff.
 */
import { rd16, wr16 } from "./bytes.ts";
import { csumFold, csumPartial, csumPseudo } from "./checksum.ts";

/** Bytes of a UDP header. */
export const UDP_HLEN = 8;
/** Byte offsets within the header. */
export const UDP_SPORT = 0;
export const UDP_DPORT = 2;
export const UDP_LEN = 4;
export const UDP_CHECK = 6;

/** True when a whole header lies in [off, end) and its length fits; the getters are safe only after this. */
export function udpCheck(pkt: Uint8Array, off: number, end: number): boolean {
  if (end > pkt.length || end - off < UDP_HLEN) return false;
  const len = udpLength(pkt, off);
  return len >= UDP_HLEN && off + len <= end;
}
export const udpSport = (pkt: Uint8Array, off: number): number => rd16(pkt, off + UDP_SPORT);
export const udpDport = (pkt: Uint8Array, off: number): number => rd16(pkt, off + UDP_DPORT);
/** Length of header and payload in bytes. */
export const udpLength = (pkt: Uint8Array, off: number): number => rd16(pkt, off + UDP_LEN);
export const udpChecksum = (pkt: Uint8Array, off: number): number => rd16(pkt, off + UDP_CHECK);

/** Writes a UDP header for `payloadLen` bytes that already stand behind it, with its checksum over the pseudo header. */
export function writeUdp(
  pkt: Uint8Array,
  off: number,
  sport: number,
  dport: number,
  payloadLen: number,
  saddr: number,
  daddr: number,
): void {
  const len = UDP_HLEN + payloadLen;
  wr16(pkt, off + UDP_SPORT, sport);
  wr16(pkt, off + UDP_DPORT, dport);
  wr16(pkt, off + UDP_LEN, len);
  wr16(pkt, off + UDP_CHECK, 0);
  const sum = csumPartial(pkt, off, len, csumPseudo(saddr, daddr, 17, len));
  wr16(pkt, off + UDP_CHECK, ~csumFold(sum) & 0xffff || 0xffff);
}
