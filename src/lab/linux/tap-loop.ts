/**
 * One loop for all TAP interfaces of a lab: reads what is there, in turns, and waits in a thread of libuv's pool only when
 * there is nothing. The event loop goes on in between: child processes and servers of the same process are served.
 */
import { Epoll } from "./tap-calls.ts";

/** What the loop reads from. */
export interface TapReader {
  readonly fd: number;
  /** Reads up to `max` frames and sends each on its way; gives how many there were. */
  drain(max: number): number;
}

/** Frames of one interface before the next one has its turn. */
const BATCH = 64;
/** How long the event loop is kept waiting. */
const TURN_MS = 1;
/** Turns without a frame before the thread waits: the answer to a packet is often here within some microseconds. */
const IDLE_TURNS = 4;
const WAIT_MS = 1000;

export class TapLoop {
  private readonly epoll = new Epoll();
  private readonly readers: TapReader[] = [];
  /** What is due besides frames; gives the milliseconds until something is due again. */
  private readonly due: () => number;
  private idle = 0;
  private running = false;
  private closed = false;
  /** What went wrong in a turn; the loop has ended then. */
  failure: unknown;

  constructor(due: () => number) {
    this.due = due;
  }

  add(reader: TapReader): void {
    this.epoll.add(reader.fd, this.readers.length);
    this.readers.push(reader);
  }

  start(): void {
    if (this.running) return;
    this.running = true;
    this.turn();
  }

  /** Ends the loop; the readers' descriptors are the caller's to close afterwards. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const { fd } of this.readers) this.epoll.remove(fd);
    this.epoll.close();
  }

  private readonly turn = (): void => {
    if (this.closed) return;
    let frames: number;
    let waitMs: number;
    try {
      // Before: what is read now comes later than what was due meanwhile.
      this.due();
      frames = this.readAll();
      waitMs = this.due();
    } catch (err) {
      this.failure = err;
      return;
    }
    this.idle = frames > 0 ? 0 : this.idle + 1;
    // A wait is whole milliseconds: what is due sooner is waited for in turns.
    if (this.idle < IDLE_TURNS || waitMs < 1) setImmediate(this.turn);
    else this.epoll.wait(Math.min(Math.floor(waitMs), WAIT_MS), this.wokenUp);
  };

  private readonly wokenUp = (): void => {
    this.idle = 0;
    this.turn();
  };

  /** Reads until nothing is there or the turn is over; gives the number of frames. */
  private readAll(): number {
    const end = performance.now() + TURN_MS;
    let frames = 0;
    for (;;) {
      const ready = this.epoll.poll();
      if (ready <= 0) return frames;
      for (let i = 0; i < ready; i++) frames += this.readers[this.epoll.number(i)].drain(BATCH);
      if (performance.now() >= end) return frames;
    }
  }
}
