/**
 * Twins of the kernel's BPF maps (kernel/bpf/hashtab.c, bpf_lru_list.c, arraymap.c) with their semantics: a fixed
 * maximum of entries, BPF_NOEXIST and BPF_EXIST, E2BIG when a hash is full, eviction when an LRU hash is.
 *
 * Keys are compared as 32-bit words, values are bytes in the kernel's layout. A lookup returns an *entry number*; its
 * value lies at `valueOffset(entry)` in `values` and may be read and written in place until the next update or delete.
 * The kernel's LRU is approximate (per-CPU lists, a reference bit); this one is exact: see docs/kernel-notes.md.
 */
import { rd32, wr32 } from "../wire/bytes.ts";
import { rdLe32, wrLe32 } from "./layout.ts";
import type { TableDef } from "./schema.ts";

export const BPF_ANY = 0;
export const BPF_NOEXIST = 1;
export const BPF_EXIST = 2;

/** Errors of an update or delete, by errno name. */
export type MapErrno = "E2BIG" | "EEXIST" | "ENOENT" | "EINVAL";

export class MapError extends Error {
  readonly errno: MapErrno;
  constructor(table: string, errno: MapErrno) {
    super(`${table}: ${errno}`);
    this.errno = errno;
  }
}

/** A table by bytes: what control plane and tools use, of the twin and of a kernel map alike. */
export interface TableStore {
  readonly def: TableDef;
  /** A copy of the value, or undefined. Does not count as a use for LRU (as the syscall does not). */
  lookup(key: Uint8Array): Uint8Array | undefined;
  /** Throws MapError: EEXIST, ENOENT, E2BIG, EINVAL. */
  update(key: Uint8Array, value: Uint8Array, flags?: number): void;
  /** False when there was no such entry. */
  delete(key: Uint8Array): boolean;
  entries(): [key: Uint8Array, value: Uint8Array][];
  clear(): void;
}

const MIN_CAPACITY = 16;

/** A hash, LRU hash or array map. */
export class BpfMap implements TableStore {
  readonly def: TableDef;
  readonly maxEntries: number;
  /** Values of all entries, `valueSize` bytes each. */
  values: Uint8Array;
  /** The same bytes, for loads and stores of whole words; replaced together with `values`. */
  view: DataView;
  readonly valueSize: number;

  private readonly words: number;
  /** A lone native-order u32 key: its word is the number itself. */
  private readonly nativeKey: boolean;
  private readonly lru: boolean;
  private count = 0;
  private capacity: number;
  /** Signed, since V8 keeps every int32 without a heap number. */
  private keys: Int32Array;
  /** Open-addressing index: entry + 1, 0 = empty; at most half full. */
  private index: Int32Array;
  private mask: number;
  /** LRU list (most recent first) and free list, by entry; -1 ends. */
  private next: Int32Array;
  private prev: Int32Array;
  private newest = -1;
  private oldest = -1;
  private free = -1;
  private used = 0;
  /** Entry that the last one-word lookup found, -1 = none: packet after packet asks for the same interface. */
  private hot = -1;

  constructor(def: TableDef, maxEntries: number = def.maxEntries) {
    this.def = def;
    this.maxEntries = maxEntries;
    this.valueSize = def.value.size;
    this.words = def.key.size / 4;
    const first = Object.values(def.key.fields as Record<string, { c(n: string): string }>)[0];
    this.nativeKey = this.words === 1 && first.c("").startsWith("__u32");
    this.lru = def.kind === "lru_hash";
    this.capacity = def.kind === "array" ? maxEntries : Math.min(MIN_CAPACITY, maxEntries);
    this.keys = new Int32Array(this.capacity * this.words);
    this.values = new Uint8Array(this.capacity * this.valueSize);
    this.view = new DataView(this.values.buffer);
    this.next = new Int32Array(this.capacity);
    this.prev = new Int32Array(this.lru ? this.capacity : 0);
    this.index = new Int32Array(0);
    this.mask = 0;
    this.reindex();
    if (def.kind === "array") for (let i = 0; i < maxEntries; i++) this.insert(i, 0, 0, 0);
  }

  get size(): number {
    return this.count;
  }

  valueOffset(entry: number): number {
    return entry * this.valueSize;
  }

  /** Word `i` of an entry's key, host order. */
  keyWord(entry: number, i: number): number {
    return this.keys[entry * this.words + i] >>> 0;
  }

  /** Entry with a one-word key, or -1. Counts as a use for LRU, as does every `find`. */
  find1(w0: number): number {
    w0 |= 0;
    const { hot, keys, index, mask } = this;
    if (hot >= 0 && keys[hot] === w0) {
      if (this.lru) this.touch(hot);
      return hot;
    }
    let i = mix(w0, 0) & mask;
    for (;;) {
      const e = index[i] - 1;
      if (e < 0) return -1;
      if (keys[e] === w0) {
        if (this.lru) this.touch(e);
        this.hot = e;
        return e;
      }
      i = (i + 1) & mask;
    }
  }

