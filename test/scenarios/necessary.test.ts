/**
 * Scenarios can fail: without any one of its settings and of the commands that only prepare something, a scenario does
 * not pass. (A command with expectations of its own is its own proof.)
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { nodeSha256 } from "../../src/cli/execute.ts";
import { LabError } from "../../src/errors.ts";
import { SimLab } from "../../src/lab/sim/lab.ts";
import { loadTopology } from "../../src/scenario/load.ts";
import { runScenario } from "../../src/scenario/runner.ts";
import type { Scenario } from "../../src/scenario/scenario.ts";
import { readScenario } from "../../src/scenario/scenario-yaml.ts";

const root = resolve(import.meta.dirname, "../../scenarios");
const FILES = readdirSync(root, { recursive: true, encoding: "utf8" })
  .map((f) => f.replaceAll("\\", "/"))
  .filter((f) => f.endsWith(".yaml"))
  .sort();

const MAX_HOSTS = 100;
/** A machine that does much else at the time is no failure. */
const TIMEOUT_MS = 240_000;

type Step = string | { do?: string; expect?: unknown; refused?: string; name?: string; steps?: Step[] };
interface Doc {
  steps: Step[];
  labs?: string[];
  sysctl?: unknown;
  links?: unknown;
}

/** Takes one thing out of the document; gives what it was, and how to put it back. */
function* removals(doc: Doc): Generator<{ text: string; undo: () => void }> {
  for (const key of ["sysctl", "links"] as const) {
    const was = doc[key];
    if (was === undefined) continue;
    delete doc[key];
    yield { text: key, undo: () => Object.assign(doc, { [key]: was }) };
  }
  yield* fromSteps(doc.steps);
}

function* fromSteps(steps: Step[]): Generator<{ text: string; undo: () => void }> {
  for (const [i, step] of [...steps.entries()]) {
    const object = typeof step === "string" ? { do: step } : step;
    if (object.steps) yield* fromSteps(object.steps);
    // A named step is what later ones count from.
    const prepares = object.do !== undefined && !object.expect && !object.refused && !object.name;
    if (!prepares || steps.length === 1) continue;
    steps.splice(i, 1);
    yield { text: object.do ?? "", undo: () => steps.splice(i, 0, step) };
  }
}

const read = (doc: Doc, file: string): Scenario =>
  readScenario(JSON.stringify(doc), { file, loadTopology: (name) => loadTopology(name, root) });

/** True when it runs to its end as expected; a scenario that cannot even be read does not. */
async function passes(doc: Doc, file: string): Promise<boolean> {
  try {
    const scenario = read(doc, file);
    const lab = new SimLab(scenario.topology, {
      seed: scenario.seed,
      record: scenario.needsPackets,
      sha256: nodeSha256,
    });
    return (await runScenario(scenario, lab)).status === "passed";
  } catch (err) {
    if (err instanceof LabError) return false;
    throw err;
  }
}

describe("every preparation is needed", () => {
  for (const file of FILES)
    it(
      file,
      async ({ skip }) => {
        const doc: Doc = parse(readFileSync(join(root, file), "utf8"));
        if (doc.labs && !doc.labs.includes("sim")) skip(`it is for ${doc.labs.join(" and ")}`);
        const hosts = read(doc, file).topology.hosts.length;
        if (hosts > MAX_HOSTS) skip(`${hosts} hosts are too many to run once for each of its steps`);
        const useless: string[] = [];
        for (const { text, undo } of removals(doc)) {
          if (await passes(doc, file)) useless.push(text);
          undo();
        }
        expect(useless, "the scenario passes without these").toEqual([]);
        // Nothing but the removals made it fail.
        expect(await passes(doc, file)).toBe(true);
      },
      TIMEOUT_MS,
    );
});
