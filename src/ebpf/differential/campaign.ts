/**
 * A campaign: sequences 0, 1, 2 ... of a seed, until a number of packets, a time or a difference. Shard i of n runs the
 * sequences i - 1, i - 1 + n and so on: no two shards run the same one.
 */
import { REASON_NAMES, type ReasonName } from "../../tables/reasons.ts";
import type { Objects } from "../build.ts";
import { type Difference, Machine } from "./machine.ts";
import { type Case, SequenceRunner } from "./sequence.ts";
import { type Shrunk, shrink } from "./shrink.ts";

export interface CampaignOptions {
  seed: number;
  /** Packets at least; the last sequence is finished. */
  count: number;
  /** Seconds at most; Infinity = until `count`. */
  seconds: number;
  /** From 1 to `shards`. */
  shard: number;
  shards: number;
  hook?: "ingress" | "egress";
  corpus?: readonly Uint8Array[];
  objects?: Objects;
  /** First sequence; for one that is run again. */
  first?: number;
  /** Called about every second. */
  onProgress?: (p: Progress) => void;
}

export interface Progress {
  packets: number;
  sequences: number;
  seconds: number;
  /** Packets (and notes) by slot of REASONS. */
  reasons: Float64Array;
}

export interface CampaignResult extends Progress {
  /** The first difference: the sequence it was found in, and the smallest case if it came up again. */
  found?: { sequence: number; difference: Difference; shrunk?: Shrunk };
}

/** Reasons that no test run reaches, and why; real interfaces show them (test/kernel). */
const OUT_OF_REACH: Partial<Record<ReasonName, string>> = {
  PASS_SHORT: "BPF_PROG_TEST_RUN refuses frames without whole Ethernet and IPv4 headers",
  DROP_HELPER: "the kernel would have to run out of memory",
  FIB_NO_SRC_ADDR: "only a lookup with BPF_FIB_LOOKUP_SRC can say so",
  FIB_ERROR: "the interface of a packet always exists",
};

/** Runs a campaign. Throws LabError with what is missing. */
export function runCampaign(options: CampaignOptions): CampaignResult {
  const machine = new Machine(options.objects);
  try {
    return run(machine, options);
  } finally {
    machine.close();
  }
}

function run(machine: Machine, options: CampaignOptions): CampaignResult {
  const runner = new SequenceRunner(machine, options);
  const count = { packets: 0 };
  const start = performance.now();
  const elapsed = (): number => (performance.now() - start) / 1000;
  let reported = 0;
  let sequences = 0;
  const progress = (): Progress => ({
    packets: count.packets,
    sequences,
    seconds: elapsed(),
    reasons: machine.reasonCounts,
  });
  for (
    let index = (options.first ?? 0) + options.shard - 1;
    count.packets < options.count && elapsed() < options.seconds;
    index += options.shards
  ) {
    const difference = runner.run(index, count);
    sequences++;
    if (difference) {
      const found = { sequence: index, difference, shrunk: shrinkSequence(machine, runner, index) };
      return { ...progress(), found };
    }
    if (elapsed() >= reported + 1) {
      reported = elapsed();
      options.onProgress?.(progress());
    }
  }
  return progress();
}

function shrinkSequence(machine: Machine, runner: SequenceRunner, index: number): Shrunk | undefined {
  const record: Case = { rows: [], packets: [] };
  runner.run(index, { packets: 0 }, record);
  return shrink(machine, record);
}

/** Reasons with their counts, those not reached by this hook's packets marked. */
export function coverage(reasons: Float64Array): { name: ReasonName; count: number; outOfReach?: string }[] {
  return REASON_NAMES.map((name, i) => ({ name, count: reasons[i], outOfReach: OUT_OF_REACH[name] }));
}