  /** Entry with a two-word key (an endpoint: `ip`, `port << 16 | proto << 8`), or -1. */
  find2(w0: number, w1: number): number {
    w0 |= 0;
    w1 |= 0;
    const { keys, index, mask } = this;
    let i = mix(w0, w1) & mask;
    for (;;) {
      const e = index[i] - 1;
      if (e < 0) return -1;
      const k = e * 2;
      if (keys[k] === w0 && keys[k + 1] === w1) {
        if (this.lru) this.touch(e);
        return e;
      }
      i = (i + 1) & mask;
    }
  }

  /** Entry with a four-word key (a session), or -1. */
  find4(w0: number, w1: number, w2: number, w3: number): number {
    w0 |= 0;
    w1 |= 0;
    w2 |= 0;
    w3 |= 0;
    const { keys, index, mask } = this;
    let i = mix(mix(w0, w1) ^ w2, w3) & mask;
    for (;;) {
      const e = index[i] - 1;
      if (e < 0) return -1;
      const k = e * 4;
      if (keys[k] === w0 && keys[k + 1] === w1 && keys[k + 2] === w2 && keys[k + 3] === w3) {
        if (this.lru) this.touch(e);
        return e;
      }
      i = (i + 1) & mask;
    }
  }

  /**
   * The entry of a key, made with a zeroed value when there is none; -1 when a hash is full (E2BIG). An LRU hash evicts its
   * least recently used entry instead. Words beyond the key's length are ignored.
   */
  upsert(w0: number, w1 = 0, w2 = 0, w3 = 0): number {
    const found = this.find(w0, w1, w2, w3);
    if (found >= 0) return found;
    if (this.count >= this.maxEntries) {
      if (!this.lru) return -1;
      this.removeEntry(this.oldest);
    }
    return this.insert(w0, w1, w2, w3);
  }

  lookup(key: Uint8Array): Uint8Array | undefined {
    const e = this.findBytes(key);
    return e < 0 ? undefined : this.values.slice(e * this.valueSize, (e + 1) * this.valueSize);
  }

  update(key: Uint8Array, value: Uint8Array, flags = BPF_ANY): void {
    if (key.length !== this.def.key.size || value.length !== this.valueSize || flags > BPF_EXIST)
      throw new MapError(this.def.name, "EINVAL");
    const found = this.findBytes(key);
    if (this.def.kind === "array" && found < 0) throw new MapError(this.def.name, "E2BIG");
    if (flags === BPF_NOEXIST && found >= 0) throw new MapError(this.def.name, "EEXIST");
    if (flags === BPF_EXIST && found < 0) throw new MapError(this.def.name, "ENOENT");
    const w = this.keyWords(key);
    const entry = this.upsert(w[0], w[1], w[2], w[3]);
    if (entry < 0) throw new MapError(this.def.name, "E2BIG");
    this.values.set(value, entry * this.valueSize);
  }

  delete(key: Uint8Array): boolean {
    if (this.def.kind === "array") throw new MapError(this.def.name, "EINVAL");
    const e = this.findBytes(key);
    if (e < 0) return false;
    this.removeEntry(e);
    return true;
  }

  /** Entry numbers of all entries, in no particular order; a hash may not be updated while they are walked. */
  *slots(): Generator<number> {
    for (const e1 of this.index) if (e1 > 0) yield e1 - 1;
  }

  entries(): [Uint8Array, Uint8Array][] {
    const order = [...this.slots()].sort((a, b) => a - b);
    return order.map((e) => [this.keyBytes(e), this.values.slice(e * this.valueSize, (e + 1) * this.valueSize)]);
  }

  clear(): void {
    if (this.def.kind === "array") {
      this.values.fill(0);
      return;
    }
    this.index.fill(0);
    this.count = this.used = 0;
    this.free = this.newest = this.oldest = this.hot = -1;
  }

  private find(w0: number, w1: number, w2: number, w3: number): number {
    return this.words === 1 ? this.find1(w0) : this.words === 2 ? this.find2(w0, w1) : this.find4(w0, w1, w2, w3);
  }

  /** As `find`, without touching the LRU order. */
  private findBytes(key: Uint8Array): number {
    if (key.length !== this.def.key.size) throw new MapError(this.def.name, "EINVAL");
    const w = this.keyWords(key);
    for (let i = this.hash(w[0], w[1], w[2], w[3]) & this.mask; ; i = (i + 1) & this.mask) {
      const e = this.index[i] - 1;
      if (e < 0) return -1;
      let same = true;
      for (let j = 0; j < this.words; j++) same &&= this.keys[e * this.words + j] === w[j];
      if (same) return e;
    }
  }

