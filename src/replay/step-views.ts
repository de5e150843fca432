/** The steps of a report with the events at which they began and ended. */
import type { StepReport } from "../scenario/report-types.ts";
import { lastAtMost } from "./columns.ts";
import { type EventLog, KIND, SIDE_OUT } from "./event-log.ts";
import type { StepView } from "./types.ts";

/** Of a capture, which has packets only: the first and the last event of a step's time; none where nothing was seen then. */
export function stepViews(steps: readonly StepReport[], log: EventLog): StepView[] {
  const first = new Map<string, number>();
  const last = new Map<string, number>();
  for (let i = 0; i < log.length; i++)
    if (log.kind.data[i] === KIND.step)
      (log.side.data[i] === SIDE_OUT ? last : first).set(log.strings.get(log.where.data[i]), i);
  const recorded = first.size > 0;
  const byTime = ({ startNs, endNs }: StepReport): { firstEvent: number; lastEvent: number } => {
    const { data } = log.time;
    const lastEvent = lastAtMost(data, log.length, endNs);
    const firstEvent = lastAtMost(data, log.length, startNs - 1) + 1;
    return firstEvent <= lastEvent ? { firstEvent, lastEvent } : { firstEvent: -1, lastEvent: -1 };
  };
  const view = (step: StepReport): StepView => ({
    ...step,
    ...(recorded ? { firstEvent: first.get(step.id) ?? -1, lastEvent: last.get(step.id) ?? -1 } : byTime(step)),
    steps: step.steps.map(view),
  });
  return steps.map(view);
}
