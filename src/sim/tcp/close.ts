/** The ways out: CLOSED, TIME_WAIT, reset. */
import { sendRst } from "./segment.ts";
import { RTX, TCP_STATE, type Tcb, type TcpError } from "./tcb.ts";
import { armRtx, stopTimers } from "./timers.ts";

/** Forgets the connection and tells its user, if that was not done. */
export function closeTcb(tcb: Tcb, error?: TcpError): void {
  if (tcb.state === TCP_STATE.CLOSED) return;
  tcb.state = TCP_STATE.CLOSED;
  stopTimers(tcb);
  tcb.env.remove(tcb);
  tcb.rcv.free();
  tcb.queue.clear();
  report(tcb, error);
}

/** Sends a RST where the peer knows the connection, then closes (the ABORT call, RFC 9293 section 3.10.5). */
export function abortTcb(tcb: Tcb, error: TcpError = "ECONNABORTED"): void {
  const { state } = tcb;
  if (state === TCP_STATE.CLOSED) return;
  if (state !== TCP_STATE.SYN_SENT && state !== TCP_STATE.TIME_WAIT) sendRst(tcb);
  closeTcb(tcb, error);
}

/** Both FINs are acknowledged, ours first: wait for old duplicates (2 MSL; Linux' 60 s). */
export function enterTimeWait(tcb: Tcb): void {
  tcb.state = TCP_STATE.TIME_WAIT;
  tcb.queue.clear();
  armRtx(tcb, RTX.TIME_WAIT, tcb.env.config.timeWaitNs);
  if (tcb.endReported) finishTimeWait(tcb);
}

/** In TIME_WAIT, once the reader has taken the last byte: the user is done with the connection. */
export function finishTimeWait(tcb: Tcb): void {
  tcb.rcv.free();
  report(tcb);
}

function report(tcb: Tcb, error?: TcpError): void {
  if (tcb.reported) return;
  tcb.reported = true;
  tcb.handler.closed?.(tcb.socket, error);
}
