/** What is shown of one moment, put together for one answer: a step in the page costs one way to the worker and back. */

import type { Recording } from "./recording.ts";
import type { EventDetail, HostState, Moment } from "./types.ts";

/** Up to so many hosts all are told of; beyond, those of the packet's way. */
const MANY_HOSTS = 40;
/** Events of a journey that are given: more can be neither drawn nor followed. */
const MAX_WAY = 100;

export interface MomentWish {
  tables?: { host: string; most?: number };
  way?: number;
}

export function momentOf(recording: Recording, index: number, wish: MomentWish): Moment {
  const event = recording.event(index);
  // A repetition holds thousands of steps, which are events of their own.
  if (event.stepView !== undefined) event.stepView = { ...event.stepView, steps: [] };
  const moment: Moment = { event, hosts: hostsAt(recording, event) };
  if (wish.tables !== undefined) {
    const { hosts } = recording.journal;
    const wanted = wish.tables.host || event.host;
    // Where there are few hosts one of them is shown at a step or at a network as well.
    const host = hosts.has(wanted) ? wanted : hosts.size <= MANY_HOSTS ? moment.hosts[0]?.host : undefined;
    if (host !== undefined) [moment.tables] = recording.state(index, host, wish.tables.most);
  }
  const events = event.journeyView?.events ?? [];
  if (events.length > MAX_WAY || wish.way !== event.journey)
    moment.way = around(events, index).map((i) => recording.row(i));
  return moment;
}

function hostsAt(recording: Recording, event: EventDetail): HostState[] {
  const known = recording.journal.hosts;
  const way = event.journeyView?.hops.slice(0, MAX_WAY).map((h) => h.host) ?? [];
  const names = known.size <= MANY_HOSTS ? known.keys() : new Set([event.host, ...way]);
  return [...names].filter((h) => known.has(h)).map((h) => recording.host(event.index, h));
}

/** The events of a journey; of a very long one those around the event at hand. */
function around(events: readonly number[], index: number): readonly number[] {
  const from = Math.max(0, Math.min(events.indexOf(index) - MAX_WAY / 2, events.length - MAX_WAY));
  return events.slice(from, from + MAX_WAY);
}
