/** All levels of one scenario's comparison as one report. */
import type { HostHistory } from "../lab/linux/hook-record.ts";
import { BOXES_TITLE, compareBoxes } from "./boxes.ts";
import { compareHooks, HOOKS_TITLE } from "./hooks.ts";
import type { RecordedRun } from "./real.ts";
import { compareScenario, SCENARIO_TITLE } from "./scenario.ts";
import { DIFF_LEVELS, type DiffLevel, type DiffReport, type LevelReport } from "./types.ts";

export interface DiffInputs {
  /** The scenario's file as given. */
  file: string;
  against: DiffReport["against"];
  dataPath: DiffReport["dataPath"];
  levels: readonly DiffLevel[];
  real: RecordedRun;
  /** The simulated run; needed for level c. */
  reference?: RecordedRun;
  /** What the hooks did; needed for level a. */
  histories?: readonly HostHistory[];
}

const TITLES: Readonly<Record<DiffLevel, string>> = { a: HOOKS_TITLE, b: BOXES_TITLE, c: SCENARIO_TITLE };

export function diffReport(inputs: DiffInputs): DiffReport {
  const { file, against, dataPath, real, reference } = inputs;
  const levels = DIFF_LEVELS.map((level) => compareLevel(level, inputs));
  return {
    scenario: file,
    title: real.report.title,
    against,
    dataPath,
    verdict: levels.some((l) => l.verdict === "different") ? "different" : "equal",
    levels,
    real: real.report,
    reference: reference?.report,
  };
}

function compareLevel(level: DiffLevel, inputs: DiffInputs): LevelReport {
  if (!inputs.levels.includes(level)) return notRun(level, "not asked for");
  switch (level) {
    case "a":
      return inputs.histories === undefined ? notRun(level, "no hook was recorded") : compareHooks(inputs.histories);
    case "b": {
      const linux = inputs.real.marks.find((m) => m.refused === undefined && LINUX_PATH.has(m.command.spec.name));
      if (linux !== undefined)
        return notRun(level, `${linux.command.spec.name} makes tunnels of the kernel's own, which twins do not have`);
      return compareBoxes(inputs.real);
    }
    case "c":
      return inputs.reference === undefined
        ? notRun(level, "there is no simulated run")
        : compareScenario(inputs.real, inputs.reference);
  }
}

const LINUX_PATH = new Set(["egw_setup", "pfc_setup"]);

const notRun = (level: DiffLevel, why: string): LevelReport => ({
  level,
  title: TITLES[level],
  verdict: "not run",
  why,
  counts: [],
  rules: [],
  differenceCount: 0,
  differences: [],
});
