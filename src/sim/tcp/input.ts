/** Segment arrival in every state but LISTEN and CLOSED (RFC 9293 section 3.10.7.3 and 3.10.7.4, RFC 7323, RFC 5961). */
import { rd32 } from "../../wire/bytes.ts";
import { seqLt, TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN, tcpFlags, tcpHlen, tcpSeq, tcpWindow } from "../../wire/tcp.ts";
import { MS, SEC } from "../types.ts";
import { processAck } from "./ack.ts";
import { closeTcb, enterTimeWait } from "./close.ts";
import type { TcpOptions } from "./options.ts";
import { tcpOutput } from "./output.ts";
import { deliver, receiveData } from "./receive.ts";
import { sendAck, sendRstFor, sendSyn, syncMss, wscaleFor } from "./segment.ts";
import { DEFAULT_MSS, RTX, seqToOffset, TCP_STATE, type Tcb } from "./tcb.ts";
import { armRetransmit, armRtx, disarmRtx } from "./timers.ts";

/** PAWS does not judge by timestamps older than this (RFC 7323 section 5.5). */
const PAWS_IDLE_NS = 24 * 24 * 3600 * SEC;
/** Least time between answers to unacceptable segments that carry no data (Linux' tcp_invalid_ratelimit). */
const CHALLENGE_NS = 500 * MS;

/** Processes a segment whose header and checksum are good; `opts` holds its options. */
export function tcpSegment(tcb: Tcb, pkt: Uint8Array, ipOff: number, off: number, end: number, opts: TcpOptions): void {
  tcb.inInput = true;
  if (tcb.state === TCP_STATE.SYN_SENT) synSent(tcb, pkt, ipOff, off, end, opts);
  else synchronized(tcb, pkt, ipOff, off, end, opts);
  tcb.inInput = false;
  if (tcb.state !== TCP_STATE.CLOSED) tcpOutput(tcb);
}

/** Takes the options of the peer's SYN. */
export function takeSyn(tcb: Tcb, pkt: Uint8Array, off: number, opts: TcpOptions): void {
  const { config, clock } = tcb.env;
  tcb.irs = tcpSeq(pkt, off);
  tcb.rcvNxt = 1;
  tcb.rcvAdv = 1 + Math.min(config.rcvBuf, 0xffff);
  tcb.peerMss = opts.mss || DEFAULT_MSS;
  tcb.sackOk = config.sack && opts.sackPermitted;
  tcb.tsOk = config.timestamps && opts.hasTs;
  if (tcb.tsOk) {
    tcb.tsRecent = opts.tsVal;
    tcb.tsRecentNs = clock.now;
  }
  const scaling = config.windowScaling && opts.wscale >= 0;
  tcb.sndWscale = scaling ? opts.wscale : 0;
  tcb.rcvWscale = scaling ? wscaleFor(config.rcvBuf) : 0;
  // The window of a SYN is never scaled (RFC 7323 section 2.2).
  tcb.sndWnd = tcpWindow(pkt, off);
  tcb.maxSndWnd = tcb.sndWnd;
  syncMss(tcb);
  tcb.cc.init(tcb.mss);
}

function synSent(tcb: Tcb, pkt: Uint8Array, ipOff: number, off: number, end: number, opts: TcpOptions): void {
  const flags = tcpFlags(pkt, off);
  const ack = seqToOffset(rd32(pkt, off + 8), tcb.iss, tcb.sndUna);
  if (flags & TCP_ACK && ack !== 1) {
    sendRstFor(tcb.env, pkt, ipOff, off, 0);
    return;
  }
  if (flags & TCP_RST) {
    if (flags & TCP_ACK) closeTcb(tcb, "ECONNREFUSED");
    return;
  }
  if (!(flags & TCP_SYN)) return;
  takeSyn(tcb, pkt, off, opts);
  if (!(flags & TCP_ACK)) {
    // Simultaneous open: both sides sent a SYN.
    tcb.state = TCP_STATE.SYN_RECEIVED;
    sendSyn(tcb);
    armRetransmit(tcb);
    return;
  }
  tcb.sndUna = 1;
  if (tcb.backoff === 0) tcb.rtt.sample(tcb.env.clock.now - tcb.rttStartNs);
  tcb.rttEnd = -1;
  tcb.ackNow = true;
  established(tcb);
  const data = off + tcpHlen(pkt, off);
  if (tcb.socket.state !== TCP_STATE.CLOSED && data < end) receiveData(tcb, 1, pkt, data, end - data);
}

function established(tcb: Tcb): void {
  tcb.backoff = 0;
  tcb.softError = undefined;
  disarmRtx(tcb);
  tcb.state = tcb.finQueued ? TCP_STATE.FIN_WAIT_1 : TCP_STATE.ESTABLISHED;
  const { accept } = tcb;
  if (accept !== undefined) {
    tcb.accept = undefined;
    tcb.handler = accept(tcb.socket);
  }
  tcb.handler.connected?.(tcb.socket);
}

