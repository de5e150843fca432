/** SHA-256 (FIPS 180-4), streaming, in plain TypeScript; and the interface by which a native one can take its place. */
import { toHex } from "../wire/bytes.ts";

/** A running hash over a stream of bytes. */
export interface Hasher {
  /** Takes `buf[off..off+len)`; the bytes are not kept. */
  update(buf: Uint8Array, off: number, len: number): void;
  /** The digest in lower-case hex; nothing may follow. */
  hex(): string;
}
/** Starts a new hash. */
export type HasherFactory = () => Hasher;

const BLOCK = 64;

/** The first 32 bits of the fractional parts of the cube roots (K) and square roots (H) of the first primes. */
const K = new Int32Array(64);
const H = new Int32Array(8);
for (let n = 2, i = 0; i < 64; n++) {
  let prime = true;
  for (let d = 2; d * d <= n; d++) if (n % d === 0) prime = false;
  if (!prime) continue;
  K[i] = fraction(n, 3);
  if (i < 8) H[i] = fraction(n, 2);
  i++;
}

/** floor(frac(n ** (1/root)) * 2^32), exact by integer search where the double's estimate may be off by one. */
function fraction(n: number, root: number): number {
  const target = BigInt(n) << BigInt(32 * root);
  let x = BigInt(Math.floor(n ** (1 / root) * 0x100000000));
  while (x ** BigInt(root) > target) x--;
  while ((x + 1n) ** BigInt(root) <= target) x++;
  return Number(BigInt.asIntN(32, x));
}

export class Sha256 implements Hasher {
  private readonly h = H.slice();
  private readonly w = new Int32Array(64);
  private readonly block = new Uint8Array(BLOCK);
  private filled = 0;
  private total = 0;

  update(buf: Uint8Array, off: number, len: number): void {
    this.total += len;
    const end = off + len;
    if (this.filled > 0) {
      while (off < end && this.filled < BLOCK) this.block[this.filled++] = buf[off++];
      if (this.filled < BLOCK) return;
      this.compress(this.block, 0);
      this.filled = 0;
    }
    for (; off + BLOCK <= end; off += BLOCK) this.compress(buf, off);
    while (off < end) this.block[this.filled++] = buf[off++];
  }

  hex(): string {
    const { block, h } = this;
    const bits = this.total * 8;
    block[this.filled++] = 0x80;
    if (this.filled > BLOCK - 8) {
      block.fill(0, this.filled);
      this.compress(block, 0);
      this.filled = 0;
    }
    block.fill(0, this.filled);
    const view = new DataView(block.buffer);
    view.setUint32(56, Math.floor(bits / 0x100000000));
    view.setUint32(60, bits >>> 0);
    this.compress(block, 0);
    const out = new DataView(new ArrayBuffer(32));
    for (let i = 0; i < 8; i++) out.setInt32(4 * i, h[i]);
    return toHex(new Uint8Array(out.buffer));
  }

  private compress(p: Uint8Array, o: number): void {
    const { w, h } = this;
    for (let t = 0; t < 16; t++, o += 4) w[t] = (p[o] << 24) | (p[o + 1] << 16) | (p[o + 2] << 8) | p[o + 3];
    for (let t = 16; t < 64; t++) {
      const x = w[t - 15];
      const y = w[t - 2];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[t] = (w[t - 16] + s0 + w[t - 7] + s1) | 0;
    }
    let a = h[0];
    let b = h[1];
    let c = h[2];
    let d = h[3];
    let e = h[4];
    let f = h[5];
    let g = h[6];
    let hh = h[7];
    for (let t = 0; t < 64; t++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (hh + s1 + ((e & f) ^ (~e & g)) + K[t] + w[t]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      hh = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    h[0] = (h[0] + a) | 0;
    h[1] = (h[1] + b) | 0;
    h[2] = (h[2] + c) | 0;
    h[3] = (h[3] + d) | 0;
    h[4] = (h[4] + e) | 0;
    h[5] = (h[5] + f) | 0;
    h[6] = (h[6] + g) | 0;
    h[7] = (h[7] + hh) | 0;
  }
}

export const sha256: HasherFactory = () => new Sha256();

/** Bytes that `batched` collects before it calls the hash; at first fewer, since most bodies are short (/hello). */
const BATCH = 65_536;
const FIRST_BATCH = 2048;

/**
 * A hasher over a native hash whose calls are dear: segments are collected and given to `update` 64 KiB at a time, as
 * views that are valid during the call.
 */
export function batched(update: (bytes: Uint8Array) => void, hex: () => string): Hasher {
  let batch = new Uint8Array(FIRST_BATCH);
  let filled = 0;
  return {
    update(buf, off, len) {
      while (len > 0) {
        const n = Math.min(len, batch.length - filled);
        batch.set(buf.subarray(off, off + n), filled);
        filled += n;
        off += n;
        len -= n;
        if (filled === batch.length) {
          update(batch);
          filled = 0;
          if (batch.length < BATCH) batch = new Uint8Array(BATCH);
        }
      }
    },
    hex() {
      if (filled > 0) update(batch.subarray(0, filled));
      filled = 0;
      return hex();
    },
  };
}
