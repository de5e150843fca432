/** ping(8): ICMP echo requests at an interval, and what came of them. */
import type { EchoListener, IcmpLayer } from "./icmp.ts";
import { type Scheduler, SEC, type Timer } from "./types.ts";

export interface PingOptions {
  count?: number;
  intervalNs?: number;
  /** How long the last answer is waited for. */
  timeoutNs?: number;
  /** Bytes of payload. */
  size?: number;
  df?: boolean;
  /** Source address; 0 = by the route. */
  source?: number;
}

export interface PingResult {
  sent: number;
  received: number;
  /** One per answer, in the order of their arrival. */
  rttNs: number[];
  errors: PingError[];
}

/** An ICMP error about a request, or (type -1) a request that could not be sent: no route, or too big for DF. */
export interface PingError {
  seq: number;
  type: number;
  code: number;
  /** Next-hop MTU of "fragmentation needed", else 0. */
  mtu: number;
  from: number;
}

export class Pinger implements EchoListener {
  readonly result: PingResult = { sent: 0, received: 0, rttNs: [], errors: [] };
  done = false;

  private readonly icmp: IcmpLayer;
  private readonly clock: Scheduler;
  private readonly daddr: number;
  private readonly opts: Required<PingOptions>;
  private readonly onDone: (result: PingResult) => void;
  private readonly id: number;
  private readonly timer: Timer;
  /** When each request was sent, by its sequence number; -1 once it is answered. */
  private readonly sentAt: number[] = [];
  private settled = 0;

  /** Starts at once; `onDone` is called when every request is answered or given up. */
  constructor(
    icmp: IcmpLayer,
    clock: Scheduler,
    daddr: number,
    opts: PingOptions = {},
    onDone: (result: PingResult) => void = () => {},
  ) {
    this.icmp = icmp;
    this.clock = clock;
    this.daddr = daddr;
    this.opts = {
      count: opts.count ?? 3,
      intervalNs: opts.intervalNs ?? SEC,
      timeoutNs: opts.timeoutNs ?? SEC,
      size: opts.size ?? 56,
      df: opts.df ?? false,
      source: opts.source ?? 0,
    };
    this.onDone = onDone;
    this.id = icmp.listen(this);
    this.timer = clock.timer(() => this.next());
    this.timer.start(0);
  }

  reply(seq: number, _saddr: number, _payloadLen: number): void {
    const at = this.sentAt[seq];
    if (at === undefined || at < 0) return;
    this.sentAt[seq] = -1;
    this.result.received++;
    this.result.rttNs.push(this.clock.now - at);
    this.settle();
  }

  error(seq: number, type: number, code: number, mtu: number, from: number): void {
    const at = this.sentAt[seq];
    if (at === undefined || at < 0) return;
    this.sentAt[seq] = -1;
    this.result.errors.push({ seq, type, code, mtu, from });
    this.settle();
  }

  private next(): void {
    const { opts, result } = this;
    if (result.sent >= opts.count) {
      this.finish();
      return;
    }
    // ping(8) of iputils counts from 1.
    const seq = ++result.sent;
    this.sentAt[seq] = this.clock.now;
    this.timer.start(result.sent < opts.count ? opts.intervalNs : opts.timeoutNs);
    if (!this.icmp.sendEcho(opts.source, this.daddr, this.id, seq, opts.size, opts.df)) {
      this.error(seq, -1, 0, 0, 0);
    }
  }

  private settle(): void {
    if (++this.settled === this.opts.count) this.finish();
  }

  private finish(): void {
    if (this.done) return;
    this.done = true;
    this.timer.stop();
    this.icmp.cancel(this.id);
    this.onDone(this.result);
  }
}

/** Pings and calls `onDone` with the result. */
export function ping(
  host: { icmp: IcmpLayer; ip: { clock: Scheduler } },
  daddr: number,
  opts: PingOptions = {},
  onDone?: (result: PingResult) => void,
): Pinger {
  return new Pinger(host.icmp, host.ip.clock, daddr, opts, onDone);
}
