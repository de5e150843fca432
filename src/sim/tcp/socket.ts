/** What the user of a connection holds (RFC 9293 section 3.9.1: SEND, RECEIVE, CLOSE, ABORT, STATUS). */
import { abortTcb } from "./close.ts";
import { tcpOutput } from "./output.ts";
import { deliver } from "./receive.ts";
import { receiveWindow } from "./segment.ts";
import type { ByteSource } from "./send-queue.ts";
import { TCP_STATE, type Tcb, type TcpError, type TcpHandler, type TcpState } from "./tcb.ts";

export class TcpSocket {
  /** The reader takes nothing for now; what arrives is buffered and shuts the window. */
  paused = false;
  private readonly tcb: Tcb;

  constructor(tcb: Tcb) {
    this.tcb = tcb;
  }

  get state(): TcpState {
    return this.tcb.state;
  }
  get localAddr(): number {
    return this.tcb.laddr;
  }
  get localPort(): number {
    return this.tcb.lport;
  }
  get remoteAddr(): number {
    return this.tcb.raddr;
  }
  get remotePort(): number {
    return this.tcb.rport;
  }
  /** Bytes queued that the peer has not acknowledged yet. */
  get unacknowledged(): number {
    const { queue, sndUna } = this.tcb;
    return Math.max(0, queue.end - Math.max(sndUna, 1));
  }

  /** Replaces the user. */
  setHandler(handler: TcpHandler): void {
    this.tcb.handler = handler;
  }

  /** Queues a source behind what is queued; false when the direction is closed already. Its bytes must never change. */
  write(source: ByteSource): boolean {
    const { tcb } = this;
    if (tcb.finQueued || tcb.state === TCP_STATE.CLOSED || tcb.state === TCP_STATE.TIME_WAIT) return false;
    tcb.queue.append(source);
    this.kick();
    return true;
  }

  /** No more data from this side: a FIN behind what is queued. Data can still arrive. */
  end(): void {
    const { tcb } = this;
    if (tcb.finQueued) return;
    if (tcb.state === TCP_STATE.CLOSED) return;
    if (tcb.state === TCP_STATE.SYN_SENT) {
      abortTcb(tcb);
      return;
    }
    tcb.finQueued = true;
    if (tcb.state === TCP_STATE.ESTABLISHED) tcb.state = TCP_STATE.FIN_WAIT_1;
    else if (tcb.state === TCP_STATE.CLOSE_WAIT) tcb.state = TCP_STATE.LAST_ACK;
    this.kick();
  }

  /** RST, and over. `closed` is called with `error`. */
  abort(error: TcpError = "ECONNABORTED"): void {
    abortTcb(this.tcb, error);
  }

  pause(): void {
    this.paused = true;
  }

  /** Hands over what was buffered meanwhile and offers the window again. */
  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    const { tcb } = this;
    deliver(tcb);
    if (tcb.state === TCP_STATE.CLOSED || tcb.state === TCP_STATE.TIME_WAIT) return;
    const grown = tcb.rcvNxt + receiveWindow(tcb) - tcb.rcvAdv;
    if (grown >= Math.min(2 * tcb.mss, tcb.rcv.size >> 1)) tcb.ackNow = true;
    this.kick();
  }

  /** While a segment is processed, its end sends what was queued. */
  private kick(): void {
    if (!this.tcb.inInput) tcpOutput(this.tcb);
  }
}
