/** A link's properties as netem's words. */
import { expect, it } from "vitest";
import { netemWords } from "../../../src/lab/linux/netem.ts";
import { DEFAULT_LINK } from "../../../src/scenario/topology.ts";

const words = (props: Partial<typeof DEFAULT_LINK>): string => netemWords({ ...DEFAULT_LINK, ...props }).join(" ");

it("has no words for a link as every link is", () => {
  expect(words({})).toBe("");
});

it("says rate, delay and faults", () => {
  expect(words({ loss: 0.01 })).toBe("limit 1000 loss 1.0000%");
  expect(words({ delayNs: 5_000_000, rateBps: 8_000_000, queue: 20 })).toBe("limit 20 delay 5000us rate 8000000bit");
  expect(words({ duplicate: 0.02, corrupt: 0.005 })).toBe("limit 1000 duplicate 2.0000% corrupt 0.5000%");
  expect(words({ queue: 7 })).toBe("limit 7");
});

it("holds the reordered share back, and puts jitter on top of the delay", () => {
  expect(words({ reorder: 0.02, reorderDelayNs: 200_000, delayNs: 100_000 })).toBe(
    "limit 1000 delay 300us reorder 98.0000%",
  );
  expect(words({ delayNs: 1_000_000, jitterNs: 200_000 })).toBe("limit 1000 delay 1100us 100us");
});
