/**
 * Virtual time: the event queue of a run and its timers.
 *
 * A 4-ary heap over typed arrays, keyed by (time, sequence number), so that events at one time fire in the order in
 * which they were scheduled. Handlers and arguments lie in parallel arrays: an event allocates nothing. Nothing here
 * knows wall time.
 */
import type { EventHandler, Scheduler, Timer } from "./types.ts";

const INITIAL_CAPACITY = 1024;

export class Simulation implements Scheduler {
  now = 0;
  /** Events fired since the start of the run. */
  fired = 0;

  private size = 0;
  private seq = 0;
  private capacity = INITIAL_CAPACITY;
  // The heap proper.
  private times = new Float64Array(INITIAL_CAPACITY);
  private seqs = new Float64Array(INITIAL_CAPACITY);
  private slots = new Int32Array(INITIAL_CAPACITY);
  // Events by slot; `nextFree` chains the free ones.
  private handlers: (EventHandler | undefined)[] = new Array<EventHandler | undefined>(INITIAL_CAPACITY).fill(
    undefined,
  );
  private args = new Float64Array(INITIAL_CAPACITY);
  private nextFree = new Int32Array(INITIAL_CAPACITY);
  private free = -1;

  constructor() {
    this.chainFree(0);
  }

  /** Events that wait. */
  get pending(): number {
    return this.size;
  }

  schedule(delayNs: number, handler: EventHandler, arg: number): void {
    this.insert(this.now + Math.max(delayNs, 0), this.seq++, handler, arg);
  }

  timer(fn: () => void): Timer {
    return new LazyTimer(this, fn);
  }

  /** A place in the order of events at one time; for `insert`. */
  takeSeq(): number {
    return this.seq++;
  }

  /** Queues an event at an absolute time that is not in the past, in the order given by a number from `takeSeq`. */
  insert(time: number, seq: number, handler: EventHandler, arg: number): void {
    if (this.size === this.capacity) this.grow();
    const slot = this.free;
    this.free = this.nextFree[slot];
    this.handlers[slot] = handler;
    this.args[slot] = arg;

    const { times, seqs, slots } = this;
    let i = this.size++;
    while (i > 0) {
      const parent = (i - 1) >> 2;
      const t = times[parent];
      if (t < time || (t === time && seqs[parent] < seq)) break;
      times[i] = t;
      seqs[i] = seqs[parent];
      slots[i] = slots[parent];
      i = parent;
    }
    times[i] = time;
    seqs[i] = seq;
    slots[i] = slot;
  }

  /** Fires the next event; false when there is none. */
  step(): boolean {
    if (this.size === 0) return false;
    const slot = this.slots[0];
    this.now = this.times[0];
    this.removeTop();
    const handler = this.handlers[slot]!;
    const arg = this.args[slot];
    this.handlers[slot] = undefined;
    this.nextFree[slot] = this.free;
    this.free = slot;
    this.fired++;
    handler.fire(arg);
    return true;
  }

  /** Fires everything up to and including `untilNs`, where the clock then stands. */
  run(untilNs: number): void {
    while (this.size > 0 && this.times[0] <= untilNs) this.step();
    if (this.now < untilNs) this.now = untilNs;
  }

  /** When the next event is due (absolute); Infinity when there is none. */
  get next(): number {
    return this.size === 0 ? Number.POSITIVE_INFINITY : this.times[0];
  }

  /**
   * Fires events until `pred` holds, which is asked before the first and after each of them; false when it still does
   * not at `limitNs` (absolute), where the clock then stands.
   */
  runUntil(pred: () => boolean, limitNs: number): boolean {
    while (!pred()) {
      if (this.size === 0 || this.times[0] > limitNs) {
        if (this.now < limitNs) this.now = limitNs;
        return false;
      }
      this.step();
    }
    return true;
  }

  private removeTop(): void {
    const n = --this.size;
    if (n === 0) return;
    const { times, seqs, slots } = this;
    const time = times[n];
    const seq = seqs[n];
    const slot = slots[n];
    let i = 0;
    for (;;) {
      const first = 4 * i + 1;
      if (first >= n) break;
      const last = Math.min(first + 4, n);
      let best = first;
      let bestTime = times[first];
      for (let c = first + 1; c < last; c++) {
        const t = times[c];
        if (t < bestTime || (t === bestTime && seqs[c] < seqs[best])) {
          best = c;
          bestTime = t;
        }
      }
      if (time < bestTime || (time === bestTime && seq < seqs[best])) break;
      times[i] = bestTime;
      seqs[i] = seqs[best];
      slots[i] = slots[best];
      i = best;
    }
    times[i] = time;
    seqs[i] = seq;
    slots[i] = slot;
  }

  private grow(): void {
    const old = this.capacity;
    const capacity = (this.capacity = old * 2);
    const widen = <T extends Float64Array | Int32Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.times = widen(this.times, new Float64Array(capacity));
    this.seqs = widen(this.seqs, new Float64Array(capacity));
    this.slots = widen(this.slots, new Int32Array(capacity));
    this.args = widen(this.args, new Float64Array(capacity));
    this.nextFree = widen(this.nextFree, new Int32Array(capacity));
    for (let i = old; i < capacity; i++) this.handlers.push(undefined);
    this.chainFree(old);
  }

  private chainFree(from: number): void {
    for (let i = from; i < this.capacity; i++) this.nextFree[i] = i + 1 < this.capacity ? i + 1 : this.free;
    this.free = from;
  }
}

/**
 * A timer that is cheap to restart: the event already queued stays, and queues itself again when it comes too early.
 * It fires at the place in the order of events that its latest start took.
 */
class LazyTimer implements Timer, EventHandler {
  active = false;
  expires = 0;

  private readonly clock: Simulation;
  private readonly fn: () => void;
  private seq = 0;
  private queued = false;
  private queuedAt = 0;
  private queuedSeq = 0;

  constructor(clock: Simulation, fn: () => void) {
    this.clock = clock;
    this.fn = fn;
  }

  start(delayNs: number): void {
    this.active = true;
    this.expires = this.clock.now + Math.max(delayNs, 0);
    this.seq = this.clock.takeSeq();
    if (!this.queued || this.queuedAt > this.expires) this.enqueue();
  }

  stop(): void {
    this.active = false;
  }

  fire(seq: number): void {
    // An event that a start for an earlier time has replaced.
    if (!this.queued || seq !== this.queuedSeq) return;
    this.queued = false;
    if (!this.active) return;
    if (seq !== this.seq) {
      this.enqueue();
      return;
    }
    this.active = false;
    this.fn();
  }

  private enqueue(): void {
    this.queued = true;
    this.queuedAt = this.expires;
    this.queuedSeq = this.seq;
    this.clock.insert(this.expires, this.seq, this, this.seq);
  }
}
