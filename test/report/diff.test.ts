import { expect, it } from "vitest";
import { diffReport } from "../../src/diff/report.ts";
import type { DiffReport } from "../../src/diff/types.ts";
import { diffJson, formatDiff, formatDiffTotals, formatRules } from "../../src/report/diff.ts";
import { record, tampered } from "../diff/support.ts";

const NAME = "basic/02-node2-behind-nat";

async function reports(): Promise<{ equal: DiffReport; different: DiffReport }> {
  const run = await record(NAME);
  const at = run.packets.findIndex(
    (p) => p.host === "nat" && p.nic === "eth1" && p.direction === "out" && p.frame[23] === 17,
  );
  const of = (real: typeof run): DiffReport =>
    diffReport({ file: NAME, against: "netns", dataPath: "ebpf", levels: ["b"], real });
  // The TTL that was not decremented; its checksum is not fixed either.
  return { equal: of(run), different: of(tampered(run, at, (f) => void f[22]++)) };
}

it("tells levels with counts and rules in a line each, and why one was not run", async () => {
  const { equal } = await reports();
  const text = formatDiff(equal);
  expect(text).toMatch(/^✓ .*netns · ebpf · \d+ packets/);
  expect(text).toContain("a hook by hook not run: not asked for");
  expect(text).toMatch(/b box by box {3}equal {6}boxes 7, frames in \d+/);
  expect(text).toContain("local-packet");
  expect(formatRules([equal, equal])).toMatch(/b local-packet \(\d+\)/);
});

it("shows the first difference side by side, within the width of the terminal", async () => {
  const { different } = await reports();
  for (const width of [80, 140]) {
    const lines = formatDiff(different, { width }).split("\n");
    const fields = lines.filter((l) => l.includes("≠"));
    expect(fields.map((l) => l.replace(/^ *≠ /, "").split(/ {2,}/)[0])).toEqual(["time to live"]);
    expect(fields[0]).toMatch(/time to live +64 +\| 63$/);
    const table = lines.slice(lines.findIndex((l) => / real +\| reference/.test(l)));
    expect(Math.max(...table.map((l) => l.length))).toBeLessThanOrEqual(width);
  }
  expect(formatDiffTotals([different], 1)).toBe("1 compared, 0 equal, 1 different, 1 could not be compared");
});

it("writes JSON with frames as hex", async () => {
  const { different } = await reports();
  const json = JSON.parse(diffJson([different]));
  expect(json).toMatchObject({ version: 1, verdict: "different", scenarios: [{ scenario: NAME }] });
  const first = json.scenarios[0].levels[1].first;
  expect(first.where).toBe("nat/eth1");
  expect(first.real.frame).toMatch(/^([0-9a-f]{2})+$/);
  expect(first.real.frame).not.toBe(first.reference.frame);
});