  private keyWords(key: Uint8Array): number[] {
    const w = [0, 0, 0, 0];
    for (let j = 0; j < this.words; j++) w[j] = (this.nativeKey ? rdLe32(key, 4 * j) : rd32(key, 4 * j)) | 0;
    return w;
  }

  private keyBytes(entry: number): Uint8Array {
    const out = new Uint8Array(this.def.key.size);
    for (let j = 0; j < this.words; j++) {
      const w = this.keys[entry * this.words + j];
      if (this.nativeKey) wrLe32(out, 4 * j, w);
      else wr32(out, 4 * j, w);
    }
    return out;
  }

  private hash(w0: number, w1: number, w2: number, w3: number): number {
    return this.words === 1 ? mix(w0, 0) : this.words === 2 ? mix(w0, w1) : mix(mix(w0, w1) ^ w2, w3);
  }

  private insert(w0: number, w1: number, w2: number, w3: number): number {
    let e = this.free;
    if (e >= 0) this.free = this.next[e];
    else {
      if (this.used === this.capacity) this.grow();
      e = this.used++;
    }
    const k = e * this.words;
    this.keys[k] = w0;
    if (this.words > 1) this.keys[k + 1] = w1;
    if (this.words > 2) {
      this.keys[k + 2] = w2;
      this.keys[k + 3] = w3;
    }
    this.values.fill(0, e * this.valueSize, (e + 1) * this.valueSize);
    this.count++;
    this.link(e);
    if (this.lru) this.pushNewest(e);
    return e;
  }

  private link(e: number): void {
    const k = e * this.words;
    let i = this.hash(this.keys[k], this.keys[k + 1], this.keys[k + 2], this.keys[k + 3]) & this.mask;
    while (this.index[i] !== 0) i = (i + 1) & this.mask;
    this.index[i] = e + 1;
  }

  private removeEntry(e: number): void {
    const k = e * this.words;
    let i = this.hash(this.keys[k], this.keys[k + 1], this.keys[k + 2], this.keys[k + 3]) & this.mask;
    while (this.index[i] !== e + 1) i = (i + 1) & this.mask;
    // Backward-shift deletion: no tombstones, so probes stay short however many sessions come and go.
    for (let j = (i + 1) & this.mask; this.index[j] !== 0; j = (j + 1) & this.mask) {
      const kj = (this.index[j] - 1) * this.words;
      const home = this.hash(this.keys[kj], this.keys[kj + 1], this.keys[kj + 2], this.keys[kj + 3]) & this.mask;
      if (((j - home) & this.mask) >= ((j - i) & this.mask)) {
        this.index[i] = this.index[j];
        i = j;
      }
    }
    this.index[i] = 0;
    if (this.hot === e) this.hot = -1;
    if (this.lru) this.unlinkLru(e);
    this.next[e] = this.free;
    this.free = e;
    this.count--;
  }

  private touch(e: number): void {
    if (this.newest === e) return;
    this.unlinkLru(e);
    this.pushNewest(e);
  }

  private pushNewest(e: number): void {
    this.prev[e] = -1;
    this.next[e] = this.newest;
    if (this.newest >= 0) this.prev[this.newest] = e;
    this.newest = e;
    if (this.oldest < 0) this.oldest = e;
  }

  private unlinkLru(e: number): void {
    const p = this.prev[e];
    const n = this.next[e];
    if (p >= 0) this.next[p] = n;
    else this.newest = n;
    if (n >= 0) this.prev[n] = p;
    else this.oldest = p;
  }

  private grow(): void {
    this.capacity = Math.min(this.capacity * 2, this.maxEntries);
    this.keys = resize(this.keys, this.capacity * this.words);
    this.values = resize(this.values, this.capacity * this.valueSize);
    this.view = new DataView(this.values.buffer);
    this.next = resize(this.next, this.capacity);
    if (this.lru) this.prev = resize(this.prev, this.capacity);
    this.reindex();
  }

  private reindex(): void {
    let size = 4;
    while (size < this.capacity * 2) size *= 2;
    const old = this.index;
    this.index = new Int32Array(size);
    this.mask = size - 1;
    for (const e1 of old) if (e1 > 0) this.link(e1 - 1);
  }
}

/** Hash of two words (a multiply-xorshift round per word, constants of MurmurHash3's finalizer). */
function mix(a: number, b: number): number {
  let h = Math.imul(a ^ (a >>> 16), 0x85ebca6b) ^ b;
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

function resize<T extends Uint8Array | Int32Array>(old: T, length: number): T {
  const out = new (old.constructor as new (n: number) => T)(length);
  out.set(old as never);
  return out;
}
