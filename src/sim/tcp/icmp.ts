/** ICMP errors about our segments: path MTU discovery (RFC 1191), hard and soft errors (RFC 1122 section 4.2.3.9). */
import { rd32 } from "../../wire/bytes.ts";
import {
  ICMP_DEST_UNREACH,
  ICMP_FRAG_NEEDED,
  ICMP_HOST_UNREACH,
  ICMP_NET_UNREACH,
  ICMP_PORT_UNREACH,
  ICMP_PROT_UNREACH,
} from "../../wire/icmp.ts";
import { closeTcb } from "./close.ts";
import { tcpOutput } from "./output.ts";
import { syncMss } from "./segment.ts";
import { seqToOffset, TCP_STATE, type Tcb } from "./tcb.ts";
import { markAllLost } from "./timeouts.ts";

/** Takes an error about the segment quoted at `off`, whose connection is `tcb`. */
export function tcpIcmpError(tcb: Tcb, type: number, code: number, buf: Uint8Array, off: number): void {
  // Only an error about something outstanding is believed (RFC 5927 section 4.1).
  const at = seqToOffset(rd32(buf, off + 4), tcb.iss, tcb.sndUna);
  if (at < tcb.sndUna || at > tcb.sndNxt || type !== ICMP_DEST_UNREACH) return;
  const opening = tcb.state === TCP_STATE.SYN_SENT;
  if (code === ICMP_FRAG_NEEDED) {
    if (!opening && syncMss(tcb)) resend(tcb);
  } else if (code === ICMP_PORT_UNREACH || code === ICMP_PROT_UNREACH) {
    if (opening) closeTcb(tcb, "ECONNREFUSED");
  } else if (code === ICMP_HOST_UNREACH || code === ICMP_NET_UNREACH) {
    tcb.softError = code === ICMP_NET_UNREACH ? "ENETUNREACH" : "EHOSTUNREACH";
  }
}

/** Segments shrank: what was too big is lost without congestion, and goes again at once with the window it had. */
function resend(tcb: Tcb): void {
  if (tcb.sndNxt === tcb.sndUna) return;
  markAllLost(tcb);
  tcb.rttEnd = -1;
  tcpOutput(tcb);
}
