/** ICMP errors about our segments: path MTU discovery (RFC 1191), hard and soft errors (RFC 1122 section 4.2.3.9). */
import { rd32 } from "../../wire/bytes.ts";
import {
  ICMP_DEST_UNREACH,
  ICMP_FRAG_NEEDED,
  ICMP_NET_UNREACH,
  ICMP_PORT_UNREACH,
  ICMP_PROT_UNREACH,
  ICMP_TIME_EXCEEDED,
} from "../../wire/icmp.ts";
import { closeTcb } from "./close.ts";
import { tcpOutput } from "./output.ts";
import { syncMss } from "./segment.ts";
import { seqToOffset, TCP_STATE, type Tcb, type TcpError } from "./tcb.ts";
import { markAllLost } from "./timeouts.ts";

/**
 * Takes an error about the segment quoted at `off`, whose connection is `tcb`. While a connection opens any unreachable
 * ends it (net/ipv4/tcp_ipv4.c tcp_v4_err); once it is open they are soft, and only a timeout does.
 */
export function tcpIcmpError(tcb: Tcb, type: number, code: number, buf: Uint8Array, off: number): void {
  // Only an error about something outstanding is believed (RFC 5927 section 4.1).
  const at = seqToOffset(rd32(buf, off + 4), tcb.iss, tcb.sndUna);
  if (at < tcb.sndUna || at > tcb.sndNxt) return;
  const opening = tcb.state === TCP_STATE.SYN_SENT;
  if (type === ICMP_DEST_UNREACH && code === ICMP_FRAG_NEEDED) {
    if (!opening && syncMss(tcb)) resend(tcb);
    return;
  }
  const error = errorOf(type, code);
  if (error === undefined) return;
  if (opening) closeTcb(tcb, error);
  else tcb.softError = error;
}

/** As Linux' icmp_err_convert has them; protocol unreachable, ENOPROTOOPT there, counts as refused here. */
function errorOf(type: number, code: number): TcpError | undefined {
  if (type === ICMP_TIME_EXCEEDED) return "EHOSTUNREACH";
  if (type !== ICMP_DEST_UNREACH) return undefined;
  if (code === ICMP_PORT_UNREACH || code === ICMP_PROT_UNREACH) return "ECONNREFUSED";
  return code === ICMP_NET_UNREACH ? "ENETUNREACH" : "EHOSTUNREACH";
}

/** Segments shrank: what was too big is lost without congestion, and goes again at once with the window it had. */
function resend(tcb: Tcb): void {
  if (tcb.sndNxt === tcb.sndUna) return;
  markAllLost(tcb);
  tcb.rttEnd = -1;
  tcpOutput(tcb);
}
