/**
 * Deterministic random numbers: xoshiro128** (Blackman and Vigna, "Scrambled linear pseudorandom number generators"),
 * its state filled by a 32-bit mixer from the seed and the stream's name.
 */
import type { Rng } from "./types.ts";

const rotl = (x: number, k: number): number => (x << k) | (x >>> (32 - k));

/** A bijective 32-bit mixer (the finalizer of MurmurHash3). */
function mix(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

export class Xoshiro128 implements Rng {
  private readonly hi: number;
  private readonly lo: number;
  private a: number;
  private b: number;
  private c: number;
  private d: number;

  /** `seed`: any non-negative integer below 2^53; `hi` is for `fork`. */
  constructor(seed: number, hi: number = Math.floor(seed / 0x100000000)) {
    this.lo = seed >>> 0;
    this.hi = hi >>> 0;
    this.a = mix(this.lo ^ 0x9e3779b9) | 0;
    this.b = mix(this.hi ^ 0x7f4a7c15) | 0;
    this.c = mix(this.a + this.hi) | 0;
    // The all-zero state is the generator's one fixed point.
    this.d = mix(this.b + this.lo) | 1;
    for (let i = 0; i < 8; i++) this.u32();
  }

  u32(): number {
    const result = Math.imul(rotl(Math.imul(this.b, 5), 7), 9);
    const t = this.b << 9;
    this.c ^= this.a;
    this.d ^= this.b;
    this.b ^= this.c;
    this.a ^= this.d;
    this.c ^= t;
    this.d = rotl(this.d, 11);
    return result >>> 0;
  }

  below(n: number): number {
    return Math.floor((this.u32() / 0x100000000) * n);
  }

  float(): number {
    return this.u32() / 0x100000000;
  }

  fork(name: string): Rng {
    let lo = this.lo ^ 0x811c9dc5;
    let hi = this.hi ^ 0x01000193;
    for (let i = 0; i < name.length; i++) {
      lo = mix(lo ^ name.charCodeAt(i));
      hi = mix(hi + lo + i);
    }
    return new Xoshiro128(mix(lo ^ name.length), hi);
  }
}
