/**
 * The transmission control block: all state of one TCP connection (RFC 9293 section 3.3.1).
 *
 * Sequence numbers are kept as offsets that never wrap: an offset from the own initial sequence number for what is sent,
 * from the peer's for what is received. The SYN is offset 0, the first byte of data offset 1, the FIN follows the last.
 * `seqToOffset` and the low 32 bits of `isn + offset` convert, so that all comparisons are those of plain numbers.
 */
import { seqDiff } from "../../wire/tcp.ts";
import type { IpLayer, Rng, Scheduler, Timer } from "../types.ts";
import { MS } from "../types.ts";
import { Congestion } from "./congestion.ts";
import { Reassembly } from "./reassembly.ts";
import { RttEstimator } from "./rtt.ts";
import { Scoreboard } from "./scoreboard.ts";
import { SendQueue } from "./send-queue.ts";
import type { TcpSocket } from "./socket.ts";

/** Connection states, RFC 9293 section 3.3.2. A listener is no connection, so LISTEN is not among them. */
export const TCP_STATE = {
  CLOSED: 0,
  SYN_SENT: 1,
  SYN_RECEIVED: 2,
  ESTABLISHED: 3,
  FIN_WAIT_1: 4,
  FIN_WAIT_2: 5,
  CLOSE_WAIT: 6,
  CLOSING: 7,
  LAST_ACK: 8,
  TIME_WAIT: 9,
} as const;
export type TcpState = (typeof TCP_STATE)[keyof typeof TCP_STATE];

/** Why a connection ended other than by FINs; errno names. */
export type TcpError =
  | "ECONNREFUSED"
  | "ECONNRESET"
  | "ETIMEDOUT"
  | "EHOSTUNREACH"
  | "ENETUNREACH"
  | "EADDRINUSE"
  | "ECONNABORTED";

/** What the user of a connection is told. Every method may be left out; all may call the socket's methods. */
export interface TcpHandler {
  /** The handshake is complete. */
  connected?(socket: TcpSocket): void;
  /** Bytes in order: `buf[off..off+len)`, valid only during the call. */
  data?(socket: TcpSocket, buf: Uint8Array, off: number, len: number): void;
  /** The peer's FIN: no more data will come; the own direction stays open until `end()`. */
  ended?(socket: TcpSocket): void;
  /** The connection is over (also when only TIME_WAIT is left). Called once, last. */
  closed?(socket: TcpSocket, error?: TcpError): void;
}

/** Counters of one host's TCP. */
export interface TcpStats {
  inSegs: number;
  outSegs: number;
  /** Segments dropped for a bad checksum or a malformed header. */
  inErrs: number;
  retransSegs: number;
  /** Retransmission timeouts, SYNs included. */
  timeouts: number;
  /** Fast recoveries entered. */
  fastRetransmits: number;
  outRsts: number;
  zeroWindowProbes: number;
}

/** Settings of one host's TCP; Linux' defaults. */
export interface TcpConfig {
  /** Receive buffer, bytes; a power of two. It bounds the window offered. */
  rcvBuf: number;
  synRetries: number;
  synAckRetries: number;
  /** Retransmissions of one segment before the connection is given up (tcp_retries2). */
  retries: number;
  timeWaitNs: number;
  delAckNs: number;
  /** Offer these options: SACK (RFC 2018), timestamps and window scaling (RFC 7323). */
  sack: boolean;
  timestamps: boolean;
  windowScaling: boolean;
}

/** What a connection needs of its host. */
export interface TcpEnv {
  readonly ip: IpLayer;
  readonly clock: Scheduler;
  readonly rng: Rng;
  readonly stats: TcpStats;
  readonly config: TcpConfig;
  /** Added to the millisecond clock in timestamps; one for the host, so that they grow over successive connections. */
  readonly tsOffset: number;
  /** Forgets a connection. */
  remove(tcb: Tcb): void;
}

/** Phases of loss recovery. */
export const RECOVERY = {
  NONE: 0,
  /** Fast recovery (RFC 5681, 6582, 6675): the window is fixed until the recovery point is acknowledged. */
  FAST: 1,
  /** After a timeout, or after a path MTU that shrank: all that is outstanding counts as lost; the window grows. */
  LOSS: 2,
} as const;

/** What the retransmission timer waits for. */
export const RTX = { NONE: 0, RETRANSMIT: 1, PERSIST: 2, TIME_WAIT: 3 } as const;

