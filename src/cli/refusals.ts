/** Commands that were refused where nothing expects it: the scenario is wrong, or the lab cannot do it. */
import type { Lacking } from "../report/console.ts";
import type { FailureReport, RunReport, StepReport } from "../scenario/report-types.ts";
import type { JobResult } from "./execute.ts";

export function refusals(report: RunReport): FailureReport[] {
  const refused = (f: FailureReport): boolean => f.code !== undefined && f.expected === undefined;
  const of = (steps: readonly StepReport[]): FailureReport[] =>
    steps.flatMap((step) => [...step.failures.filter(refused), ...of(step.steps)]);
  return [...(report.error ? [report.error] : []), ...of(report.steps)];
}

/** The machine, or the lab, lacks something that the scenario needs: neither is wrong. */
const LACKING: ReadonlySet<string | undefined> = new Set([
  "ERR_LAB_KIND",
  "ERR_NEIGH_TABLE",
  "ERR_NO_BPF",
  "ERR_NO_DOCKER",
  "ERR_NO_FOU",
  "ERR_NO_IMAGE",
  "ERR_NO_KOFFI",
  "ERR_NO_NETEM",
  "ERR_NO_PROGRAM",
  "ERR_NO_ROOT",
  "ERR_NO_TUN",
]);

/** What is missing for a scenario to run here; undefined where it ran, or was refused for another reason. */
export function lacking({ report, error }: Pick<JobResult, "report" | "error">): Lacking | undefined {
  const refused = error ? [error] : report ? refusals(report) : [];
  const [first] = refused;
  if (first?.code === undefined || !refused.every((r) => LACKING.has(r.code))) return undefined;
  return { code: first.code, message: first.message };
}
