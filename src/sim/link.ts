/**
 * A full-duplex link between two ports, each direction with its own rate, delay, queue and faults (as tc-netem(8) has
 * them: loss, duplication, reordering by an extra delay, corruption by a flipped bit).
 *
 * Frames under way in one direction stand in a ring, in the order of their arrival, and only the first has an event in
 * the queue: frames that arrive together cost one event.
 */
import type { Skb } from "../dataplane/skb.ts";
import { ETH_HLEN } from "../wire/ethernet.ts";
import type { DropSite } from "./env.ts";
import type { SkbPool } from "./pool.ts";
import type { EventHandler, Rng } from "./types.ts";

/** Faults and limits of a link, in the direction host -> network and back alike. */
export interface LinkProps {
  /** One-way propagation delay, ns. */
  delayNs: number;
  /** Bits per second; 0 = unlimited. */
  rateBps: number;
  /** Frames that wait for the line; more are dropped at the tail. */
  queue: number;
  /** Probabilities, 0 to 1. */
  loss: number;
  duplicate: number;
  reorder: number;
  corrupt: number;
  /** Extra delay of a reordered frame, ns. */
  reorderDelayNs: number;
  /** Each frame's extra delay is uniform in [0, jitterNs]; frames keep their order (only `reorder` changes it). */
  jitterNs: number;
}

export const DEFAULT_LINK: LinkProps = {
  delayNs: 10_000,
  rateBps: 0,
  queue: 1000,
  loss: 0,
  duplicate: 0,
  reorder: 0,
  corrupt: 0,
  reorderDelayNs: 1_000_000,
  jitterNs: 0,
};

/** What a link's end is plugged into; it takes the frame over. */
export interface FrameSink {
  deliver(skb: Skb): void;
}

/** What a NIC or bridge port sends into; it takes the frame over. */
export interface FrameOut {
  send(skb: Skb): void;
}

const INITIAL_RING = 16;
/** Argument of the event for the ring's head; stragglers have theirs from 0 on. */
const HEAD = -1;

/** What a link needs around it: SimEnv, or a network in real time. */
export interface LinkEnv {
  readonly clock: { readonly now: number; schedule(delayNs: number, handler: EventHandler, arg: number): void };
  readonly rng: Rng;
  readonly pool: SkbPool;
  hops: number;
  drop(where: string, reason: string, at: DropSite, skb: Skb): void;
}

/** One direction of a link. */
export class LinkDirection implements FrameOut, EventHandler, DropSite {
  readonly label: string;
  props: LinkProps;
  /** Frames accepted from the sender, delivered, and dropped for whatever reason. */
  sent = 0;
  delivered = 0;
  dropped = 0;
  to: FrameSink | undefined;

  private readonly env: LinkEnv;
  private readonly rng: Rng;
  private up = true;
  /** When the line will have sent all that it was given, ns. */
  private lineFree = 0;
  // Ring of frames under way: [first, first + count); of these the last `waiting` may not be on the line yet.
  private ring: (Skb | undefined)[] = new Array<Skb | undefined>(INITIAL_RING).fill(undefined);
  private arrivals = new Float64Array(INITIAL_RING);
  private starts = new Float64Array(INITIAL_RING);
  private first = 0;
  private count = 0;
  private waiting = 0;
  private lastArrival = 0;
  private headQueued = false;
  /** Reordered frames by number, each with an event of its own. */
  private readonly stragglers = new Map<number, Skb>();
  private nextStraggler = 0;

  constructor(env: LinkEnv, label: string, props: LinkProps) {
    this.env = env;
    this.label = label;
    this.props = { ...props };
    this.rng = env.rng.fork(`link ${label}`);
  }

  send(skb: Skb): void {
    const p = this.props;
    this.sent++;
    if (!this.up) {
      this.drop("the link is down", skb);
      return;
    }
    if (p.loss > 0 && this.rng.float() < p.loss) {
      this.drop("lost on the link", skb);
      return;
    }
    if (p.corrupt > 0 && this.rng.float() < p.corrupt) {
      skb = this.env.pool.unshare(skb);
      this.corrupt(skb);
    }
    if (p.duplicate > 0 && this.rng.float() < p.duplicate) this.put(this.env.pool.clone(skb));
    this.put(skb);
  }

  /** Takes the line up or down; frames under way are lost when it goes down. */
  setUp(up: boolean): void {
    this.up = up;
    if (up) return;
    while (this.count > 0) this.drop("the link went down", this.shift());
    for (const skb of this.stragglers.values()) this.drop("the link went down", skb);
    this.stragglers.clear();
    this.lineFree = this.lastArrival = this.env.clock.now;
  }

  fire(arg: number): void {
    if (arg !== HEAD) {
      this.fireStraggler(arg);
      return;
    }
    this.headQueued = false;
    const now = this.env.clock.now;
    while (this.count > 0 && this.arrivals[this.first] <= now) this.arrive(this.shift());
    this.queueHead();
  }

