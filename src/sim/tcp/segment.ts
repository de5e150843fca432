/** Builds and sends single segments: SYN, data, pure ACK, RST (RFC 9293 section 3.1). The checksum covers every one. */
import type { Skb } from "../../dataplane/skb.ts";
import { rd32, wr16, wr32 } from "../../wire/bytes.ts";
import { csumFold, csumPseudo, csumView } from "../../wire/checksum.ts";
import { IPPROTO_TCP } from "../../wire/ipv4.ts";
import {
  TCP_ACK,
  TCP_CHECK,
  TCP_FIN,
  TCP_FLAGS,
  TCP_HLEN,
  TCP_PSH,
  TCP_RST,
  TCP_SYN,
  tcpAckno,
  tcpDport,
  tcpFlags,
  tcpSeq,
  tcpSport,
} from "../../wire/tcp.ts";
import { type IpLayer, L4_OFFSET } from "../types.ts";
import { MAX_WSCALE, synOptionLen, TS_LEN, writeSack, writeSynOptions, writeTimestamps } from "./options.ts";
import { optionLen, TCP_STATE, type Tcb, type TcpEnv, tsNow } from "./tcb.ts";

const IP_TCP_HLEN = 40;
/** Smallest segment payload that a path MTU may force, as Linux' min_snd_mss with options. */
const MIN_MSS = 48;

/** The MSS option to offer towards `raddr`: what the path carries in one packet. */
function offeredMss(ip: IpLayer, raddr: number): number {
  return Math.max(ip.pathMtu(raddr) - IP_TCP_HLEN, MIN_MSS);
}

/** Takes the path MTU anew; true when the segment size became smaller. */
export function syncMss(tcb: Tcb): boolean {
  const limit = Math.min(offeredMss(tcb.env.ip, tcb.raddr), tcb.peerMss);
  const mss = Math.max(limit - optionLen(tcb), MIN_MSS - 12);
  const smaller = mss < tcb.mss;
  tcb.mss = mss;
  return smaller;
}

/** Smallest shift that lets the whole receive buffer be offered. */
export function wscaleFor(rcvBuf: number): number {
  let shift = 0;
  while (shift < MAX_WSCALE && rcvBuf >> shift > 0xffff) shift++;
  return shift;
}

/** Sends a SYN, or a SYN with ACK in SYN_RECEIVED. */
export function sendSyn(tcb: Tcb): boolean {
  const { env } = tcb;
  const { config } = env;
  const passive = tcb.state === TCP_STATE.SYN_RECEIVED;
  const sack = passive ? tcb.sackOk : config.sack;
  const ts = passive ? tcb.tsOk : config.timestamps;
  const wscale = passive ? tcb.rcvWscale : config.windowScaling ? wscaleFor(config.rcvBuf) : -1;
  const skb = env.ip.allocate(TCP_HLEN + synOptionLen(sack, ts, wscale));
  const off = skb.head + L4_OFFSET;
  const window = Math.min(config.rcvBuf, 0xffff);
  if (passive) {
    tcb.rcvAdv = Math.max(tcb.rcvAdv, tcb.rcvNxt + window);
    tcb.lastAckSent = tcb.rcvNxt;
  }
  writeSynOptions(
    skb.buf,
    off + TCP_HLEN,
    offeredMss(env.ip, tcb.raddr),
    sack,
    ts,
    tsNow(env),
    passive ? tcb.tsRecent : 0,
    wscale,
  );
  if (tcb.sndNxt === 0) tcb.sndNxt = 1;
  const flags = passive ? TCP_SYN | TCP_ACK : TCP_SYN;
  writeHeader(skb.buf, off, tcb, 0, passive ? tcb.irs + tcb.rcvNxt : 0, skb.end - off, flags, window);
  return finish(env, skb, off, tcb.laddr, tcb.raddr, passive ? NO_ID : undefined);
}

/**
 * Sends `len` bytes from offset `from`, and the FIN where `fin` is set; with neither it is a pure ACK. Every segment
 * acknowledges. False when the IP layer refused it.
 */