function synchronized(tcb: Tcb, pkt: Uint8Array, ipOff: number, off: number, end: number, opts: TcpOptions): void {
  const flags = tcpFlags(pkt, off);
  const data = off + tcpHlen(pkt, off);
  const len = end - data;
  const at = seqToOffset(tcpSeq(pkt, off), tcb.irs, tcb.rcvNxt);
  if (!acceptable(tcb, at, len, flags, opts)) return;
  if (flags & TCP_RST) {
    // Both sides are done; the RST answers an ACK that found the peer gone (RFC 1337 section 3, fix F1).
    if (tcb.state === TCP_STATE.TIME_WAIT) return;
    // RFC 5961 section 3.2: only the exact next sequence number resets, others in the window are challenged.
    if (at === tcb.rcvNxt) closeTcb(tcb, tcb.state === TCP_STATE.SYN_RECEIVED ? "ECONNREFUSED" : "ECONNRESET");
    else challenge(tcb);
    return;
  }
  if (flags & TCP_SYN) {
    if (tcb.state !== TCP_STATE.SYN_RECEIVED) {
      challenge(tcb);
      return;
    }
    // Simultaneous open: the peer's SYN/ACK. A plain SYN again means that our SYN/ACK was lost.
    if (!(flags & TCP_ACK)) {
      sendSyn(tcb);
      return;
    }
  }
  if (!(flags & TCP_ACK)) return;
  const ack = seqToOffset(rd32(pkt, off + 8), tcb.iss, tcb.sndUna);
  if (ack > tcb.sndNxt) {
    if (tcb.state === TCP_STATE.SYN_RECEIVED) sendRstFor(tcb.env, pkt, ipOff, off, 0);
    else challenge(tcb);
    return;
  }
  if (tcb.state === TCP_STATE.SYN_RECEIVED) {
    if (ack !== 1) {
      sendRstFor(tcb.env, pkt, ipOff, off, 0);
      return;
    }
    if (tcb.backoff === 0) tcb.rtt.sample(tcb.env.clock.now - tcb.rttStartNs);
    tcb.rttEnd = -1;
    tcb.sndUna = 1;
    tcb.sndWl1 = -1;
    established(tcb);
    if (tcb.socket.state === TCP_STATE.CLOSED) return;
  }
  const fin = flags & TCP_FIN;
  if (ack >= tcb.sndUna) {
    // The window of a SYN is not scaled, and takeSyn has it already.
    if (!(flags & TCP_SYN)) processAck(tcb, ack, tcpWindow(pkt, off), at, len + (fin ? 1 : 0), opts);
    if (tcb.finQueued && tcb.sndUna > tcb.queue.end && !finAcked(tcb)) return;
  }
  if (tcb.state === TCP_STATE.TIME_WAIT) {
    // A FIN again: our last ACK was lost.
    if (fin) {
      tcb.ackNow = true;
      armRtx(tcb, RTX.TIME_WAIT, tcb.env.config.timeWaitNs);
    }
    return;
  }
  if (len > 0) {
    receiveData(tcb, at, pkt, data, len);
    if (tcb.socket.state === TCP_STATE.CLOSED) return;
  }
  if (fin && tcb.finOffset < 0) {
    tcb.finOffset = at + len;
    tcb.ackNow = true;
  }
  if (tcb.finOffset >= 0 && tcb.rcvNxt === tcb.finOffset) receiveFin(tcb);
}

/** Sequence number and timestamp checks; answers what fails them, unless it is a RST. */
function acceptable(tcb: Tcb, at: number, len: number, flags: number, opts: TcpOptions): boolean {
  const seqLen = len + (flags & TCP_SYN ? 1 : 0) + (flags & TCP_FIN ? 1 : 0);
  const old = tcb.tsOk && opts.hasTs && seqLt(opts.tsVal, tcb.tsRecent);
  if (old && !(flags & TCP_RST) && tcb.env.clock.now - tcb.tsRecentNs < PAWS_IDLE_NS) {
    if (seqLen > 0) tcb.ackNow = true;
    else challenge(tcb);
    return false;
  }
  // Also of an old duplicate (RFC 7323 section 4.3): it was sent again because our ACK was lost, and an ACK that echoes
  // the time before that would give the sender a round trip as long as its timeout.
  if (tcb.tsOk && opts.hasTs && !old && at <= tcb.lastAckSent) {
    tcb.tsRecent = opts.tsVal;
    tcb.tsRecentNs = tcb.env.clock.now;
  }
  if (at <= tcb.rcvAdv && at + seqLen >= tcb.rcvNxt) return true;
  if (flags & TCP_RST) return false;
  if (tcb.state === TCP_STATE.TIME_WAIT && flags & TCP_FIN) armRtx(tcb, RTX.TIME_WAIT, tcb.env.config.timeWaitNs);
  if (tcb.state === TCP_STATE.SYN_RECEIVED && flags & TCP_SYN) sendSyn(tcb);
  else if (seqLen > 0) tcb.ackNow = true;
  else challenge(tcb);
  return false;
}

/** An ACK that tells the peer where we are; limited, so that two confused ends do not answer each other for ever. */
function challenge(tcb: Tcb): void {
  const { now } = tcb.env.clock;
  if (now - tcb.lastChallengeNs < CHALLENGE_NS) return;
  tcb.lastChallengeNs = now;
  sendAck(tcb);
}

/** Our FIN is acknowledged. False when the connection is gone; it stays while a paused reader has bytes to take. */
function finAcked(tcb: Tcb): boolean {
  if (tcb.state === TCP_STATE.FIN_WAIT_1) tcb.state = TCP_STATE.FIN_WAIT_2;
  else if (tcb.state === TCP_STATE.CLOSING) enterTimeWait(tcb);
  else if (tcb.state === TCP_STATE.LAST_ACK && tcb.endReported) {
    closeTcb(tcb);
    return false;
  }
  return true;
}

/** All data up to the peer's FIN is here. */
function receiveFin(tcb: Tcb): void {
  tcb.rcvNxt = tcb.finOffset + 1;
  tcb.ackNow = true;
  switch (tcb.state) {
    case TCP_STATE.ESTABLISHED:
      tcb.state = TCP_STATE.CLOSE_WAIT;
      break;
    case TCP_STATE.FIN_WAIT_1:
      tcb.state = TCP_STATE.CLOSING;
      break;
    case TCP_STATE.FIN_WAIT_2:
      enterTimeWait(tcb);
      break;
  }
  deliver(tcb);
}
