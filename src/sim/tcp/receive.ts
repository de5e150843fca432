/** Incoming data: trims it to the window, puts it in order, hands it to the reader (RFC 9293 section 3.10.7.4, 3.4). */
import { closeTcb, finishTimeWait } from "./close.ts";
import { TCP_STATE, type Tcb } from "./tcb.ts";

/** Takes `len` bytes at offset `at`, which stand at `buf[off]`; sets what has to be acknowledged, and how soon. */
export function receiveData(tcb: Tcb, at: number, buf: Uint8Array, off: number, len: number): void {
  const { rcv } = tcb;
  let end = at + len;
  if (end <= tcb.rcvNxt) {
    tcb.ackNow = true;
    return;
  }
  if (at < tcb.rcvNxt) {
    off += tcb.rcvNxt - at;
    at = tcb.rcvNxt;
    tcb.ackNow = true;
  }
  if (end > tcb.rcvAdv) {
    end = tcb.rcvAdv;
    tcb.ackNow = true;
    if (end <= at) return;
  }
  len = end - at;
  if (at === tcb.rcvNxt && rcv.ranges.count === 0 && rcv.read === at && !tcb.socket.paused) {
    tcb.rcvNxt = end;
    rcv.read = end;
    acknowledge(tcb);
    tcb.handler.data?.(tcb.socket, buf, off, len);
    return;
  }
  rcv.store(at, buf, off, len);
  if (at > tcb.rcvNxt) {
    rcv.addRange(at, end);
    tcb.ackNow = true;
    return;
  }
  // A segment that fills a hole is acknowledged at once (RFC 5681 section 4.2).
  if (rcv.ranges.count > 0) tcb.ackNow = true;
  tcb.rcvNxt = rcv.advance(end);
  acknowledge(tcb);
  deliver(tcb);
}

/** One more in-order segment: every second one is acknowledged at once, the first few all are. */
function acknowledge(tcb: Tcb): void {
  if (++tcb.unackedSegs >= 2 || tcb.quickAcks > 0) tcb.ackNow = true;
}

/** Hands buffered in-order bytes to the reader until it pauses, then the end of data where the FIN was reached. */
export function deliver(tcb: Tcb): void {
  const { rcv } = tcb;
  const dataEnd = tcb.finOffset >= 0 && tcb.rcvNxt > tcb.finOffset ? tcb.finOffset : tcb.rcvNxt;
  while (rcv.read < dataEnd && !tcb.socket.paused && tcb.state !== TCP_STATE.CLOSED) {
    const n = rcv.contiguous(dataEnd);
    const at = rcv.index();
    rcv.read += n;
    tcb.handler.data?.(tcb.socket, rcv.bytes, at, n);
  }
  if (rcv.read < dataEnd || tcb.finOffset < 0 || tcb.rcvNxt <= tcb.finOffset || tcb.endReported) return;
  if (tcb.state === TCP_STATE.CLOSED) return;
  tcb.endReported = true;
  tcb.handler.ended?.(tcb.socket);
  if (tcb.state === TCP_STATE.TIME_WAIT) finishTimeWait(tcb);
  else if (tcb.state === TCP_STATE.LAST_ACK && tcb.sndUna > tcb.queue.end) closeTcb(tcb);
}