export function sendSegment(tcb: Tcb, from: number, len: number, fin: boolean): boolean {
  const { env } = tcb;
  const blocks = tcb.sackOk && tcb.rcv.ranges.count > 0 && len + 28 <= tcb.mss ? tcb.rcv.blocks() : 0;
  const opts = (tcb.tsOk ? TS_LEN : 0) + (blocks > 0 ? 4 + 8 * blocks : 0);
  const skb = env.ip.allocate(TCP_HLEN + opts + len);
  const { buf } = skb;
  const off = skb.head + L4_OFFSET;
  let o = off + TCP_HLEN;
  if (tcb.tsOk) {
    writeTimestamps(buf, o, tsNow(env), tcb.tsRecent);
    o += TS_LEN;
  }
  if (blocks > 0) {
    writeSack(buf, o, tcb.rcv.sack, blocks, tcb.irs);
    o += 4 + 8 * blocks;
  }
  let flags = TCP_ACK;
  if (len > 0) {
    tcb.queue.read(from, buf, o, len);
    if (from + len === tcb.queue.end) flags |= TCP_PSH;
  }
  if (fin) flags |= TCP_FIN;
  const field = Math.floor(receiveWindow(tcb) / 2 ** tcb.rcvWscale);
  const window = Math.min(field, 0xffff);
  const edge = tcb.rcvNxt + window * 2 ** tcb.rcvWscale;
  if (edge > tcb.rcvAdv) tcb.rcvAdv = edge;
  writeHeader(buf, off, tcb, from, tcb.irs + tcb.rcvNxt, TCP_HLEN + opts, flags, window);
  tcb.lastAckSent = tcb.rcvNxt;
  tcb.unackedSegs = 0;
  tcb.ackNow = false;
  if (tcb.quickAcks > 0) tcb.quickAcks--;
  return finish(env, skb, off, tcb.laddr, tcb.raddr);
}

/** Sends an ACK without data; a sequence number of SND.NXT keeps it acceptable. */
export function sendAck(tcb: Tcb): void {
  sendSegment(tcb, tcb.sndNxt, 0, false);
}

/**
 * Window to offer, bytes from RCV.NXT: the free buffer, but the edge moves only by a full segment or half the buffer at
 * a time (RFC 9293 section 3.8.6.2.2), and never back.
 */
export function receiveWindow(tcb: Tcb): number {
  const { rcv, rcvNxt } = tcb;
  const free = rcv.size - (rcvNxt - rcv.read);
  const offered = tcb.rcvAdv - rcvNxt;
  const grain = Math.min(rcv.size >> 1, tcb.mss);
  if (free - offered >= grain) return free;
  return Math.max(offered, 0);
}

/** RST of a synchronized connection: at SND.NXT, so that the peer takes it. */
export function sendRst(tcb: Tcb): void {
  const skb = tcb.env.ip.allocate(TCP_HLEN);
  const off = skb.head + L4_OFFSET;
  writeHeader(skb.buf, off, tcb, tcb.sndNxt, tcb.irs + tcb.rcvNxt, TCP_HLEN, TCP_RST | TCP_ACK, 0);
  tcb.env.stats.outRsts++;
  finish(tcb.env, skb, off, tcb.laddr, tcb.raddr);
}

/** RST in answer to a segment that belongs to no connection (RFC 9293 section 3.10.7.1); `len` = its sequence length. */
export function sendRstFor(env: TcpEnv, pkt: Uint8Array, ipOff: number, off: number, len: number): void {
  const flags = tcpFlags(pkt, off);
  if (flags & TCP_RST) return;
  const laddr = rd32(pkt, ipOff + 16);
  const raddr = rd32(pkt, ipOff + 12);
  const skb = env.ip.allocate(TCP_HLEN);
  const o = skb.head + L4_OFFSET;
  const acked = (flags & TCP_ACK) !== 0;
  const seq = acked ? tcpAckno(pkt, off) : 0;
  const ack = acked ? 0 : tcpSeq(pkt, off) + len;
  const lport = tcpDport(pkt, off);
  writePorts(skb.buf, o, lport, tcpSport(pkt, off), seq, ack, TCP_HLEN, acked ? TCP_RST : TCP_RST | TCP_ACK, 0);
  env.stats.outRsts++;
  finish(env, skb, o, laddr, raddr, NO_ID);
}

function writeHeader(
  buf: Uint8Array,
  off: number,
  tcb: Tcb,
  from: number,
  ack: number,
  hlen: number,
  flags: number,
  window: number,
): void {
  writePorts(buf, off, tcb.lport, tcb.rport, tcb.iss + from, ack, hlen, flags, window);
}

function writePorts(
  buf: Uint8Array,
  off: number,
  sport: number,
  dport: number,
  seq: number,
  ack: number,
  hlen: number,
  flags: number,
  window: number,
): void {
  wr32(buf, off, ((sport << 16) | dport) >>> 0);
  wr32(buf, off + 4, seq >>> 0);
  wr32(buf, off + 8, ack >>> 0);
  buf[off + 12] = hlen << 2;
  buf[off + TCP_FLAGS] = flags;
  wr16(buf, off + 14, window);
  wr32(buf, off + TCP_CHECK, 0);
}

/** The IP ID of what Linux sends without a connection of its own: a SYN/ACK (ip_build_and_send_pkt), a RST for nobody. */
const NO_ID = 0;

function finish(env: TcpEnv, skb: Skb, off: number, saddr: number, daddr: number, id?: number): boolean {
  const len = skb.end - off;
  const sum = csumView(skb.view, off, len, csumPseudo(saddr, daddr, IPPROTO_TCP, len));
  wr16(skb.buf, off + TCP_CHECK, ~csumFold(sum) & 0xffff);
  env.stats.outSegs++;
  return env.ip.output(skb, saddr, daddr, IPPROTO_TCP, true, 0, id);
}