/** Default send MSS without an MSS option (RFC 9293 3.7.1). */
export const DEFAULT_MSS = 536;

export class Tcb {
  readonly env: TcpEnv;
  readonly laddr: number;
  readonly lport: number;
  readonly raddr: number;
  readonly rport: number;
  state: TcpState = TCP_STATE.CLOSED;
  handler: TcpHandler = {};
  /** Set right after construction. */
  socket!: TcpSocket;
  /** Called with the socket when a passive open completes; undefined for an active one. */
  accept: ((socket: TcpSocket) => TcpHandler) | undefined;
  /** A segment is being processed: output waits for its end. */
  inInput = false;
  /** `closed` was called. */
  reported = false;
  /** An ICMP error that does not end the connection by itself (RFC 1122 4.2.3.9), reported when it times out. */
  softError: TcpError | undefined;

  // Sending. Offsets from iss.
  iss: number;
  sndUna = 0;
  sndNxt = 0;
  /** Peer's window in bytes, scaled, and the largest ever seen. */
  sndWnd = 0;
  maxSndWnd = 0;
  /** Receive offset and acknowledgment of the last window update (SND.WL1, SND.WL2). */
  sndWl1 = 0;
  sndWl2 = 0;
  sndWscale = 0;
  /** Payload bytes per full segment: path MTU and peer's MSS, less the options of every segment. */
  mss = DEFAULT_MSS;
  peerMss = DEFAULT_MSS;
  readonly queue = new SendQueue();
  /** `end()` was called: a FIN follows the last byte of the queue. */
  finQueued = false;
  lastSendNs = 0;

  // Loss detection and congestion control.
  recovery: number = RECOVERY.NONE;
  /** Recovery ends when this offset is acknowledged. */
  recoveryPoint = 0;
  dupAcks = 0;
  readonly scoreboard = new Scoreboard();
  readonly cc = new Congestion();
  readonly rtt = new RttEstimator();
  /** The one segment timed: its end, or -1, and when it was sent. */
  rttEnd = -1;
  rttStartNs = 0;

  // Retransmission, persist and TIME_WAIT timer. It is restarted lazily: `rtxDeadline` may lie behind `rtxTimer.expires`.
  rtxTimer: Timer | undefined;
  rtxKind: number = RTX.NONE;
  rtxDeadline = 0;
  /** Timeouts in a row: the exponent of the back-off. */
  backoff = 0;
  /** Zero window probes sent since the peer was last heard. */
  unanswered = 0;

  // Receiving. Offsets from irs.
  irs = 0;
  rcvNxt = 0;
  /** Right edge of the window advertised; never moves back. */
  rcvAdv = 0;
  rcvWscale = 0;
  readonly rcv: Reassembly;
  /** Offset of the peer's FIN, or -1. */
  finOffset = -1;
  /** `ended` was called. */
  endReported = false;

  // Acknowledging.
  delAckTimer: Timer | undefined;
  /** In-order segments received since the last ACK sent. */
  unackedSegs = 0;
  ackNow = false;
  /** Acknowledgments to send at once before delaying starts, as Linux does while the sender is in slow start. */
  quickAcks = 16;
  /** RCV.NXT in the last segment sent (Last.ACK.sent, RFC 7323). */
  lastAckSent = 0;
  /** When an unacceptable segment without data was last answered: not more often than twice a second. */
  lastChallengeNs = -1e12;

  // Options agreed on.
  sackOk = false;
  tsOk = false;
  tsRecent = 0;
  tsRecentNs = 0;

  constructor(env: TcpEnv, laddr: number, lport: number, raddr: number, rport: number) {
    this.env = env;
    this.laddr = laddr;
    this.lport = lport;
    this.raddr = raddr;
    this.rport = rport;
    this.iss = env.rng.u32();
    this.rcv = new Reassembly(env.config.rcvBuf);
  }
}

/** Offset of `seq` near `around`, given the initial sequence number of its direction. */
export function seqToOffset(seq: number, isn: number, around: number): number {
  return around + seqDiff(seq - isn, around);
}

/** The host's timestamp clock: 1 ms per tick, 32 bits. */
export function tsNow(env: TcpEnv): number {
  return (Math.floor(env.clock.now / MS) + env.tsOffset) >>> 0;
}

/** Bytes of options in every segment of an established connection. */
export const optionLen = (tcb: Tcb): number => (tcb.tsOk ? 12 : 0);
