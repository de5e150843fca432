/** Events by journey, in columns: where each journey's events start, and the events themselves. */
import type { EventLog } from "./event-log.ts";

export class JourneyIndex {
  private readonly starts: Int32Array;
  private readonly list: Int32Array;

  constructor(log: EventLog) {
    const journey = log.journey.data;
    const starts = new Int32Array(log.journeys + 2);
    for (let i = 0; i < log.length; i++) starts[journey[i] + 1]++;
    for (let j = 1; j < starts.length; j++) starts[j] += starts[j - 1];
    const next = starts.slice();
    this.list = new Int32Array(log.length);
    for (let i = 0; i < log.length; i++) this.list[next[journey[i]]++] = i;
    this.starts = starts;
  }

  /** Events of a journey, in order; empty where there is no such journey. */
  events(journey: number): number[] {
    if (journey < 1 || journey + 1 >= this.starts.length) return [];
    return Array.from(this.list.subarray(this.starts[journey], this.starts[journey + 1]));
  }
}
