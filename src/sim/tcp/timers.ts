/**
 * The two timers of a connection, started lazily: moving a deadline later costs nothing, the timer notices when it fires.
 * One serves retransmission (RFC 6298), zero window probes and TIME_WAIT, which exclude each other; one delays ACKs.
 */
import { RTX, type Tcb } from "./tcb.ts";

/** (Re)starts the first timer for `kind` after `delayNs`. */
export function armRtx(tcb: Tcb, kind: number, delayNs: number): void {
  const timer = tcb.rtxTimer;
  if (timer === undefined) return;
  tcb.rtxKind = kind;
  tcb.rtxDeadline = tcb.env.clock.now + delayNs;
  if (!timer.active || timer.expires > tcb.rtxDeadline) timer.start(delayNs);
}

/** (Re)starts the retransmission timer with the current timeout and back-off. */
export function armRetransmit(tcb: Tcb): void {
  armRtx(tcb, RTX.RETRANSMIT, tcb.rtt.backedOff(tcb.backoff));
}

/** Nothing is waited for any more; the timer may still fire once, without effect. */
export function disarmRtx(tcb: Tcb): void {
  tcb.rtxKind = RTX.NONE;
}

/** Lets an acknowledgment wait, at most `delAckNs`. */
export function armDelAck(tcb: Tcb): void {
  const timer = tcb.delAckTimer;
  if (timer !== undefined && !timer.active) timer.start(tcb.env.config.delAckNs);
}

/** Stops both for good. */
export function stopTimers(tcb: Tcb): void {
  tcb.rtxKind = RTX.NONE;
  tcb.rtxTimer?.stop();
  tcb.delAckTimer?.stop();
}
