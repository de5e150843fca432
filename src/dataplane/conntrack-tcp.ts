/**
 * TCP's part of connection tracking: the state table of net/netfilter/nf_conntrack_proto_tcp.c, without its window
 * tracking (as with nf_conntrack_tcp_be_liberal: a segment's sequence numbers are not looked at).
 */
import { TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN, TCP_URG } from "../wire/tcp.ts";

export const TCP_CONNTRACK_NONE = 0;
export const TCP_CONNTRACK_SYN_SENT = 1;
export const TCP_CONNTRACK_SYN_RECV = 2;
export const TCP_CONNTRACK_ESTABLISHED = 3;
export const TCP_CONNTRACK_FIN_WAIT = 4;
export const TCP_CONNTRACK_CLOSE_WAIT = 5;
export const TCP_CONNTRACK_LAST_ACK = 6;
export const TCP_CONNTRACK_TIME_WAIT = 7;
export const TCP_CONNTRACK_CLOSE = 8;
/** SYN seen in both directions: a simultaneous open. */
export const TCP_CONNTRACK_SYN_SENT2 = 9;
/** Results that are no states: the segment is no part of the connection / it passes without a change. */
export const TCP_CONNTRACK_INVALID = 10;
export const TCP_CONNTRACK_IGNORE = 11;

/** Names by state, as `conntrack -L` prints them. */
export const TCP_STATE_NAMES = [
  "NONE",
  "SYN_SENT",
  "SYN_RECV",
  "ESTABLISHED",
  "FIN_WAIT",
  "CLOSE_WAIT",
  "LAST_ACK",
  "TIME_WAIT",
  "CLOSE",
  "SYN_SENT2",
] as const;

const SS = TCP_CONNTRACK_SYN_SENT;
const SR = TCP_CONNTRACK_SYN_RECV;
const ES = TCP_CONNTRACK_ESTABLISHED;
const FW = TCP_CONNTRACK_FIN_WAIT;
const CW = TCP_CONNTRACK_CLOSE_WAIT;
const LA = TCP_CONNTRACK_LAST_ACK;
const TW = TCP_CONNTRACK_TIME_WAIT;
const CL = TCP_CONNTRACK_CLOSE;
const S2 = TCP_CONNTRACK_SYN_SENT2;
const IV = TCP_CONNTRACK_INVALID;
const IG = TCP_CONNTRACK_IGNORE;

/** Rows: what the segment is. Columns: the old state, in the order of the constants. */
const ORIGINAL = [
  /*          no, SS, SR, ES, FW, CW, LA, TW, CL, S2 */
  /* syn */ [SS, SS, IG, IG, IG, IG, IG, SS, SS, S2],
  /* synack */ [IV, IV, SR, IV, IV, IV, IV, IV, IV, SR],
  /* fin */ [IV, IV, FW, FW, LA, LA, LA, TW, CL, IV],
  /* ack */ [ES, IV, ES, ES, CW, CW, TW, TW, CL, IV],
  /* rst */ [IV, CL, CL, CL, CL, CL, CL, CL, CL, CL],
  /* none */ [IV, IV, IV, IV, IV, IV, IV, IV, IV, IV],
];
const REPLY = [
  /* syn */ [IV, S2, IV, IV, IV, IV, IV, SS, IV, S2],
  /* synack */ [IV, SR, IG, IG, IG, IG, IG, IG, IG, SR],
  /* fin */ [IV, IV, FW, FW, LA, LA, LA, TW, CL, IV],
  /* ack */ [IV, IG, SR, ES, CW, CW, TW, TW, CL, IG],
  /* rst */ [IV, CL, CL, CL, CL, CL, CL, CL, CL, CL],
  /* none */ [IV, IV, IV, IV, IV, IV, IV, IV, IV, IV],
];
const STATES = 10;
const KINDS = 6;
const TRANSITIONS = Uint8Array.from([ORIGINAL, REPLY].flat(2));

/** What a segment is to the table. */
const SYN_SET = 0;
const SYNACK_SET = 1;
const FIN_SET = 2;
const ACK_SET = 3;
const RST_SET = 4;
const NONE_SET = 5;

function kindOf(flags: number): number {
  if (flags & TCP_RST) return RST_SET;
  if (flags & TCP_SYN) return flags & TCP_ACK ? SYNACK_SET : SYN_SET;
  if (flags & TCP_FIN) return FIN_SET;
  return flags & TCP_ACK ? ACK_SET : NONE_SET;
}

/** The state after a segment with `flags` in direction `dir`, or TCP_CONNTRACK_INVALID, or TCP_CONNTRACK_IGNORE. */
export function tcpNextState(dir: number, flags: number, old: number): number {
  return TRANSITIONS[(dir * KINDS + kindOf(flags)) * STATES + old];
}

/** Flag combinations that a sane sender uses; PSH, ECE and CWR go with any. */
const LEGAL: readonly number[] = [
  TCP_SYN,
  TCP_SYN | TCP_URG,
  TCP_SYN | TCP_ACK,
  TCP_RST,
  TCP_RST | TCP_ACK,
  TCP_FIN | TCP_ACK,
  TCP_FIN | TCP_ACK | TCP_URG,
  TCP_ACK,
  TCP_ACK | TCP_URG,
];
const FLAG_MASK = TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK | TCP_URG;
const LEGAL_FLAGS = Uint8Array.from({ length: 64 }, (_, f) => (LEGAL.includes(f & FLAG_MASK) ? 1 : 0));

/** False for flags that no connection has, such as SYN with FIN (tcp_valid_flags). */
export function tcpFlagsLegal(flags: number): boolean {
  return LEGAL_FLAGS[flags & 0x3f] === 1;
}

/** True when a SYN meets a connection that is over: the entry makes room for a new one. */
export function tcpReopens(old: number, next: number): boolean {
  return next === TCP_CONNTRACK_SYN_SENT && (old === TCP_CONNTRACK_TIME_WAIT || old === TCP_CONNTRACK_CLOSE);
}
