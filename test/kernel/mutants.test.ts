/**
 * The differential can fail: every fault put into the C programs is found, shrunk and written as a vector that shows it.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parseVector } from "../../src/dataplane/vector.ts";
import { runVector } from "../../src/dataplane/vector-run.ts";
import { buildPrograms, type Objects } from "../../src/ebpf/build.ts";
import { runCampaign } from "../../src/ebpf/differential/campaign.ts";
import { caseToVector, differenceText } from "../../src/ebpf/differential/counterexample.ts";
import { openTestDataPath } from "../../src/ebpf/testrun.ts";
import { MUTANTS, type Mutant, mutantSource } from "./mutants.ts";
import { describeKernel } from "./require.ts";

/** A mutant that takes longer than this counts as not found. */
const SECONDS = 30;
const SEED = 20_240_229;

describeKernel("mutants of the eBPF programs", () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), "guelab-mutants-"));
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  it.each(MUTANTS)("$name: found", (mutant) => {
    const objects = buildMutant(dir, mutant);
    const result = runCampaign({
      seed: SEED,
      count: Number.POSITIVE_INFINITY,
      seconds: SECONDS,
      shard: 1,
      shards: 1,
      objects,
    });
    const { found } = result;
    expect(found, `not found in ${result.packets} packets`).toBeDefined();
    if (!found?.shrunk) throw new Error(`not found again: ${found && differenceText(found.difference)}`);
    expect(found.shrunk.case.packets.length).toBeLessThanOrEqual(3);

    // What is written shows the fault: the reference gives what the vector wants, the mutant does not.
    const vector = parseVector(JSON.stringify(caseToVector(found.shrunk.case, mutant.name, "")));
    expect(runVector(vector).mismatches).toEqual([]);
    const target = openTestDataPath({ objects });
    try {
      expect(runVector(vector, target).mismatches).not.toEqual([]);
    } finally {
      target.close();
    }
  });

  it("a packet pointer kept over a helper call is refused by the verifier", () => {
    const objects = buildMutant(dir, {
      name: "stale",
      file: "include/decap.h",
      from: "\tif (!(h->tx & TX_PROXY)) {",
      to: "\tif (gue->proto != GUE_PROTO_IPV4)\n\t\treturn DROP_HELPER;\n\tif (!(h->tx & TX_PROXY)) {",
    });
    expect(() => openTestDataPath({ objects }).close()).toThrow(/bpftool prog load/);
  });
});

function buildMutant(dir: string, mutant: Mutant): Objects {
  const source = mutantSource(dir, mutant);
  return buildPrograms({ source, out: source });
}
