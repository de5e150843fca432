/** Runs the golden vectors: every row of SPEC sections 4 and 5, with bytes that were worked out by hand. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseVectors } from "../../src/dataplane/vector.ts";
import { formatMismatch, referenceTarget, runVector } from "../../src/dataplane/vector-run.ts";
import { REASON_NAMES } from "../../src/tables/reasons.ts";

const dir = join(import.meta.dirname, "../vectors");
const files = readdirSync(dir).filter((f) => f.endsWith(".jsonl"));
const target = referenceTarget();
const seen = new Set<string>();

for (const file of files)
  describe(file, () => {
    for (const vector of parseVectors(readFileSync(join(dir, file), "utf8"), file))
      it(vector.name, () => {
        const { json, mismatches } = runVector(vector, target);
        for (const name of Object.keys((json.after as { reasons: object }).reasons)) seen.add(name);
        expect(mismatches.map(formatMismatch)).toEqual([]);
        expect(vector.packets.every((p) => p.want.reason !== undefined)).toBe(true);
      });
  });

it("reaches every reason that the reference can give", () => {
  // A kernel helper cannot fail here.
  expect(REASON_NAMES.filter((name) => !seen.has(name))).toEqual(["DROP_HELPER"]);
});
