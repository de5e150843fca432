/** Runs of the simulator that stand for a real lab's: no root is needed, and faults can be put into what was recorded. */
import { join, resolve } from "node:path";
import type { RecordedRun } from "../../src/diff/real.ts";
import { recordRun } from "../../src/diff/real.ts";
import type { LevelReport } from "../../src/diff/types.ts";
import { SimLab } from "../../src/lab/sim/lab.ts";
import type { PacketRecord } from "../../src/scenario/lab.ts";
import { loadScenario } from "../../src/scenario/load.ts";

const root = resolve(import.meta.dirname, "../../scenarios");

export const scenarioFile = (name: string): string => join(root, `${name}.yaml`);

export function record(name: string, seed = 1): Promise<RecordedRun> {
  const { topology, ...scenario } = loadScenario(scenarioFile(name));
  return recordRun({ ...scenario, topology, seed }, new SimLab(topology, { seed, record: true }));
}

/** The run with its packets changed: `change` gives another packet, the same, or undefined for none. */
export const changed = (
  run: RecordedRun,
  change: (packet: PacketRecord, index: number) => PacketRecord | undefined,
): RecordedRun => ({ ...run, packets: run.packets.flatMap((p, i) => change(p, i) ?? []) });

/** The run with one packet's bytes changed. */
export function tampered(run: RecordedRun, at: number, edit: (frame: Uint8Array) => void): RecordedRun {
  return changed(run, (p, i) => {
    if (i !== at) return p;
    const frame = p.frame.slice();
    edit(frame);
    return { ...p, frame };
  });
}

/** For a message: what was found. */
export const told = (level: LevelReport): string =>
  level.differences
    .map(
      (d) =>
        `${d.where}: ${d.what}; ${d.notes.join("; ")} ${d.real?.summary} | ${d.reference?.summary} ${JSON.stringify(d.rows)}`,
    )
    .join("\n");
