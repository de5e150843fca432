/**
 * TCP header and options (RFC 9293; window scale and timestamps RFC 7323; SACK RFC 2018).
 *
 *    0                   1                   2                   3
 *   +-------------------------------+-------------------------------+
 *   |          source port          |       destination port        |
 *   +-------------------------------+-------------------------------+
 *   |                        sequence number                        |
 *   +---------------------------------------------------------------+
 *   |                    acknowledgment number                      |
 *   +-------+-------+---------------+-------------------------------+
 *   |  doff |  rsvd |CEUAPRSF flags |            window             |
 *   +-------+-------+---------------+-------------------------------+
 *   |            checksum           |        urgent pointer         |
 *   +-------------------------------+-------------------------------+
 *   |                    options (doff > 5) ...                     |
 */
import { rd16, rd32 } from "./bytes.ts";

export const TCP_HLEN = 20;
export const TCP_FIN = 0x01;
export const TCP_SYN = 0x02;
export const TCP_RST = 0x04;
export const TCP_PSH = 0x08;
export const TCP_ACK = 0x10;
export const TCP_URG = 0x20;
/** Names of the flags, from bit 0 on (RFC 9293 section 3.1). */
export const TCP_FLAG_NAMES: readonly string[] = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];

/** Byte offsets within the header. */
export const TCP_SPORT = 0;
export const TCP_DPORT = 2;
export const TCP_SEQ = 4;
export const TCP_ACKNO = 8;
export const TCP_DOFF = 12;
export const TCP_FLAGS = 13;
export const TCP_WINDOW = 14;
export const TCP_CHECK = 16;
export const TCP_URGPTR = 18;

/** Option kinds. */
export const TCPOPT_EOL = 0;
export const TCPOPT_NOP = 1;
export const TCPOPT_MSS = 2;
export const TCPOPT_WINDOW = 3;
export const TCPOPT_SACK_PERM = 4;
export const TCPOPT_SACK = 5;
export const TCPOPT_TIMESTAMP = 8;

export const tcpSport = (pkt: Uint8Array, off: number): number => rd16(pkt, off + TCP_SPORT);
export const tcpDport = (pkt: Uint8Array, off: number): number => rd16(pkt, off + TCP_DPORT);
export const tcpSeq = (pkt: Uint8Array, off: number): number => rd32(pkt, off + TCP_SEQ);
export const tcpAckno = (pkt: Uint8Array, off: number): number => rd32(pkt, off + TCP_ACKNO);
/** Header length in bytes (data offset * 4). */
export const tcpHlen = (pkt: Uint8Array, off: number): number => (pkt[off + TCP_DOFF] >>> 4) * 4;
export const tcpFlags = (pkt: Uint8Array, off: number): number => pkt[off + TCP_FLAGS];
/** The window field as it stands, not scaled. */
export const tcpWindow = (pkt: Uint8Array, off: number): number => rd16(pkt, off + TCP_WINDOW);
export const tcpChecksum = (pkt: Uint8Array, off: number): number => rd16(pkt, off + TCP_CHECK);

/** True when the fixed header and the options its data offset promises lie in [off, end). */
export function tcpCheck(pkt: Uint8Array, off: number, end: number): boolean {
  if (end > pkt.length || end - off < TCP_HLEN) return false;
  const hlen = tcpHlen(pkt, off);
  return hlen >= TCP_HLEN && off + hlen <= end;
}

/** True when `a` lies before `b` in sequence space (RFC 9293 section 3.4); timestamps compare so too (RFC 7323 section 5.2). */
export const seqLt = (a: number, b: number): boolean => ((a - b) | 0) < 0;
/** Signed distance from `b` to `a` in sequence space. */
export const seqDiff = (a: number, b: number): number => (a - b) | 0;

/** Offset of option `kind` inside the header at `off`, or -1. Stops at end-of-list and at a malformed length. */
export function tcpFindOption(pkt: Uint8Array, off: number, kind: number): number {
  const end = off + tcpHlen(pkt, off);
  let o = off + TCP_HLEN;
  while (o < end) {
    const k = pkt[o];
    if (k === TCPOPT_EOL) return -1;
    if (k === TCPOPT_NOP) {
      o++;
      continue;
    }
    if (o + 1 >= end) return -1;
    const len = pkt[o + 1];
    if (len < 2 || o + len > end) return -1;
    if (k === kind) return o;
    o += len;
  }
  return -1;
}
