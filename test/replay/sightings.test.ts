/** Which packets of a capture are one journey: against the same rule by whole texts. */
import { expect, it } from "vitest";
import { EventLog } from "../../src/replay/event-log.ts";
import { Sightings } from "../../src/replay/sightings.ts";
import { Xoshiro128 } from "../../src/sim/rng.ts";

it("knows a packet by its bytes from the EtherType on, for a second", () => {
  const log = new EventLog();
  const sightings = new Sightings(log);
  const rng = new Xoshiro128(7);
  const seen = new Map<string, { journey: number; time: number }>();
  let journeys = 0;
  for (let n = 0, time = 0; n < 10_000; n++) {
    time += rng.below(3_000_000);
    const bytes = new Uint8Array([0, 5, 12, 13, 60, 139, 140, 141, 200][rng.below(9)]);
    // The MAC addresses and what is far behind differ; so do few of the others.
    for (const at of [3, 150]) if (at < bytes.length) bytes[at] = rng.below(256);
    for (const at of [12, 30, 139]) if (at < bytes.length) bytes[at] = rng.below(12);
    const key = Array.from(bytes.subarray(12, 140)).join();
    const known = seen.get(key);
    const journey = known && time - known.time < 1_000_000_000 ? known.journey : ++journeys;
    seen.set(key, { journey, time });
    sightings.see(time, bytes);
    expect(sightings.journey).toBe(journey);
    expect(Buffer.compare(log.frames.get(sightings.frame), bytes)).toBe(0);
  }
  expect(log.journeys).toBe(journeys);
  expect(log.frames.count).toBeLessThan(10_000);
});