  private put(skb: Skb): void {
    const p = this.props;
    const now = this.env.clock.now;
    let start = now;
    let arrival = now + p.delayNs;
    if (p.rateBps > 0) {
      if (this.lineFree > now) {
        start = this.lineFree;
        if (this.backlog(now) >= p.queue) {
          this.drop("the link's queue is full", skb);
          return;
        }
      }
      this.lineFree = start + Math.ceil(((skb.end - skb.head) * 8e9) / p.rateBps);
      arrival = this.lineFree + p.delayNs;
    }
    if (p.jitterNs > 0) arrival += this.rng.below(p.jitterNs + 1);
    if (p.reorder > 0 && this.rng.float() < p.reorder) {
      this.straggle(skb, arrival + p.reorderDelayNs - now);
      return;
    }
    // A line does not reorder of itself, also when its delay varies.
    if (arrival < this.lastArrival) arrival = this.lastArrival;
    this.lastArrival = arrival;
    if (this.count === this.ring.length) this.grow();
    const i = (this.first + this.count++) & (this.ring.length - 1);
    this.ring[i] = skb;
    this.arrivals[i] = arrival;
    this.starts[i] = start;
    this.waiting++;
    if (!this.headQueued) this.queueHead();
  }

  /** Frames whose first bit is not on the line yet. */
  private backlog(now: number): number {
    const mask = this.ring.length - 1;
    while (this.waiting > 0 && this.starts[(this.first + this.count - this.waiting) & mask] <= now) this.waiting--;
    return this.waiting;
  }

  private queueHead(): void {
    if (this.count === 0) return;
    this.headQueued = true;
    this.env.clock.schedule(this.arrivals[this.first] - this.env.clock.now, this, HEAD);
  }

  private shift(): Skb {
    const skb = this.ring[this.first]!;
    this.ring[this.first] = undefined;
    this.first = (this.first + 1) & (this.ring.length - 1);
    this.count--;
    if (this.waiting > this.count) this.waiting = this.count;
    return skb;
  }

  private arrive(skb: Skb): void {
    const to = this.to;
    if (to === undefined) {
      this.drop("nothing is plugged into the link", skb);
      return;
    }
    this.delivered++;
    this.env.hops++;
    to.deliver(skb);
  }

  private straggle(skb: Skb, delayNs: number): void {
    const i = this.nextStraggler++;
    this.stragglers.set(i, skb);
    this.env.clock.schedule(delayNs, this, i);
  }

  private fireStraggler(i: number): void {
    const skb = this.stragglers.get(i);
    if (skb === undefined) return;
    this.stragglers.delete(i);
    this.arrive(skb);
  }

  /** Flips one bit behind the MAC header: a damaged MAC header would be lost at the next NIC, which tests nothing. */
  private corrupt(skb: Skb): void {
    const len = skb.end - skb.head - ETH_HLEN;
    if (len <= 0) return;
    const bit = this.rng.below(len * 8);
    skb.buf[skb.head + ETH_HLEN + (bit >>> 3)] ^= 1 << (bit & 7);
  }

  private drop(reason: string, skb: Skb): void {
    this.dropped++;
    this.env.drop("link", reason, this, skb);
  }

  private grow(): void {
    const n = this.ring.length;
    const ring = new Array<Skb | undefined>(2 * n).fill(undefined);
    const arrivals = new Float64Array(2 * n);
    const starts = new Float64Array(2 * n);
    for (let k = 0; k < n; k++) {
      const i = (this.first + k) & (n - 1);
      ring[k] = this.ring[i];
      arrivals[k] = this.arrivals[i];
      starts[k] = this.starts[i];
    }
    this.ring = ring;
    this.arrivals = arrivals;
    this.starts = starts;
    this.first = 0;
  }
}

/** Whatever has one plug: it sends into `out` and is delivered to. */
export interface Pluggable extends FrameSink {
  out: FrameOut | undefined;
}

/** Both directions. `label` names the link in drops; the fault streams depend on it and on the run's seed only. */
export class Link {
  readonly ab: LinkDirection;
  readonly ba: LinkDirection;
  private isUp = true;

  constructor(env: LinkEnv, label: string, a: Pluggable, b: Pluggable, props: LinkProps = DEFAULT_LINK) {
    this.ab = new LinkDirection(env, `${label} >`, props);
    this.ba = new LinkDirection(env, `${label} <`, props);
    a.out = this.ab;
    this.ab.to = b;
    b.out = this.ba;
    this.ba.to = a;
  }

  get up(): boolean {
    return this.isUp;
  }

  /** Changes properties from the next frame on, in one direction or (default) in both. */
  setProps(props: Partial<LinkProps>, direction: "ab" | "ba" | "both" = "both"): void {
    if (direction !== "ba") Object.assign(this.ab.props, props);
    if (direction !== "ab") Object.assign(this.ba.props, props);
  }

  setUp(up: boolean): void {
    this.isUp = up;
    this.ab.setUp(up);
    this.ba.setUp(up);
  }
}
