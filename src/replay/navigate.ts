/** Where to go from an event. */
import { lastAtMost } from "./columns.ts";
import type { NavTarget } from "./protocol.ts";
import type { Recording } from "./recording.ts";

/** Number of the event to go to, -1 where there is none. `from` may be -1: before the first. Throws ERR_FILTER_SYNTAX. */
export function navigate(recording: Recording, from: number, target: NavTarget, filter = ""): number {
  const { log } = recording;
  const events = recording.events(filter);
  const { length } = events;
  /** The first event behind `from`, or the last one before it, that `test` holds for. */
  const seek = (forward: boolean, test: (i: number) => boolean = () => true): number => {
    let at = lastAtMost(events, length, forward ? from : from - 1);
    if (forward) at++;
    for (const step = forward ? 1 : -1; at >= 0 && at < length; at += step) if (test(events[at])) return events[at];
    return -1;
  };
  switch (target.to) {
    case "next":
      return seek(true);
    case "previous":
      return seek(false);
    case "first":
      return length > 0 ? events[0] : -1;
    case "last":
      return length > 0 ? events[length - 1] : -1;
    case "next-drop":
    case "previous-drop":
      return seek(target.to === "next-drop", (i) => log.isLoss(i));
    case "next-at-host":
    case "previous-at-host": {
      const at = log.strings.all().map((place) => place.split("/")[0] === target.host);
      return seek(target.to === "next-at-host", (i) => at[log.place.data[i]]);
    }
    case "next-of-journey":
    case "previous-of-journey": {
      const journey = target.journey ?? (from >= 0 && from < log.length ? log.journey.data[from] : 0);
      return journey === 0 ? -1 : seek(target.to === "next-of-journey", (i) => log.journey.data[i] === journey);
    }
    case "time": {
      const i = lastBefore(log.time.data, log.length, target.timeNs) + 1;
      return i < log.length ? i : -1;
    }
    case "step":
      return recording.step(target.step)?.firstEvent ?? -1;
  }
}

/** The last place whose value is below `value`. */
function lastBefore(data: ArrayLike<number>, length: number, value: number): number {
  let i = lastAtMost(data, length, value);
  while (i >= 0 && data[i] === value) i--;
  return i;
}
