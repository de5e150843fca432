/** Recordings of the catalogue's scenarios. */
import { resolve } from "node:path";
import type { RecordOptions } from "../../src/replay/breath.ts";
import type { ScenarioSource, WhatIf } from "../../src/replay/protocol.ts";
import { recordScenario } from "../../src/replay/record.ts";
import type { Recording } from "../../src/replay/recording.ts";
import { loadScenarioFiles } from "../../src/scenario/load.ts";

export const SCENARIOS = resolve(import.meta.dirname, "../../scenarios");

/** A scenario of the catalogue, `basic/02-node2-behind-nat`, as a source. */
export function sourceOf(name: string, changes?: WhatIf[]): ScenarioSource {
  const { files, error } = loadScenarioFiles(resolve(SCENARIOS, `${name}.yaml`));
  if (error) throw error;
  return { kind: "scenario", ...files, changes };
}

export const record = (name: string, options?: RecordOptions, changes?: WhatIf[]): Promise<Recording> =>
  recordScenario(sourceOf(name, changes), options);

/** node2 behind its NAT, and two downloads: 135,000 packets on interfaces. */
export function bigSource(): ScenarioSource {
  const source = sourceOf("basic/02-node2-behind-nat");
  const steps = source.text.slice(0, source.text.indexOf("  # The point"));
  const download = "  - do: client curl http://5.5.5.5:3200/data_10M.bin\n    expect: { status: 200 }\n";
  return { ...source, text: steps + download + download };
}
