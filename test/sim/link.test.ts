import { describe, expect, test } from "vitest";
import type { Skb } from "../../src/dataplane/skb.ts";
import { SimEnv } from "../../src/sim/env.ts";
import { DEFAULT_LINK, type FrameOut, Link, type LinkProps, type Pluggable } from "../../src/sim/link.ts";
import { rd32, wr32 } from "../../src/wire/bytes.ts";
import { record } from "./network.ts";

/** An end of a link that notes what comes, and when. */
class End implements Pluggable {
  out: FrameOut | undefined;
  readonly got: { time: number; n: number; frame: Uint8Array }[] = [];
  private readonly env: SimEnv;
  constructor(env: SimEnv) {
    this.env = env;
  }
  deliver(skb: Skb): void {
    this.got.push({ time: this.env.clock.now, n: rd32(skb.buf, skb.head + 14), frame: skb.frame() });
    this.env.pool.put(skb);
  }
  send(n: number, len = 100): void {
    const skb = this.env.pool.get(len);
    skb.buf.fill(0, skb.head, skb.end);
    wr32(skb.buf, skb.head + 14, n);
    this.out!.send(skb);
  }
}

function pair(props: Partial<LinkProps>, seed = 1) {
  const env = new SimEnv(seed);
  const a = new End(env);
  const b = new End(env);
  const link = new Link(env, "a/eth1", a, b, { ...DEFAULT_LINK, ...props });
  return { env, a, b, link, rec: record(env) };
}

describe("without faults", () => {
  test("delay alone: frames arrive in order, each after the delay", () => {
    const { env, a, b } = pair({ delayNs: 500 });
    a.send(1);
    a.send(2);
    env.clock.run(100);
    a.send(3);
    env.clock.run(10_000);
    expect(b.got.map((g) => [g.n, g.time])).toEqual([
      [1, 500],
      [2, 500],
      [3, 600],
    ]);
    expect(env.pool.outstanding).toBe(0);
  });

  test("a rate spaces frames by their length, in each direction on its own", () => {
    // 100 bytes at 8 Mbit/s: 100 us.
    const { env, a, b } = pair({ delayNs: 0, rateBps: 8_000_000 });
    a.send(1);
    a.send(2, 200);
    b.send(3);
    env.clock.run(1_000_000);
    expect(b.got.map((g) => g.time)).toEqual([100_000, 300_000]);
    expect(a.got.map((g) => g.time)).toEqual([100_000]);
  });

  test("of a burst, one frame is on the line, `queue` frames wait and the rest are dropped at the tail", () => {
    const { env, a, b, link, rec } = pair({ delayNs: 0, rateBps: 8_000_000, queue: 3 });
    for (let i = 1; i <= 6; i++) a.send(i);
    env.clock.run(150_000);
    // The second frame is on the line: there is room for one.
    a.send(7);
    a.send(8);
    env.clock.run(10_000_000);
    expect(b.got.map((g) => g.n)).toEqual([1, 2, 3, 4, 7]);
    expect(rec.drops).toEqual(new Array(3).fill({ where: "link", reason: "the link's queue is full", at: "a/eth1 >" }));
    expect([link.ab.sent, link.ab.delivered, link.ab.dropped]).toEqual([8, 5, 3]);
  });

  test("a delay lowered under way does not let frames overtake", () => {
    const { env, a, b, link } = pair({ delayNs: 1000 });
    a.send(1);
    link.setProps({ delayNs: 10 });
    a.send(2);
    env.clock.run(10_000);
    expect(b.got.map((g) => [g.n, g.time])).toEqual([
      [1, 1000],
      [2, 1000],
    ]);
  });

  test("properties may change in one direction only", () => {
    const { env, a, b, link } = pair({ delayNs: 1000 });
    link.setProps({ loss: 1 }, "ab");
    a.send(1);
    b.send(2);
    env.clock.run(10_000);
    expect([a.got.length, b.got.length]).toEqual([1, 0]);
  });

  test("down: what is under way and what is sent then is lost; up: it works again", () => {
    const { env, a, b, link, rec } = pair({ delayNs: 1000 });
    a.send(1);
    link.setUp(false);
    a.send(2);
    link.setUp(true);
    env.clock.run(500);
    a.send(3);
    env.clock.run(10_000);
    expect(b.got.map((g) => [g.n, g.time])).toEqual([[3, 1500]]);
    expect(rec.drops.map((d) => d.reason)).toEqual(["the link went down", "the link is down"]);
    expect(env.pool.outstanding).toBe(0);
  });
});

describe("faults, by seed", () => {
  const run = (props: Partial<LinkProps>, seed = 1, n = 5000) => {
    const { env, a, b, link } = pair(props, seed);
    for (let i = 0; i < n; i++) {
      a.send(i);
      env.clock.run(env.clock.now + 1000);
    }
    env.clock.run(env.clock.now + 100_000_000);
    expect(env.pool.outstanding).toBe(0);
    return { got: b.got, link };
  };

  test("loss takes about its share, the same frames for the same seed", () => {
    const first = run({ loss: 0.1 }).got.map((g) => g.n);
    expect(Math.abs(first.length - 4500)).toBeLessThan(100);
    expect(run({ loss: 0.1 }).got.map((g) => g.n)).toEqual(first);
    expect(run({ loss: 0.1 }, 2).got.map((g) => g.n)).not.toEqual(first);
  });

  test("duplicates come right behind the original, equal to it", () => {
    const { got } = run({ duplicate: 0.1 });
    expect(Math.abs(got.length - 5500)).toBeLessThan(100);
    const seen = new Map<number, Uint8Array>();
    for (const g of got) {
      if (seen.has(g.n)) expect(g.frame).toEqual(seen.get(g.n));
      seen.set(g.n, g.frame);
    }
    expect(seen.size).toBe(5000);
  });

  test("reordered frames come late by the extra delay, all others in order", () => {
    const { got } = run({ reorder: 0.1, reorderDelayNs: 50_000, delayNs: 100 });
    const late = got.filter((g) => g.time - g.n * 1000 > 100);
    expect(Math.abs(late.length - 500)).toBeLessThan(100);
    expect(new Set(late.map((g) => g.time - g.n * 1000))).toEqual(new Set([50_100]));
    const rest = got.filter((g) => !late.includes(g)).map((g) => g.n);
    expect(rest).toEqual([...rest].sort((x, y) => x - y));
    expect(got.length).toBe(5000);
  });

  test("corruption flips one bit behind the MAC header", () => {
    const { env, a, b } = pair({ corrupt: 0.5 });
    for (let i = 0; i < 2000; i++) a.send(0);
    env.clock.run(1_000_000);
    const flipped = b.got.map((g) => g.frame.reduce((n, byte) => n + byte.toString(2).replaceAll("0", "").length, 0));
    expect(new Set(flipped)).toEqual(new Set([0, 1]));
    expect(Math.abs(flipped.filter((n) => n === 1).length - 1000)).toBeLessThan(100);
    expect(b.got.every((g) => g.frame.subarray(0, 14).every((byte) => byte === 0))).toBe(true);
  });

  test("jitter delays within its bounds and keeps the order", () => {
    const { got } = run({ jitterNs: 20_000, delayNs: 100 });
    expect(got.map((g) => g.n)).toEqual(Array.from({ length: 5000 }, (_, i) => i));
    const delays = got.map((g) => g.time - g.n * 1000 - 100);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...delays)).toBeLessThanOrEqual(20_000);
    expect(new Set(delays).size).toBeGreaterThan(100);
  });
});
