/** Byte strings by number, packed into large chunks: frames and table rows of a recording. Number 0 is "none". */
import { int32 } from "./columns.ts";

const CHUNK = 1 << 20;

export class BytesStore {
  private readonly chunks: Uint8Array[] = [];
  private used = CHUNK;
  private held = 0;
  private readonly chunkOf = int32();
  private readonly offsets = int32();
  private readonly lengths = int32();

  constructor() {
    this.chunkOf.push(-1);
    this.offsets.push(0);
    this.lengths.push(0);
  }

  /** How many numbers are given out, 0 included. */
  get count(): number {
    return this.offsets.length;
  }

  /** Bytes of memory held. */
  get bytes(): number {
    return this.held + 3 * this.offsets.bytes;
  }

  /** Keeps a copy of `from[start, end)`. */
  add(from: Uint8Array, start = 0, end = from.length): number {
    const len = end - start;
    if (this.used + len > CHUNK) {
      this.chunks.push(new Uint8Array(Math.max(CHUNK, len)));
      this.held += Math.max(CHUNK, len);
      this.used = 0;
    }
    const chunk = this.chunks[this.chunks.length - 1];
    chunk.set(from.subarray(start, end), this.used);
    this.chunkOf.push(this.chunks.length - 1);
    this.offsets.push(this.used);
    this.lengths.push(len);
    this.used += len;
    return this.offsets.length - 1;
  }

  length(n: number): number {
    return this.lengths.data[n];
  }

  /** A view; it must not be written to. */
  get(n: number): Uint8Array {
    const at = this.offsets.data[n];
    return n === 0 ? new Uint8Array(0) : this.chunks[this.chunkOf.data[n]].subarray(at, at + this.lengths.data[n]);
  }

  /** True where number `n` has the bytes of `from[start, end)`. */
  same(n: number, from: Uint8Array, start: number, end: number): boolean {
    if (n === 0 || this.lengths.data[n] !== end - start) return false;
    const chunk = this.chunks[this.chunkOf.data[n]];
    const at = this.offsets.data[n] - start;
    for (let i = start; i < end; i++) if (chunk[at + i] !== from[i]) return false;
    return true;
  }
}
