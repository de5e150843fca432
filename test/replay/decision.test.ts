/** The decision of every hook event of the catalogue, told from a second run of the reference: it ends where the first one did. */
import { readdirSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { expect, it } from "vitest";
import { PLACES, tellChecks } from "../../src/replay/checks.ts";
import { KIND } from "../../src/replay/event-log.ts";
import { runHook } from "../../src/replay/hook-run.ts";
import { record, SCENARIOS } from "./support.ts";

/** Long transfers say nothing new, and 1000 nodes take minutes here. */
const LEFT_OUT = new Set(["faults", "large", "topologies", "lessons"]);
const GROUPS = readdirSync(SCENARIOS, { withFileTypes: true })
  .filter((d) => d.isDirectory() && !LEFT_OUT.has(d.name))
  .map((d) => d.name);
/** Events of one scenario whose decisions are told, evenly spread; the rest is more of the same. */
const MAX_EVENTS = 150;

it.each(GROUPS)("tells every decision of %s as it was made", async (group) => {
  const files = readdirSync(resolve(SCENARIOS, group)).filter((f) => f.endsWith(".yaml"));
  const wrong: string[] = [];
  let told = 0;
  for (const file of files) {
    const recording = await record(`${group}/${file.replace(".yaml", "")}`);
    const { log } = recording;
    const hooks: number[] = [];
    for (let i = 0; i < log.length; i++) if (log.kind.data[i] === KIND.hook) hooks.push(i);
    const every = Math.max(1, Math.floor(hooks.length / MAX_EVENTS));
    for (const i of hooks.filter((_, n) => n % every === 0)) {
      const input = recording.hookInput(i);
      const run = runHook(input);
      const list = tellChecks(input, run);
      const stops = list.checks.filter((c) => c.outcome === "stop");
      const decision = recording.decision(i);
      const at = `${file} event ${i} ${decision.reason}`;
      if (!decision.agrees) wrong.push(`${at}: the second run says ${run.reason}`);
      if (stops.length !== 1 || list.checks.at(-1)?.outcome !== "stop") wrong.push(`${at}: ${stops.length} ends`);
      if (list.untold > 0 || list.checks.some((c) => c.question.endsWith(" is asked")))
        wrong.push(`${at}: untold lookups`);
      told++;
    }
  }
  expect(wrong).toEqual([]);
  // One group has no data path at all: its tunnels are the kernel's.
  if (group !== "linux") expect(told).toBeGreaterThan(0);
});

it("links to functions that exist, in the reference and in C", () => {
  const root = resolve(import.meta.dirname, "../..");
  const missing = PLACES.flatMap(({ code, twin }) =>
    [code, twin].filter(({ file, name }) => {
      const text = readFileSync(resolve(root, file), "utf8");
      return !new RegExp(`(function |__always_inline [^(]*|__noinline [^(]*)\\b${name}\\(`).test(text);
    }),
  );
  expect(missing).toEqual([]);
});
