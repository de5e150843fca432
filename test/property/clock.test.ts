import fc from "fast-check";
import { expect, test } from "vitest";
import { Simulation } from "../../src/sim/clock.ts";
import type { Timer } from "../../src/sim/types.ts";

/** An event as a person would keep it: a list, sorted by time and then by the order of scheduling. */
class Model {
  now = 0;
  private seq = 0;
  private events: { time: number; seq: number; id: string }[] = [];

  add(delay: number, id: string): void {
    this.events.push({ time: this.now + delay, seq: this.seq++, id });
  }
  cancel(id: string): void {
    this.events = this.events.filter((e) => e.id !== id);
  }
  run(until: number): string[] {
    this.events.sort((a, b) => a.time - b.time || a.seq - b.seq);
    const due = this.events.filter((e) => e.time <= until);
    this.events = this.events.filter((e) => e.time > until);
    this.now = until;
    return due.map((e) => `${e.id}@${e.time}`);
  }
}

const delay = fc.integer({ min: 0, max: 20 });
const command = fc.oneof(
  fc.record({ kind: fc.constant("event" as const), delay }),
  fc.record({ kind: fc.constant("start" as const), timer: fc.nat(3), delay }),
  fc.record({ kind: fc.constant("stop" as const), timer: fc.nat(3) }),
  fc.record({ kind: fc.constant("run" as const), delay }),
);

test("events and timers fire when and in the order that a sorted list says", () => {
  fc.assert(
    fc.property(fc.array(command, { maxLength: 200 }), (commands) => {
      const clock = new Simulation();
      const model = new Model();
      const fired: string[] = [];
      const handler = { fire: (n: number) => void fired.push(`event ${n}@${clock.now}`) };
      const timers: Timer[] = [0, 1, 2, 3].map((i) => clock.timer(() => void fired.push(`timer ${i}@${clock.now}`)));
      const expected: string[] = [];
      let n = 0;
      for (const c of commands) {
        if (c.kind === "event") {
          clock.schedule(c.delay, handler, n);
          model.add(c.delay, `event ${n++}`);
        } else if (c.kind === "start") {
          timers[c.timer].start(c.delay);
          model.cancel(`timer ${c.timer}`);
          model.add(c.delay, `timer ${c.timer}`);
          expect(timers[c.timer].expires).toBe(clock.now + c.delay);
        } else if (c.kind === "stop") {
          timers[c.timer].stop();
          model.cancel(`timer ${c.timer}`);
        } else {
          clock.run(clock.now + c.delay);
          expected.push(...model.run(model.now + c.delay));
        }
        expect(clock.now).toBe(model.now);
      }
      clock.run(clock.now + 100);
      expected.push(...model.run(model.now + 100));
      expect(fired).toEqual(expected);
      expect(timers.some((t) => t.active)).toBe(false);
    }),
  );
});

test("ten thousand events at random times come out sorted", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1000), { minLength: 2000, maxLength: 10_000 }), (delays) => {
      const clock = new Simulation();
      const fired: number[] = [];
      const handler = { fire: (i: number) => void fired.push(i) };
      delays.forEach((d, i) => {
        clock.schedule(d, handler, i);
      });
      while (clock.step());
      expect(fired).toEqual(delays.map((_, i) => i).sort((a, b) => delays[a] - delays[b] || a - b));
      expect(clock.pending).toBe(0);
    }),
    { numRuns: 20 },
  );
});
