/**
 * The seams inside the simulator: time, and what a transport protocol sees of its host's IP layer.
 *
 * Time is an integer of nanoseconds since the start of the run, below 2^53. Nothing here knows wall time.
 */
import type { Skb } from "../dataplane/skb.ts";

/** Virtual time units in ns. */
export const MS = 1_000_000;
export const SEC = 1_000_000_000;

/** Whatever can be called back at a time. One object serves many events: no closure per event. */
export interface EventHandler {
  /** `arg` is what was given to `schedule`. */
  fire(arg: number): void;
}

/** A restartable one-shot timer. */
export interface Timer {
  readonly active: boolean;
  /** Absolute time at which it fires, ns. */
  readonly expires: number;
  /** (Re)starts it; an earlier start is forgotten. */
  start(delayNs: number): void;
  stop(): void;
}

/** Virtual clock and event queue. Events at the same time fire in the order in which they were scheduled. */
export interface Scheduler {
  /** Now, ns. */
  readonly now: number;
  /** Fires `handler.fire(arg)` at `now + delayNs`; cannot be cancelled (use a timer for that). */
  schedule(delayNs: number, handler: EventHandler, arg: number): void;
  timer(fn: () => void): Timer;
}

/** Deterministic random numbers, seeded once per run; every user takes a `fork` with a name of its own. */
export interface Rng {
  /** Uniform 32-bit unsigned integer. */
  u32(): number;
  /** Uniform integer in [0, n). */
  below(n: number): number;
  /** Uniform in [0, 1). */
  float(): number;
  /** An independent stream that depends on this one's seed and on `name` only. */
  fork(name: string): Rng;
}

/** Bytes between the start of a fresh frame and its L4 header: Ethernet and an IPv4 header without options. */
export const L4_OFFSET = 34;

/** What a transport protocol (UDP, TCP, ICMP echo) may ask of its host's IP layer. Addresses are host order. */
export interface IpLayer {
  readonly clock: Scheduler;
  readonly rng: Rng;
  /** Source address that a packet to `daddr` would get; 0 when there is no route. */
  sourceFor(daddr: number): number;
  /** True for the host's own addresses. */
  isLocal(addr: number): boolean;
  /** Path MTU to `daddr` in bytes: the NIC's, or what an ICMP "fragmentation needed" said (RFC 1191). */
  pathMtu(daddr: number): number;
  /** A pooled frame with room for `l4Len` bytes behind the IPv4 header; L4 starts at `skb.head + L4_OFFSET`. */
  allocate(l4Len: number): Skb;
  /**
   * Fills in the IPv4 header, routes and sends; takes the frame over in every case. False when there is no route, or
   * the packet exceeds the MTU and `df` is set (then nothing was sent). `id`: the IP ID; the host's next where left out.
   */
  output(skb: Skb, saddr: number, daddr: number, proto: number, df: boolean, tos?: number, id?: number): boolean;
  /** Sets who gets the datagrams of `proto`. */
  register(proto: number, handler: ProtocolHandler): void;
}

/** A transport protocol. The frame belongs to the IP layer and is reused after the call. */
export interface ProtocolHandler {
  /** A whole datagram for this host: IPv4 header at `ipOff`, L4 in `buf[off..end)`, IP checks done, L4 ones not. */
  input(skb: Skb, ipOff: number, off: number, end: number): void;
  /**
   * An ICMP error quotes a packet of ours: its IPv4 header at `ipOff`, at least 8 bytes of L4 at `off`, in `buf`.
   * `mtu` is the next-hop MTU of "fragmentation needed" (already stored in the path MTU cache), else 0.
   */
  icmpError(type: number, code: number, mtu: number, buf: Uint8Array, ipOff: number, off: number, end: number): void;
}
