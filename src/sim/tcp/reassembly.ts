/**
 * The receive buffer: bytes that arrived out of order, and in-order bytes that a paused reader has not taken yet. In-order
 * bytes for a willing reader never enter it. The ring is allocated when first needed.
 */
import { RangeSet } from "./ranges.ts";

/** SACK blocks that fit beside a timestamp option. */
const MAX_SACK_BLOCKS = 3;

export class Reassembly {
  /** Bytes; a power of two. */
  readonly size: number;
  /** Everything below this offset was handed to the reader; the first byte has offset 1. */
  read = 1;
  /** Out-of-order ranges above RCV.NXT. */
  readonly ranges = new RangeSet();
  /** The blocks to report, set by `blocks()`: start, end, start, end ... */
  readonly sack: number[] = [0, 0, 0, 0, 0, 0];
  /** Offsets of the last out-of-order arrivals, latest first: their ranges are reported first (RFC 2018 section 4). */
  private readonly recent: number[] = [-1, -1, -1];
  private ring: Uint8Array | undefined;

  constructor(size: number) {
    this.size = size;
  }

  /** Stores bytes at `offset`; they lie within `size` bytes of `read`. */
  store(offset: number, buf: Uint8Array, off: number, len: number): void {
    this.ring ??= new Uint8Array(this.size);
    const at = offset % this.size;
    const first = Math.min(len, this.size - at);
    this.ring.set(buf.subarray(off, off + first), at);
    if (first < len) this.ring.set(buf.subarray(off + first, off + len), 0);
  }

  /** Notes an out-of-order range. */
  addRange(start: number, end: number): void {
    this.ranges.add(start, end);
    const r = this.recent;
    if (this.ranges.find(r[0]) !== this.ranges.find(start)) {
      r[2] = r[1];
      r[1] = r[0];
    }
    r[0] = start;
  }

  /** In-order data now ends at `nxt`: takes the range that continues it, if any, and returns the new RCV.NXT. */
  advance(nxt: number): number {
    const { ranges } = this;
    if (ranges.count > 0 && ranges.starts[0] <= nxt) nxt = Math.max(nxt, ranges.ends[0]);
    ranges.trim(nxt);
    return nxt;
  }

  /** The ring, for reading `contiguous()` bytes at `index()`. */
  get bytes(): Uint8Array {
    return this.ring as Uint8Array;
  }
  index(): number {
    return this.read % this.size;
  }
  /** Bytes from `read` to `nxt` that stand in one piece in the ring. */
  contiguous(nxt: number): number {
    return Math.min(nxt - this.read, this.size - this.index());
  }

  /** Fills `sack` and returns how many blocks it holds. */
  blocks(): number {
    const { ranges, recent } = this;
    let n = 0;
    for (let k = 0; k < recent.length && n < MAX_SACK_BLOCKS; k++) n = this.report(ranges.find(recent[k]), n);
    for (let i = ranges.count - 1; i >= 0 && n < MAX_SACK_BLOCKS; i--) n = this.report(i, n);
    return n;
  }

  private report(i: number, n: number): number {
    if (i < 0) return n;
    const start = this.ranges.starts[i];
    for (let k = 0; k < n; k++) if (this.sack[2 * k] === start) return n;
    this.sack[2 * n] = start;
    this.sack[2 * n + 1] = this.ranges.ends[i];
    return n + 1;
  }

  /** Gives the memory back. */
  free(): void {
    this.ring = undefined;
    this.ranges.clear();
  }
}
