/** A bridge's forwarding database (IEEE 802.1D section 7.9): MAC address -> port, aged. Open addressing, no allocation. */
import { rd16, rd32 } from "../wire/bytes.ts";
import { SEC } from "./types.ts";

const AGEING_NS = 300 * SEC;
const INITIAL_CAPACITY = 64;

export class MacTable {
  private capacity = INITIAL_CAPACITY;
  private count = 0;
  private hi = new Uint16Array(INITIAL_CAPACITY);
  private lo = new Uint32Array(INITIAL_CAPACITY);
  /** Port + 1; 0 = empty. */
  private ports = new Int32Array(INITIAL_CAPACITY);
  private seen = new Float64Array(INITIAL_CAPACITY);

  /** Notes that the address at `b[off]` was seen behind `port`. */
  learn(b: Uint8Array, off: number, port: number, now: number): void {
    this.store(rd16(b, off), rd32(b, off + 2), port, now, now);
  }

  /** The port of the address at `b[off]`; -1 when it is unknown or aged out. */
  lookup(b: Uint8Array, off: number, now: number): number {
    const i = this.find(rd16(b, off), rd32(b, off + 2));
    return this.ports[i] !== 0 && now - this.seen[i] < AGEING_NS ? this.ports[i] - 1 : -1;
  }

  private store(hi: number, lo: number, port: number, seen: number, now: number): void {
    const i = this.find(hi, lo);
    if (this.ports[i] === 0) {
      if (2 * this.count >= this.capacity) {
        this.rehash(now);
        this.store(hi, lo, port, seen, now);
        return;
      }
      this.hi[i] = hi;
      this.lo[i] = lo;
      this.count++;
    }
    this.ports[i] = port + 1;
    this.seen[i] = seen;
  }

  /** The address's slot, or the empty one where it would go. */
  private find(hi: number, lo: number): number {
    const mask = this.capacity - 1;
    let i = Math.imul(lo ^ (hi << 7), 0x9e3779b1) >>> 12;
    for (i &= mask; this.ports[i] !== 0; i = (i + 1) & mask) {
      if (this.lo[i] === lo && this.hi[i] === hi) return i;
    }
    return i;
  }

  /** Drops what has aged out, and doubles the table where that does not suffice. */
  private rehash(now: number): void {
    const { hi, lo, ports, seen, capacity } = this;
    let live = 0;
    for (let i = 0; i < capacity; i++) if (ports[i] !== 0 && now - seen[i] < AGEING_NS) live++;
    while (4 * live >= this.capacity) this.capacity *= 2;
    this.count = 0;
    this.hi = new Uint16Array(this.capacity);
    this.lo = new Uint32Array(this.capacity);
    this.ports = new Int32Array(this.capacity);
    this.seen = new Float64Array(this.capacity);
    for (let i = 0; i < capacity; i++) {
      if (ports[i] !== 0 && now - seen[i] < AGEING_NS) this.store(hi[i], lo[i], ports[i] - 1, seen[i], now);
    }
  }
}
