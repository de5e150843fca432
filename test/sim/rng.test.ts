import { expect, test } from "vitest";
import { Xoshiro128 } from "../../src/sim/rng.ts";
import type { Rng } from "../../src/sim/types.ts";

const take = (rng: Rng, n = 8): number[] => Array.from({ length: n }, () => rng.u32());

test("the same seed gives the same numbers, another seed others", () => {
  expect(take(new Xoshiro128(7))).toEqual(take(new Xoshiro128(7)));
  expect(take(new Xoshiro128(7))).not.toEqual(take(new Xoshiro128(8)));
  expect(take(new Xoshiro128(7))).not.toEqual(take(new Xoshiro128(7 + 2 ** 32)));
});

test("a fork depends on seed and name only, not on what was drawn before", () => {
  const a = new Xoshiro128(7);
  const b = new Xoshiro128(7);
  take(b, 100);
  expect(take(a.fork("x"))).toEqual(take(b.fork("x")));
  expect(take(a.fork("x"))).not.toEqual(take(a.fork("y")));
  expect(take(a.fork("x"))).not.toEqual(take(new Xoshiro128(8).fork("x")));
  expect(take(a.fork("x").fork("y"))).not.toEqual(take(a.fork("y").fork("x")));
});

test("numbers are spread evenly", () => {
  for (const rng of [new Xoshiro128(0), new Xoshiro128(1).fork("link a/eth1 >")]) {
    const buckets = new Array<number>(10).fill(0);
    for (let i = 0; i < 100_000; i++) buckets[rng.below(10)]++;
    for (const n of buckets) expect(Math.abs(n - 10_000)).toBeLessThan(500);
    let sum = 0;
    for (let i = 0; i < 100_000; i++) sum += rng.float();
    expect(Math.abs(sum / 100_000 - 0.5)).toBeLessThan(0.005);
  }
});
