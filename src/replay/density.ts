/** How many events of each kind fall into each part of the run, for a timeline that is narrower than the run is long. */
import { type EventLog, KIND } from "./event-log.ts";
import type { DensityAnswer } from "./protocol.ts";

/** More slots than a screen has pixels tell nothing. */
const MAX_SLOTS = 4096;

/** Slot `i` holds the events [i * length / slots, (i + 1) * length / slots). A change is a hook or a NAT that changed the packet. */
export function density(log: EventLog, wanted: number): DensityAnswer {
  const slots = Math.max(1, Math.min(MAX_SLOTS, Math.floor(wanted), log.length));
  const out: DensityAnswer = {
    packets: new Uint32Array(slots),
    changes: new Uint32Array(slots),
    drops: new Uint32Array(slots),
  };
  for (let i = 0; i < log.length; i++) {
    const slot = Math.floor((i * slots) / log.length);
    const kind = log.kind.data[i];
    if (log.isLoss(i)) out.drops[slot]++;
    else if (kind === KIND.packet) out.packets[slot]++;
    else if (kind === KIND.nat || (kind === KIND.hook && log.after.data[i] !== 0)) out.changes[slot]++;
  }
  return out;
}
