/** How events spread over a run: every one that counts is in one part, in the part where it belongs. */
import { expect, it } from "vitest";
import { density } from "../../src/replay/density.ts";
import type { Recording } from "../../src/replay/recording.ts";
import { record } from "./support.ts";

const sum = (counts: Uint32Array): number => counts.reduce((a, b) => a + b, 0);

it("counts each event once, whatever the number of parts", async () => {
  const recording: Recording = await record("lessons/05-verification");
  const { log, info } = recording;
  expect(info.drops).toBeGreaterThan(0);
  for (const slots of [1, 7, 1000, 1e9]) {
    const d = density(log, slots);
    expect(d.drops.length).toBe(Math.min(slots, log.length));
    expect(sum(d.packets)).toBe(info.packets);
    expect(sum(d.drops)).toBe(info.drops);
  }
  // As many parts as events: each stands at its own.
  const each = density(log, log.length);
  const drop = recording.events("verdict == drop")[0];
  expect(each.drops[drop]).toBe(1);
  const encap = recording.events("reason == PASS_ENCAP")[0];
  expect(each.changes[encap]).toBe(1);
  expect(each.packets[encap]).toBe(0);
});
