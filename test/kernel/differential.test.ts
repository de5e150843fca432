/** Reference and eBPF programs give the same: for the golden vectors, and for generated sequences of a fixed and a fresh seed. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseVectors } from "../../src/dataplane/vector.ts";
import { formatMismatch, runVector } from "../../src/dataplane/vector-run.ts";
import { coverage, runCampaign } from "../../src/ebpf/differential/campaign.ts";
import { differenceText } from "../../src/ebpf/differential/counterexample.ts";
import { openTestDataPath, type TestDataPath } from "../../src/ebpf/testrun.ts";
import { LabError } from "../../src/errors.ts";
import { REASONS } from "../../src/tables/reasons.ts";
import { FRAMES } from "../support/frames.ts";
import { describeKernel } from "./require.ts";

const VECTORS = join(import.meta.dirname, "..", "vectors");
/** Errors that say: the kernel cannot be brought to see this packet, or to give this answer. */
const NOT_RUNNABLE = ["ERR_TEST_RUN", "ERR_FIB_TEST"];
const PACKETS = 100_000;

describeKernel("the eBPF programs beside the reference", () => {
  describe("golden vectors", () => {
    let target: TestDataPath;
    beforeAll(() => {
      target = openTestDataPath();
    });
    afterAll(() => target?.close());

    it.each(readdirSync(VECTORS).filter((f) => f.endsWith(".jsonl")))(
      "%s: every result and all tables after it",
      (file) => {
        const vectors = parseVectors(readFileSync(join(VECTORS, file), "utf8"), file);
        let skipped = 0;
        for (const vector of vectors) {
          try {
            const { json, mismatches } = runVector(vector, target);
            expect(mismatches.map(formatMismatch), vector.name).toEqual([]);
            expect(json, vector.name).toEqual(runVector(vector).json);
          } catch (err) {
            if (!(err instanceof LabError) || !NOT_RUNNABLE.includes(err.code)) throw err;
            skipped++;
          }
        }
        expect(skipped).toBeLessThanOrEqual(vectors.length / 4);
      },
    );
  });

  it.each([1, Math.floor(Math.random() * 0x100000000)])("generated sequences of seed %d: no difference", (seed) => {
    const result = runCampaign({ seed, count: PACKETS, seconds: Number.POSITIVE_INFINITY, shard: 1, shards: 1 });
    expect(result.found && differenceText(result.found.difference)).toBeUndefined();
    expect(result.packets).toBeGreaterThanOrEqual(PACKETS);
    const missed = coverage(result.reasons).filter((r) => !r.outOfReach && r.count === 0);
    expect(missed.map((r) => r.name)).toEqual([]);
  });

  it("frames of captures, changed and sent among the others: no difference", () => {
    const corpus = Object.values(FRAMES);
    const options = { seed: 3, count: 20_000, seconds: Number.POSITIVE_INFINITY, shard: 1, shards: 1 };
    const result = runCampaign({ ...options, corpus });
    expect(result.found && differenceText(result.found.difference)).toBeUndefined();
    expect([...result.reasons]).not.toEqual([...runCampaign(options).reasons]);
  });

  it("one hook alone counts no reason of the other", () => {
    const { reasons } = runCampaign({
      seed: 3,
      count: 5000,
      seconds: Number.POSITIVE_INFINITY,
      shard: 1,
      shards: 1,
      hook: "egress",
    });
    const counted = coverage(reasons).filter((r) => r.count > 0);
    expect(counted.length).toBeGreaterThan(10);
    expect(counted.filter((r) => REASONS[r.name].hook === "ingress")).toEqual([]);
  });

  it("shards of a campaign run different sequences, and together those of the whole", () => {
    const counts = (shard: number, shards: number): number[] => {
      const { reasons } = runCampaign({ seed: 7, count: 1, seconds: Number.POSITIVE_INFINITY, shard, shards });
      return [...reasons];
    };
    // One sequence each: 0 and 1, against the two of one machine.
    const first = counts(1, 2);
    const second = counts(2, 2);
    expect(second).not.toEqual(first);
    expect(counts(1, 1)).toEqual(first);
    const again = runCampaign({ seed: 7, count: 1, seconds: Number.POSITIVE_INFINITY, shard: 1, shards: 1, first: 1 });
    expect([...again.reasons]).toEqual(second);
  });
});
