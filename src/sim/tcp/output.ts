/**
 * Decides what to send now: retransmissions, new data, FIN, an ACK (RFC 9293 section 3.8.6, RFC 5681, RFC 6675 NextSeg).
 * Nagle's algorithm is off, as in curl and most servers.
 */
import { sendAck, sendSegment, syncMss } from "./segment.ts";
import { RECOVERY, RTX, TCP_STATE, type Tcb } from "./tcb.ts";
import { armDelAck, armRetransmit, armRtx } from "./timers.ts";

/** Largest share of the offered window that a segment below full size may be sent for (RFC 9293 section 3.8.6.2.1). */
const SWS_SHARE = 2;

/** End of what the user queued, FIN included. */
const queuedEnd = (tcb: Tcb): number => tcb.queue.end + (tcb.finQueued ? 1 : 0);

/** Sends all that windows allow, then the ACK that is due. Call after every event. */
export function tcpOutput(tcb: Tcb): void {
  if (canSend(tcb.state)) {
    if (tcb.sndNxt < queuedEnd(tcb) || tcb.recovery !== RECOVERY.NONE) sendWindow(tcb, false);
  }
  if (tcb.ackNow) sendAck(tcb);
  else if (tcb.unackedSegs > 0) armDelAck(tcb);
}

/** Fast retransmit: the first lost segment goes out whatever the congestion window says, then what it allows. */
export function retransmitFirst(tcb: Tcb): void {
  sendWindow(tcb, true);
}

function canSend(state: number): boolean {
  return (
    state === TCP_STATE.ESTABLISHED ||
    state === TCP_STATE.CLOSE_WAIT ||
    state === TCP_STATE.FIN_WAIT_1 ||
    state === TCP_STATE.CLOSING ||
    state === TCP_STATE.LAST_ACK
  );
}

function sendWindow(tcb: Tcb, force: boolean): void {
  const { cc, env, scoreboard } = tcb;
  const now = env.clock.now;
  if (tcb.sndUna === tcb.sndNxt && now - tcb.lastSendNs > tcb.rtt.rto) cc.onIdle(tcb.mss);
  cc.limited = false;
  let pipe = scoreboard.pipe(tcb.sndUna, tcb.sndNxt);
  for (;;) {
    const lost = tcb.recovery === RECOVERY.NONE ? -1 : nextLost(tcb);
    if (lost >= 0) {
      if (!force && pipe > 0 && pipe + tcb.mss > cc.cwnd) {
        cc.limited = true;
        break;
      }
      const n = retransmit(tcb, lost);
      if (n === 0) break;
      scoreboard.highRxt = lost + n;
      pipe += n;
      force = false;
      continue;
    }
    const n = sendNew(tcb, pipe);
    if (n <= 0) break;
    pipe += n;
  }
  if (tcb.sndUna < tcb.sndNxt) {
    if (tcb.rtxKind !== RTX.RETRANSMIT) armRetransmit(tcb);
  } else if (tcb.sndNxt < queuedEnd(tcb) && tcb.rtxKind !== RTX.PERSIST) {
    // Nothing in flight, and the window does not let us send: probe it (RFC 9293 section 3.8.6.1).
    armRtx(tcb, RTX.PERSIST, tcb.rtt.backedOff(tcb.backoff));
  }
}

/** First lost offset that was not retransmitted yet, or -1. */
function nextLost(tcb: Tcb): number {
  const { scoreboard } = tcb;
  const edge = Math.min(scoreboard.lostEdge, tcb.sndNxt);
  const from = scoreboard.holeStart(Math.max(scoreboard.highRxt, tcb.sndUna));
  return from < edge ? from : -1;
}

/** Sends one segment again from `from`; returns its length in sequence space, 0 when the IP layer refused it. */
function retransmit(tcb: Tcb, from: number): number {
  const limit = tcb.scoreboard.holeEnd(from, Math.min(tcb.scoreboard.lostEdge, tcb.sndNxt));
  // `limit` may include the FIN's offset, which is no byte of the queue.
  const len = Math.max(0, Math.min(tcb.mss, Math.min(limit, tcb.queue.end) - from));
  const fin = tcb.finQueued && from + len === tcb.queue.end && tcb.sndNxt > tcb.queue.end;
  const end = from + len + (fin ? 1 : 0);
  // Karn: a segment that was sent twice gives no sample.
  if (tcb.rttEnd > from) tcb.rttEnd = -1;
  tcb.env.stats.retransSegs++;
  if (!transmit(tcb, from, len, fin)) return 0;
  return end - from;
}

/** Sends one segment of new data or the FIN; returns its length in sequence space, 0 when a window forbids it. */
function sendNew(tcb: Tcb, pipe: number): number {
  const { cc, queue, sndNxt } = tcb;
  if (sndNxt >= queuedEnd(tcb)) return 0;
  const left = queue.end - sndNxt;
  let len = Math.min(left, tcb.mss);
  if (pipe > 0 && pipe + len > cc.cwnd) {
    cc.limited = true;
    return 0;
  }
  const usable = tcb.sndUna + tcb.sndWnd - sndNxt;
  if (usable < len) {
    if (usable <= 0 || usable * SWS_SHARE < tcb.maxSndWnd) return 0;
    len = usable;
  }
  const fin = tcb.finQueued && sndNxt + len === queue.end;
  const n = len + (fin ? 1 : 0);
  tcb.sndNxt = sndNxt + n;
  if (tcb.rttEnd < 0) {
    tcb.rttEnd = tcb.sndNxt;
    tcb.rttStartNs = tcb.env.clock.now;
  }
  // A refused segment stays outstanding: the retransmission timer tries again.
  transmit(tcb, sndNxt, len, fin);
  return n;
}

/** Sends, and once more in smaller pieces when the path MTU shrank meanwhile. */
function transmit(tcb: Tcb, from: number, len: number, fin: boolean): boolean {
  tcb.lastSendNs = tcb.env.clock.now;
  if (sendSegment(tcb, from, len, fin)) return true;
  if (!syncMss(tcb) || len <= tcb.mss) return false;
  for (let at = from; at < from + len; at += tcb.mss) {
    const n = Math.min(tcb.mss, from + len - at);
    if (!sendSegment(tcb, at, n, fin && at + n === from + len)) return false;
  }
  return true;
}
