/** Lets others have their turn while a recording is made: messages, a cancel among them, and reports of how far it is. */
import type { BudgetWatch } from "./budget.ts";
import type { EventLog } from "./event-log.ts";
import type { Budget, ReplayHost } from "./protocol.ts";

/** Time from one breath to the next, ms. */
const BREATH_MS = 15;

export interface RecordOptions extends ReplayHost {
  budget?: Budget;
  /** Called now and then while the recording is made. */
  progress?: (state: { events: number; packets: number; timeNs: number; step: string }) => void;
  /** Asked now and then; true ends the recording. */
  cancelled?: () => boolean;
}

/** To be called often; does something once in a while. Throws LabError ERR_REPLAY_BUDGET, see BudgetWatch. */
export function breather(log: EventLog, budget: BudgetWatch, options: RecordOptions): () => Promise<void> {
  let last = options.clock?.() ?? 0;
  return async () => {
    budget.check();
    const now = options.clock?.() ?? last + BREATH_MS;
    if (now - last < BREATH_MS) return;
    const timeNs = log.length > 0 ? log.time.data[log.length - 1] : 0;
    options.progress?.({ events: log.length, packets: log.packets, timeNs, step: log.strings.get(log.currentStep) });
    await options.pause?.();
    last = options.clock?.() ?? now;
    budget.cancelled ||= options.cancelled?.() ?? false;
    budget.check();
  };
}
