/** The steps of a report with the events at which they began and ended. */
import type { StepReport } from "../scenario/report-types.ts";
import { type EventLog, KIND, SIDE_OUT } from "./event-log.ts";
import type { StepView } from "./types.ts";

export function stepViews(steps: readonly StepReport[], log: EventLog): StepView[] {
  const first = new Map<string, number>();
  const last = new Map<string, number>();
  for (let i = 0; i < log.length; i++)
    if (log.kind.data[i] === KIND.step)
      (log.side.data[i] === SIDE_OUT ? last : first).set(log.strings.get(log.where.data[i]), i);
  const view = (step: StepReport): StepView => ({
    ...step,
    firstEvent: first.get(step.id) ?? -1,
    lastEvent: last.get(step.id) ?? -1,
    steps: step.steps.map(view),
  });
  return steps.map(view);
}
