/** One host's TCP: finds the connection or the listener of a segment, opens connections, answers strangers with RST. */

import type { Skb } from "../../dataplane/skb.ts";
import { LabError } from "../../errors.ts";
import { rd16, rd32 } from "../../wire/bytes.ts";
import { csumFold, csumPseudo, csumView } from "../../wire/checksum.ts";
import { formatIpv4, IPPROTO_TCP } from "../../wire/ipv4.ts";
import {
  seqLt,
  TCP_ACK,
  TCP_FIN,
  TCP_RST,
  TCP_SYN,
  tcpCheck,
  tcpDport,
  tcpFlags,
  tcpHlen,
  tcpSeq,
  tcpSport,
} from "../../wire/tcp.ts";
import { type IpLayer, MS, type ProtocolHandler, type Rng, type Scheduler, SEC } from "../types.ts";
import { closeTcb } from "./close.ts";
import { tcpIcmpError } from "./icmp.ts";
import { takeSyn, tcpSegment } from "./input.ts";
import { TcpOptions } from "./options.ts";
import { sendRstFor, sendSyn } from "./segment.ts";
import { TcpSocket } from "./socket.ts";
import { ConnectionTable } from "./table.ts";
import {
  seqToOffset,
  TCP_STATE,
  Tcb,
  type TcpConfig,
  type TcpEnv,
  type TcpError,
  type TcpHandler,
  type TcpStats,
} from "./tcb.ts";
import { onDelAckTimer, onRtxTimer } from "./timeouts.ts";
import { armRetransmit } from "./timers.ts";

/** Linux' ip_local_port_range. */
const EPHEMERAL_MIN = 32768;
const EPHEMERAL_COUNT = 60999 - EPHEMERAL_MIN + 1;

const DEFAULT_TCP_CONFIG: TcpConfig = {
  rcvBuf: 262144,
  synRetries: 6,
  synAckRetries: 5,
  retries: 15,
  timeWaitNs: 60 * SEC,
  delAckNs: 40 * MS,
  sack: true,
  timestamps: true,
  windowScaling: true,
};

/** Accepts connections on an address (0 = any of the host's) and port. */
export interface TcpListener {
  readonly addr: number;
  readonly port: number;
  /** Accepts no more; open connections live on. */
  close(): void;
}

export interface ConnectOptions {
  /** Source address and port; chosen when left out. */
  localAddr?: number;
  localPort?: number;
}

export class TcpStack implements ProtocolHandler, TcpEnv {
  readonly ip: IpLayer;
  readonly clock: Scheduler;
  readonly rng: Rng;
  readonly config: TcpConfig;
  readonly tsOffset: number;
  readonly stats: TcpStats = {
    inSegs: 0,
    outSegs: 0,
    inErrs: 0,
    retransSegs: 0,
    timeouts: 0,
    fastRetransmits: 0,
    outRsts: 0,
    zeroWindowProbes: 0,
  };
  /** Told of segments that nobody takes, and why; the frame may be read during the call only. */
  onDrop: ((reason: string, skb: Skb) => void) | undefined;
  private readonly table = new ConnectionTable();
  private readonly listeners = new Map<string, (socket: TcpSocket) => TcpHandler>();
  private readonly opts = new TcpOptions();

  /** Registers itself for TCP at the IP layer. */
  constructor(ip: IpLayer, config: Partial<TcpConfig> = {}) {
    this.ip = ip;
    this.clock = ip.clock;
    this.rng = ip.rng.fork("tcp");
    this.config = { ...DEFAULT_TCP_CONFIG, ...config };
    this.tsOffset = this.rng.u32();
    ip.register(IPPROTO_TCP, this);
  }

  /** `onAccept` is called for each connection when its handshake is complete, and gives its user. */
  listen(addr: number, port: number, onAccept: (socket: TcpSocket) => TcpHandler): TcpListener {
    const key = `${addr}:${port}`;
    if (this.listeners.has(key)) {
      throw new LabError("ERR_ENDPOINT_IN_USE", `something listens on ${formatIpv4(addr)}:${port} already`);
    }
    this.listeners.set(key, onAccept);
    return { addr, port, close: () => this.listeners.delete(key) };
  }

  /**
   * Opens a connection. Errors, also ENETUNREACH and EADDRINUSE, come by `handler.closed`, never before this returns.
   * A local port whose last connection to the same endpoint is in TIME_WAIT is taken over (RFC 6191).
   */
  connect(raddr: number, rport: number, handler: TcpHandler, opts: ConnectOptions = {}): TcpSocket {
    const laddr = opts.localAddr ?? this.ip.sourceFor(raddr);
    const lport = opts.localPort ?? this.ephemeralPort(laddr, raddr, rport);
    const old = this.table.get(laddr, lport, raddr, rport);
    const tcb = this.create(laddr, lport, raddr, rport);
    tcb.handler = handler;
    if (laddr === 0) return this.fail(tcb, "ENETUNREACH");
    if (lport === 0 || (old !== undefined && old.state !== TCP_STATE.TIME_WAIT)) return this.fail(tcb, "EADDRINUSE");
    if (old !== undefined) {
      // Above all that the old connection sent, so that none of its segments can be taken for ours.
      tcb.iss = (old.iss + old.sndNxt + 0x10001) >>> 0;
      closeTcb(old);
    }
    this.table.add(tcb);
    tcb.state = TCP_STATE.SYN_SENT;
    tcb.rttStartNs = this.clock.now;
    sendSyn(tcb);
    armRetransmit(tcb);
    return tcb.socket;
  }

