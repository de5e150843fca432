import { expect, test } from "vitest";
import { Simulation } from "../../src/sim/clock.ts";

test("runUntil stops right after the event that fulfils it, or at the limit", () => {
  const clock = new Simulation();
  let n = 0;
  const handler = { fire: () => void n++ };
  for (const t of [10, 20, 30]) clock.schedule(t, handler, 0);
  expect(clock.runUntil(() => n === 2, 100)).toBe(true);
  expect(clock.now).toBe(20);
  expect(clock.runUntil(() => n === 4, 25)).toBe(false);
  expect([clock.now, n]).toEqual([25, 2]);
  expect(clock.runUntil(() => n === 4, 1000)).toBe(false);
  expect([clock.now, n]).toEqual([1000, 3]);
});

test("a timer restarted a thousand times leaves one event in the queue", () => {
  const clock = new Simulation();
  let at = -1;
  const timer = clock.timer(() => (at = clock.now));
  for (let i = 0; i < 1000; i++) timer.start(100 + i);
  expect(clock.pending).toBe(1);
  clock.run(10_000);
  expect(at).toBe(1099);
});

test("a timer brought forward fires once, at the earlier time", () => {
  const clock = new Simulation();
  const at: number[] = [];
  const timer = clock.timer(() => void at.push(clock.now));
  timer.start(500);
  timer.start(50);
  clock.run(1000);
  expect(at).toEqual([50]);
});

test("a handler may schedule and restart its own timer", () => {
  const clock = new Simulation();
  const at: number[] = [];
  const timer = clock.timer(() => {
    at.push(clock.now);
    if (at.length < 3) timer.start(10);
  });
  timer.start(10);
  clock.run(1000);
  expect(at).toEqual([10, 20, 30]);
});
