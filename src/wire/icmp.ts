/**
 * ICMP (RFC 792; next-hop MTU of "fragmentation needed": RFC 1191).
 *
 *    0                   1                   2                   3
 *   +---------------+---------------+-------------------------------+
 *   |      type     |      code     |            checksum           |
 *   +---------------+---------------+-------------------------------+
 *   | echo: identifier, sequence · frag needed: unused, next-hop MTU|
 *   +-------------------------------+-------------------------------+
 *   | echo: data · errors: the quoted IPv4 header and 8 bytes or more
 */
import { rd16, wr16 } from "./bytes.ts";
import { inetChecksum } from "./checksum.ts";

export const ICMP_HLEN = 8;
export const ICMP_ECHOREPLY = 0;
export const ICMP_DEST_UNREACH = 3;
export const ICMP_REDIRECT = 5;
export const ICMP_ECHO = 8;
export const ICMP_TIME_EXCEEDED = 11;
export const ICMP_PARAMETERPROB = 12;
/** Codes of ICMP_DEST_UNREACH. */
export const ICMP_NET_UNREACH = 0;
export const ICMP_HOST_UNREACH = 1;
export const ICMP_PROT_UNREACH = 2;
export const ICMP_PORT_UNREACH = 3;
export const ICMP_FRAG_NEEDED = 4;
/** Codes of ICMP_TIME_EXCEEDED. */
export const ICMP_EXC_TTL = 0;
export const ICMP_EXC_FRAGTIME = 1;

export const ICMP_CHECK = 2;
export const ICMP_ID = 4;
export const ICMP_SEQ = 6;
export const ICMP_MTU = 6;

/** True when a whole ICMP header lies in [off, end). */
export function icmpCheck(pkt: Uint8Array, off: number, end: number): boolean {
  return end <= pkt.length && end - off >= ICMP_HLEN;
}
export const icmpType = (pkt: Uint8Array, off: number): number => pkt[off];
export const icmpCode = (pkt: Uint8Array, off: number): number => pkt[off + 1];
export const icmpChecksum = (pkt: Uint8Array, off: number): number => rd16(pkt, off + ICMP_CHECK);
/** Echo identifier; for the NAT it plays the part of a port. */
export const icmpId = (pkt: Uint8Array, off: number): number => rd16(pkt, off + ICMP_ID);
export const icmpSeq = (pkt: Uint8Array, off: number): number => rd16(pkt, off + ICMP_SEQ);
/** Next-hop MTU of "fragmentation needed", bytes. */
export const icmpMtu = (pkt: Uint8Array, off: number): number => rd16(pkt, off + ICMP_MTU);
/** Errors quote a packet; queries do not (RFC 1122 3.2.2). */
export const icmpIsError = (type: number): boolean =>
  type === ICMP_DEST_UNREACH || type === ICMP_TIME_EXCEEDED || type === ICMP_PARAMETERPROB || type === 4 || type === 5;

/** Computes and stores the checksum over `len` bytes from the header on. */
export function icmpSendCheck(pkt: Uint8Array, off: number, len: number): void {
  wr16(pkt, off + ICMP_CHECK, 0);
  wr16(pkt, off + ICMP_CHECK, inetChecksum(pkt, off, len));
}
