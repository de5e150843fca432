/** What an acknowledgment does to the sender (RFC 9293 section 3.10.7.4, RFC 5681, RFC 6582, RFC 6675, RFC 7323). */
import { MS } from "../types.ts";
import type { TcpOptions } from "./options.ts";
import { retransmitFirst } from "./output.ts";
import { DUP_THRESH } from "./scoreboard.ts";
import { RECOVERY, RTX, seqToOffset, type Tcb, tsNow } from "./tcb.ts";
import { armRetransmit, armRtx, disarmRtx } from "./timers.ts";

/**
 * Takes an acceptable ACK (SND.UNA <= or below `ack`, not above SND.NXT) with window field `field`. `at` is the segment's
 * own offset, `len` its length in sequence space.
 */
export function processAck(tcb: Tcb, ack: number, field: number, at: number, len: number, opts: TcpOptions): void {
  const wnd = field * 2 ** tcb.sndWscale;
  const windowChanged = wnd !== tcb.sndWnd;
  if (tcb.sackOk && opts.sackCount > 0) takeSack(tcb, opts);
  if (ack > tcb.sndUna) advance(tcb, ack, opts);
  else if (ack === tcb.sndUna && len === 0 && !windowChanged && !tcb.sackOk && tcb.sndNxt > tcb.sndUna) duplicate(tcb);
  updateWindow(tcb, ack, wnd, at);
  // The peer lives, however long its window stays shut.
  tcb.unanswered = 0;
  if (tcb.recovery === RECOVERY.NONE && tcb.scoreboard.lostEdge > tcb.sndUna) enterFastRecovery(tcb);
}

function takeSack(tcb: Tcb, opts: TcpOptions): void {
  const { scoreboard, sndUna, sndNxt } = tcb;
  for (let i = 0; i < opts.sackCount; i++) {
    const start = seqToOffset(opts.sack[2 * i], tcb.iss, sndUna);
    const end = seqToOffset(opts.sack[2 * i + 1], tcb.iss, sndUna);
    // A block at or below SND.UNA reports a duplicate (RFC 2883); one beyond SND.NXT is nonsense.
    if (start > sndUna && end > start && end <= sndNxt) scoreboard.sacked.add(start, end);
  }
  scoreboard.update(tcb.mss);
}

/** Without SACK: a duplicate ACK says that one more segment has left the network (RFC 5681 section 3.2). */
function duplicate(tcb: Tcb): void {
  const { scoreboard } = tcb;
  tcb.dupAcks++;
  scoreboard.dupBytes = Math.min(tcb.dupAcks * tcb.mss, tcb.sndNxt - tcb.sndUna);
  // RFC 6582: below the recovery point, duplicates are echoes of what a timeout sent again.
  if (tcb.dupAcks === DUP_THRESH && tcb.recovery === RECOVERY.NONE && tcb.sndUna > tcb.recoveryPoint) {
    scoreboard.lostEdge = Math.min(tcb.sndUna + tcb.mss, tcb.sndNxt);
  }
}

function enterFastRecovery(tcb: Tcb): void {
  tcb.recovery = RECOVERY.FAST;
  tcb.recoveryPoint = tcb.sndNxt;
  tcb.cc.onLoss(tcb.sndNxt - tcb.sndUna, tcb.mss);
  tcb.scoreboard.highRxt = tcb.sndUna;
  tcb.env.stats.fastRetransmits++;
  retransmitFirst(tcb);
}

function advance(tcb: Tcb, ack: number, opts: TcpOptions): void {
  const { scoreboard, cc } = tcb;
  const bytes = ack - tcb.sndUna;
  measure(tcb, ack, opts);
  tcb.sndUna = ack;
  tcb.backoff = 0;
  tcb.dupAcks = 0;
  scoreboard.dupBytes = 0;
  if (scoreboard.sacked.count > 0 || tcb.recovery !== RECOVERY.NONE) {
    scoreboard.acked(ack);
    if (tcb.recovery !== RECOVERY.NONE && ack >= tcb.recoveryPoint) {
      tcb.recovery = RECOVERY.NONE;
      scoreboard.endRecovery(ack);
      scoreboard.update(tcb.mss);
    } else if (tcb.recovery === RECOVERY.FAST && !tcb.sackOk) {
      // A partial acknowledgment: the segment behind it is lost as well (RFC 6582 section 3.2 step 3).
      scoreboard.lostEdge = Math.min(ack + tcb.mss, tcb.sndNxt);
      scoreboard.highRxt = ack;
    }
  }
  if (tcb.recovery !== RECOVERY.FAST) cc.onAck(bytes, tcb.mss);
  tcb.queue.release(ack);
  if (ack === tcb.sndNxt) disarmRtx(tcb);
  else armRetransmit(tcb);
}

/** A round-trip sample: of the segment that was timed, else of the timestamp echoed (RFC 7323 section 4). */
function measure(tcb: Tcb, ack: number, opts: TcpOptions): void {
  if (tcb.rttEnd >= 0 && ack >= tcb.rttEnd) {
    tcb.rtt.sample(tcb.env.clock.now - tcb.rttStartNs);
    tcb.rttEnd = -1;
  } else if (tcb.rttEnd < 0 && opts.hasTs && opts.tsEcr !== 0) {
    const ticks = (tsNow(tcb.env) - opts.tsEcr) | 0;
    if (ticks >= 0) tcb.rtt.sample(Math.max(ticks, 1) * MS);
  }
}

/** SND.WND, unless the segment is older than the one that set it (RFC 9293 section 3.10.7.4). */
function updateWindow(tcb: Tcb, ack: number, wnd: number, at: number): void {
  if (at < tcb.sndWl1 || (at === tcb.sndWl1 && ack < tcb.sndWl2)) return;
  tcb.sndWl1 = at;
  tcb.sndWl2 = ack;
  const opened = wnd > tcb.sndWnd;
  tcb.sndWnd = wnd;
  if (wnd > tcb.maxSndWnd) tcb.maxSndWnd = wnd;
  if (tcb.rtxKind !== RTX.PERSIST) return;
  if (opened) {
    tcb.backoff = 0;
    disarmRtx(tcb);
  } else if (wnd > 0) armRtx(tcb, RTX.PERSIST, tcb.rtt.backedOff(tcb.backoff));
}
