/** Runs a scenario in the simulated lab and records it. The lab, the runner and the data path are the ones that always run. */
import { LabError } from "../errors.ts";
import { SimLab } from "../lab/sim/lab.ts";
import { loadCfgTopology } from "../scenario/cfg.ts";
import { checkFits, runScenario } from "../scenario/runner.ts";
import type { Scenario } from "../scenario/scenario.ts";
import { readScenario } from "../scenario/scenario-yaml.ts";
import { breather, type RecordOptions } from "./breath.ts";
import { BudgetWatch } from "./budget.ts";
import { EventLog } from "./event-log.ts";
import { Journal } from "./journal.ts";
import type { ScenarioSource } from "./protocol.ts";
import { SimRecorder } from "./recorder.ts";
import { Recording } from "./recording.ts";
import { topologyView } from "./topology-view.ts";
import { applyWhatIf } from "./what-if.ts";

/** Events from one look at the budget to the next. One of them may carry a whole window of packets. */
const PAUSE_EVENTS = 50;

/** Reads the scenario of a source; topologies come from the source only. Throws LabError. */
export function readSource(source: Pick<ScenarioSource, "file" | "text" | "topologies">): Scenario {
  const read = (name: string): string => {
    if (Object.hasOwn(source.topologies, name)) return source.topologies[name];
    const known = Object.keys(source.topologies);
    const hint = known.length === 0 ? "Write the topology into the scenario." : `There are ${known.join(", ")}.`;
    throw new LabError("ERR_FILE_NOT_FOUND", `there is no topology ${name}`, { hint });
  };
  return readScenario(source.text, {
    file: source.file,
    loadTopology: (name, position) => {
      if (!Object.hasOwn(source.topologies, name))
        try {
          read(name);
        } catch (err) {
          if (err instanceof LabError) err.position = position;
          throw err;
        }
      return loadCfgTopology(name, read);
    },
  });
}

/**
 * Runs a scenario and records every event. A run that a budget ends, or that fails, is a recording as well. Throws LabError for a
 * scenario that cannot be read or does not fit the simulated lab.
 */
export async function recordScenario(source: ScenarioSource, options: RecordOptions = {}): Promise<Recording> {
  const changed = applyWhatIf(source, source.changes ?? []);
  const scenario = readSource(changed.source);
  scenario.seed = changed.source.seed ?? scenario.seed;
  checkFits(scenario, { kind: "sim" });
  const log = new EventLog();
  const journal = new Journal();
  const recorder = new SimRecorder(log, journal);
  const budget = new BudgetWatch(options.budget ?? {}, log, options.clock);
  const pause = breather(log, budget, options);
  const { topology, seed } = scenario;
  const lab = new SimLab(topology, {
    seed,
    record: scenario.needsPackets,
    pause,
    pauseEvery: PAUSE_EVENTS,
    watch: recorder,
  });
  const run = lab.run.bind(lab);
  // Commands that end at once let no time pass, and there may be thousands of them.
  lab.run = async (command) => {
    await pause();
    return run(command);
  };
  try {
    // A change may break an expectation on purpose: what comes then is what one wants to see.
    const keepGoing = (source.changes ?? []).length > 0;
    const report = await runScenario(scenario, lab, recorder.onRun, { keepGoing });
    recorder.stop();
    const { title, description = "", file } = scenario;
    const { text } = changed.source;
    const about = { title, description, file, text, seed, changes: changed.descriptions, truncated: budget.ended };
    return new Recording({
      log,
      journal,
      running: recorder.running,
      about: { source: "scenario", ...about },
      topology,
      topologyView: topologyView(topology),
      report,
    });
  } finally {
    await lab.close();
  }
}