  /** Number of connections, TIME_WAIT included. */
  get connections(): number {
    return this.table.size;
  }

  /** The open connections, for listings. */
  sockets(): TcpSocket[] {
    return this.table.values().map((t) => t.socket);
  }

  remove(tcb: Tcb): void {
    this.table.delete(tcb);
  }

  input(skb: Skb, ipOff: number, off: number, end: number): void {
    const pkt = skb.buf;
    this.stats.inSegs++;
    const laddr = rd32(pkt, ipOff + 16);
    const raddr = rd32(pkt, ipOff + 12);
    const pseudo = csumPseudo(raddr, laddr, IPPROTO_TCP, end - off);
    if (!tcpCheck(pkt, off, end) || csumFold(csumView(skb.view, off, end - off, pseudo)) !== 0xffff) {
      this.stats.inErrs++;
      this.onDrop?.(tcpCheck(pkt, off, end) ? "wrong TCP checksum" : "malformed TCP header", skb);
      return;
    }
    const tcb = this.table.get(laddr, tcpDport(pkt, off), raddr, tcpSport(pkt, off));
    this.opts.parse(pkt, off);
    if (tcb !== undefined && !this.reopens(tcb, pkt, off)) {
      tcpSegment(tcb, pkt, ipOff, off, end, this.opts);
      return;
    }
    const flags = tcpFlags(pkt, off);
    if ((flags & (TCP_SYN | TCP_ACK | TCP_RST)) === TCP_SYN && this.open(pkt, off, laddr, raddr)) return;
    this.onDrop?.("no such connection, and nothing listens on the port", skb);
    const len = end - off - tcpHlen(pkt, off) + (flags & TCP_SYN ? 1 : 0) + (flags & TCP_FIN ? 1 : 0);
    sendRstFor(this, pkt, ipOff, off, len);
  }

  icmpError(type: number, code: number, _mtu: number, buf: Uint8Array, ipOff: number, off: number, end: number): void {
    if (end - off < 8) return;
    const tcb = this.table.get(rd32(buf, ipOff + 12), rd16(buf, off), rd32(buf, ipOff + 16), rd16(buf, off + 2));
    if (tcb !== undefined) tcpIcmpError(tcb, type, code, buf, off);
  }

  /**
   * A SYN for a pair in TIME_WAIT that is newer by its timestamp or sequence number begins a new connection (RFC 1122
   * section 4.2.2.13, RFC 6191); the old one is forgotten.
   */
  private reopens(tcb: Tcb, pkt: Uint8Array, off: number): boolean {
    if (tcb.state !== TCP_STATE.TIME_WAIT) return false;
    if ((tcpFlags(pkt, off) & (TCP_SYN | TCP_ACK | TCP_RST)) !== TCP_SYN) return false;
    const newer = tcb.tsOk && this.opts.hasTs && seqLt(tcb.tsRecent, this.opts.tsVal);
    if (!newer && seqToOffset(tcpSeq(pkt, off), tcb.irs, tcb.rcvNxt) <= tcb.rcvNxt) return false;
    closeTcb(tcb);
    return true;
  }

  /** A SYN: false when nothing listens there. */
  private open(pkt: Uint8Array, off: number, laddr: number, raddr: number): boolean {
    const lport = tcpDport(pkt, off);
    const accept = this.listeners.get(`${laddr}:${lport}`) ?? this.listeners.get(`0:${lport}`);
    if (accept === undefined) return false;
    const tcb = this.create(laddr, lport, raddr, tcpSport(pkt, off));
    this.table.add(tcb);
    tcb.accept = accept;
    tcb.state = TCP_STATE.SYN_RECEIVED;
    tcb.rttStartNs = this.clock.now;
    takeSyn(tcb, pkt, off, this.opts);
    sendSyn(tcb);
    armRetransmit(tcb);
    return true;
  }

  private create(laddr: number, lport: number, raddr: number, rport: number): Tcb {
    const tcb = new Tcb(this, laddr, lport, raddr, rport);
    tcb.socket = new TcpSocket(tcb);
    tcb.rtxTimer = this.clock.timer(() => onRtxTimer(tcb));
    tcb.delAckTimer = this.clock.timer(() => onDelAckTimer(tcb));
    return tcb;
  }

  /** Reports an error of connect() as an event of its own. */
  private fail(tcb: Tcb, error: TcpError): TcpSocket {
    this.clock.timer(() => tcb.handler.closed?.(tcb.socket, error)).start(0);
    return tcb.socket;
  }

  /** A free port from a random start; 0 when all are taken towards this endpoint. */
  private ephemeralPort(laddr: number, raddr: number, rport: number): number {
    const start = this.rng.below(EPHEMERAL_COUNT);
    for (let i = 0; i < EPHEMERAL_COUNT; i++) {
      const port = EPHEMERAL_MIN + ((start + i) % EPHEMERAL_COUNT);
      if (this.table.get(laddr, port, raddr, rport) === undefined) return port;
    }
    return 0;
  }
}
