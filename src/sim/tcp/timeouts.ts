/** What happens when a connection's timers fire (RFC 6298 section 5, RFC 9293 section 3.8.6.1 and 3.6.1). */
import { closeTcb } from "./close.ts";
import { tcpOutput } from "./output.ts";
import { sendAck, sendSegment, sendSyn, syncMss } from "./segment.ts";
import { RECOVERY, RTX, TCP_STATE, type Tcb } from "./tcb.ts";
import { armRetransmit, armRtx } from "./timers.ts";

/** The timer of retransmission, window probes and TIME_WAIT fired. */
export function onRtxTimer(tcb: Tcb): void {
  if (tcb.rtxKind === RTX.NONE || tcb.state === TCP_STATE.CLOSED) return;
  const left = tcb.rtxDeadline - tcb.env.clock.now;
  if (left > 0) {
    tcb.rtxTimer?.start(left);
    return;
  }
  const kind = tcb.rtxKind;
  tcb.rtxKind = RTX.NONE;
  // A paused reader may still have bytes to take.
  if (kind === RTX.TIME_WAIT && !tcb.endReported) armRtx(tcb, RTX.TIME_WAIT, tcb.env.config.timeWaitNs);
  else if (kind === RTX.TIME_WAIT) closeTcb(tcb);
  else if (kind === RTX.PERSIST) probe(tcb);
  else retransmitTimeout(tcb);
}

/** The delayed acknowledgment is due. */
export function onDelAckTimer(tcb: Tcb): void {
  if (tcb.unackedSegs > 0 && tcb.state !== TCP_STATE.CLOSED) sendAck(tcb);
}

function retransmitTimeout(tcb: Tcb): void {
  const { config, stats } = tcb.env;
  const { state } = tcb;
  const opening = state === TCP_STATE.SYN_SENT || state === TCP_STATE.SYN_RECEIVED;
  const max =
    state === TCP_STATE.SYN_SENT
      ? config.synRetries
      : state === TCP_STATE.SYN_RECEIVED
        ? config.synAckRetries
        : config.retries;
  if (tcb.backoff >= max) {
    closeTcb(tcb, tcb.softError ?? "ETIMEDOUT");
    return;
  }
  const first = tcb.backoff === 0;
  tcb.backoff++;
  stats.timeouts++;
  tcb.rttEnd = -1;
  if (opening) {
    stats.retransSegs++;
    sendSyn(tcb);
  } else {
    syncMss(tcb);
    tcb.cc.onTimeout(tcb.sndNxt - tcb.sndUna, tcb.mss, first);
    markAllLost(tcb);
    tcpOutput(tcb);
  }
  armRetransmit(tcb);
}

/** Everything outstanding and not SACKed counts as lost and will be sent again, as the congestion window allows. */
export function markAllLost(tcb: Tcb): void {
  const { scoreboard, sndUna, sndNxt } = tcb;
  // A peer that SACKed the first outstanding byte but does not acknowledge it has thrown it away (RFC 2018 section 8).
  if (scoreboard.sacked.count > 0 && scoreboard.sacked.starts[0] <= sndUna) scoreboard.sacked.clear();
  tcb.recovery = RECOVERY.LOSS;
  tcb.recoveryPoint = sndNxt;
  tcb.dupAcks = 0;
  scoreboard.dupBytes = 0;
  scoreboard.highRxt = sndUna;
  scoreboard.lostEdge = sndNxt;
}

/**
 * The window is shut, or too small to be worth a segment: after the wait, send what fits, or else a segment of no length
 * below SND.UNA, which the peer answers with its window (as Linux does). Goes on as long as the peer answers.
 */
function probe(tcb: Tcb): void {
  const usable = tcb.sndUna + tcb.sndWnd - tcb.sndNxt;
  if (tcb.unanswered >= tcb.env.config.retries) {
    closeTcb(tcb, tcb.softError ?? "ETIMEDOUT");
    return;
  }
  if (usable > 0 && tcb.sndNxt < tcb.queue.end) {
    const len = Math.min(usable, tcb.mss, tcb.queue.end - tcb.sndNxt);
    const from = tcb.sndNxt;
    tcb.sndNxt += len;
    sendSegment(tcb, from, len, false);
    armRetransmit(tcb);
    return;
  }
  tcb.env.stats.zeroWindowProbes++;
  sendSegment(tcb, tcb.sndUna - 1, 0, false);
  tcb.backoff++;
  tcb.unanswered++;
  armRtx(tcb, RTX.PERSIST, tcb.rtt.backedOff(tcb.backoff));
}
