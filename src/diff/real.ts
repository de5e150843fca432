/** Runs a scenario in a lab and keeps what its comparison needs: the report, every frame, and what ran when. */
import type { HookPacket, Lab } from "../scenario/lab.ts";
import type { RunReport } from "../scenario/report-types.ts";
import { runScenario } from "../scenario/runner.ts";
import type { Scenario } from "../scenario/scenario.ts";
import type { RealRun } from "./boxes.ts";
import { WatchedLab } from "./watch.ts";

export interface RecordedRun extends RealRun {
  report: RunReport;
  /** The other side of hooks, where the lab recorded it. */
  hookPackets: readonly HookPacket[];
}

/** A simulated command begins when the one before has ended; on a real machine so much time passes at least. */
export const PACE_NS = 20_000_000;

/** Runs it in a lab that records packets. In the simulation PACE_NS pass behind each command. `atEnd` may look at the lab before it is closed. The lab is closed in every case. */
export async function recordRun(scenario: Scenario, lab: Lab, atEnd: () => void = () => {}): Promise<RecordedRun> {
  const watched = new WatchedLab(lab, lab.kind === "sim" ? PACE_NS : 0);
  try {
    const report = await runScenario(scenario, watched);
    const endNs = lab.now();
    const packets = [...lab.packets()];
    const hookPackets = [...lab.hookPackets()];
    atEnd();
    return { topology: lab.topology, packets, hookPackets, marks: watched.marks, endNs, report };
  } finally {
    await lab.close();
  }
}
