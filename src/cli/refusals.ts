/** Commands that were refused where nothing expects it: the scenario is wrong, or the lab cannot do it. */
import type { FailureReport, RunReport, StepReport } from "../scenario/report-types.ts";

export function refusals(report: RunReport): FailureReport[] {
  const refused = (f: FailureReport): boolean => f.code !== undefined && f.expected === undefined;
  const of = (steps: readonly StepReport[]): FailureReport[] =>
    steps.flatMap((step) => [...step.failures.filter(refused), ...of(step.steps)]);
  return [...(report.error ? [report.error] : []), ...of(report.steps)];
}
