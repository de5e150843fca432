/**
 * The page's state as signals, and what changes it. Components and other panels read the signals and call the functions
 * here; all that is computed about a run comes from the worker (src/replay), nothing is worked out in the page.
 */
import { batch, computed, effect, signal } from "@preact/signals";
import type { NavTarget, OpenSource, ScenarioSource } from "../../src/replay/protocol.ts";
import type {
  ErrorView,
  EventDetail,
  EventRow,
  JourneyView,
  RecordingInfo,
  StateView,
} from "../../src/replay/types.ts";
import { type Ask, Ended, type Progress, ReplayClient, ReplayError } from "./client.ts";
import { RowCache } from "./rows.ts";
import { startWorker } from "./worker.ts";

/** `choosing`: nothing is open; `opening`: a run is under way; `failed`: it could not be opened, `failure` says why. */
export type Phase = "choosing" | "opening" | "ready" | "failed";

export const phase = signal<Phase>("choosing");
/** What is open, or being opened. */
export const source = signal<OpenSource | undefined>(undefined);
export const info = signal<RecordingInfo | undefined>(undefined);
export const failure = signal<ErrorView | undefined>(undefined);
export const progress = signal<Progress | undefined>(undefined);

/** Number of the selected event; -1 while there is none. */
export const selected = signal(-1);
/** Everything about the selected event; for some ms after a step still the one before. */
export const event = signal<EventDetail | undefined>(undefined);
/** Tables of every host right after `event`. */
export const state = signal<readonly StateView[]>([]);
/** The events of the selected packet's journey, in order. */
export const journeyRows = signal<readonly EventRow[]>([]);
export const journey = computed<JourneyView | undefined>(() => event.value?.journeyView);

/** The display filter that holds, and what is wrong with the one being typed. */
export const filter = signal("");
export const filterError = signal<{ message: string; column?: number } | undefined>(undefined);
/** Rows of the list that the filter lets through, and the place of the selected one among them (-1: hidden). */
export const rowTotal = signal(0);
export const selectedRow = signal(-1);

/** A short message for everyone, screen readers included. */
export const notice = signal("");

/** Panels; on a wide screen `network` and `packets` are always in sight. */
export type SideTab = "steps" | "whatif" | "lessons" | "source";
export type DetailTab = "decision" | "packet" | "tables";
export type PhoneTab = "network" | "packets" | "detail" | "side";
export const sideTab = signal<SideTab>("steps");
export const detailTab = signal<DetailTab>("decision");
export const phoneTab = signal<PhoneTab>("network");

/** The scenario that is open; undefined for a capture or a vector. */
export const scenario = computed<ScenarioSource | undefined>(() =>
  source.value?.kind === "scenario" ? source.value : undefined,
);

let client: ReplayClient | undefined;
let opening: { id: number } | undefined;
/** Counts what was opened, so that late answers about an earlier one are not shown. */
let generation = 0;

export const rows = new RowCache(async (filterText, from, count) => {
  const answer = await ask("rows", { type: "rows", filter: filterText || undefined, from, count });
  return answer.rows;
});

/** Asks the worker. Rejects with ReplayError or, when another run was opened meanwhile, Ended. */
export function ask<T extends Parameters<ReplayClient["ask"]>[0]>(type: T, request: Ask) {
  client ??= new ReplayClient(startWorker());
  return client.ask(type, request);
}

function errorView(e: unknown): ErrorView {
  if (e instanceof ReplayError) return e.view;
  return { code: "ERR_INTERNAL", message: e instanceof Error ? e.message : String(e) };
}

/**
 * Opens a scenario, capture or vector: runs it in the worker and shows it. `at`: the event to select; else the first
 * failed step's last, or the beginning. Never rejects; `phase` and `failure` tell how it went.
 */
export async function open(next: OpenSource, options: { at?: number } = {}): Promise<void> {
  if (phase.value === "opening") endWorker();
  const mine = ++generation;
  batch(() => {
    source.value = next;
    phase.value = "opening";
    progress.value = undefined;
    failure.value = undefined;
  });
  try {
    client ??= new ReplayClient(startWorker());
    const { info: opened } = await client.ask(
      "opened",
      { type: "open", source: next },
      {
        onId: (id) => {
          opening = { id };
        },
        progress: (p) => {
          if (mine === generation) progress.value = p;
        },
      },
    );
    if (mine !== generation) return;
    rows.reset();
    batch(() => {
      info.value = opened;
      filter.value = "";
      filterError.value = undefined;
      rowTotal.value = opened.events;
      selected.value = -1;
      event.value = undefined;
      state.value = [];
      journeyRows.value = [];
      phase.value = "ready";
    });
    document.title = opened.title ? `${opened.title} - guelab` : "guelab";
    await select(options.at ?? firstOfInterest(opened));
  } catch (e) {
    if (mine !== generation) return;
    batch(() => {
      // The worker holds one recording, and gave up the one before.
      info.value = undefined;
      if (!(e instanceof Ended) && next.kind === "scenario") sideTab.value = "whatif";
      failure.value = e instanceof Ended ? undefined : errorView(e);
      phase.value = e instanceof Ended ? "choosing" : "failed";
    });
  } finally {
    if (mine === generation) opening = undefined;
  }
}

/** Where a reader should start: a failed step's end, else the first event. */
function firstOfInterest(opened: RecordingInfo): number {
  const failed = opened.steps.find((s) => s.status === "failed");
  return failed && failed.lastEvent >= 0 ? failed.lastEvent : 0;
}

/** How long a run may take to end by itself, ms. */
const PATIENCE_MS = 1500;

/**
 * Asks the run under way to end; what was recorded until then is shown. Where it does not end soon, or at a second call, the
 * worker itself is ended.
 */
export function cancelOpen(): void {
  if (!opening || !client) {
    endWorker();
    return;
  }
  const { id } = opening;
  const mine = generation;
  opening = undefined;
  client.ask("done", { type: "cancel", request: id }).catch(() => undefined);
  setTimeout(() => {
    if (mine === generation && phase.value === "opening") endWorker();
  }, PATIENCE_MS);
}

/** Ends the worker whatever it does. The recording that it held is gone with it. */
export function endWorker(): void {
  client?.terminate();
  client = undefined;
  opening = undefined;
  batch(() => {
    info.value = undefined;
    if (phase.value === "opening") phase.value = "choosing";
  });
}

/** Back to the list of scenarios. */
export function close(): void {
  generation++;
  if (phase.value === "opening") endWorker();
  batch(() => {
    phase.value = "choosing";
    failure.value = undefined;
    info.value = undefined;
    source.value = undefined;
  });
  document.title = "guelab";
}

let wanted = -1;
let fetching = false;

/** Selects an event by number. While one is being fetched only the latest wish is kept, so that held keys do not queue up. */
export async function select(index: number): Promise<void> {
  if (phase.value !== "ready") return;
  const last = (info.value?.events ?? 0) - 1;
  if (last < 0) return;
  wanted = Math.max(0, Math.min(last, index));
  selected.value = wanted;
  if (fetching) return;
  fetching = true;
  const mine = generation;
  try {
    while (event.value?.index !== wanted && mine === generation) await show(wanted);
  } catch (e) {
    report(e);
  } finally {
    fetching = false;
  }
}

async function show(index: number): Promise<void> {
  const text = filter.value;
  const asked = ask("event", { type: "event", index });
  const [detail, hosts, place] = await Promise.all([
    asked,
    manyHosts() ? asked.then((a) => stateOf(index, a.event.host)) : stateOf(index),
    text ? ask("located", { type: "locate", filter: text, index }) : { row: index, hidden: false },
  ]);
  const id = detail.event.journey;
  const view = detail.event.journeyView;
  const ways = view && id !== event.value?.journey ? await journeyEvents(view) : undefined;
  batch(() => {
    event.value = detail.event;
    state.value = hosts;
    if (text === filter.value) selectedRow.value = place.hidden ? -1 : place.row;
    if (ways) journeyRows.value = ways;
    else if (!view) journeyRows.value = [];
  });
}

/** In a large topology the tables of one host are shown at a time. */
const MANY_HOSTS = 40;
export const manyHosts = (): boolean => (info.value?.topology?.hosts.length ?? 0) > MANY_HOSTS;
/** The host whose tables the reader wants to see; undefined: that of the event. */
export const tableHost = signal<string | undefined>(undefined);

async function stateOf(index: number, host?: string): Promise<readonly StateView[]> {
  const wanted = host && (tableHost.value ?? host);
  if (host !== undefined && !info.value?.topology?.hosts.some((h) => h.name === wanted)) return [];
  return (await ask("state", { type: "state", index, host: wanted })).hosts;
}

/** Shows the tables of a host; undefined: of wherever the event was. */
export async function showTables(host: string | undefined): Promise<void> {
  tableHost.value = host;
  const at = event.value;
  if (!at || !manyHosts()) return;
  try {
    const hosts = await stateOf(at.index, at.host);
    if (event.value === at) state.value = hosts;
  } catch (e) {
    report(e);
  }
}

/** Most rows that the worker gives at once. */
const MOST_ROWS = 1000;

/** Rows of a journey, at most 1,000 of them. */
async function journeyEvents(view: JourneyView): Promise<EventRow[]> {
  const { id, events } = view;
  const [first, last] = [events[0], events[events.length - 1]];
  // Mostly its events are near each other; a filter would look at all events of the run.
  if (last - first < MOST_ROWS) {
    const { rows: near } = await ask("rows", { type: "rows", from: first, count: last - first + 1 });
    return near.filter((r) => r.journey === id);
  }
  const { rows: found } = await ask("rows", { type: "rows", filter: `journey == ${id}`, from: 0, count: MOST_ROWS });
  return found;
}

function report(e: unknown): void {
  if (e instanceof Ended) return;
  notice.value = errorView(e).message;
}

/** Moves to where `target` says, within the filter. Says so when there is nothing there. */
export async function go(target: NavTarget): Promise<void> {
  if (phase.value !== "ready") return;
  try {
    const { index } = await ask("navigated", {
      type: "navigate",
      from: selected.value,
      target,
      filter: filter.value || undefined,
    });
    if (index < 0) notice.value = NOWHERE[target.to] ?? "There is no such event.";
    else {
      notice.value = "";
      await select(index);
    }
  } catch (e) {
    report(e);
  }
}

const NOWHERE: Partial<Record<NavTarget["to"], string>> = {
  next: "This is the last event.",
  previous: "This is the first event.",
  "next-drop": "No drop after this event.",
  "previous-drop": "No drop before this event.",
  "next-of-journey": "The packet's way ends here.",
  "previous-of-journey": "The packet's way begins here.",
};

/** Sets the display filter. A filter that does not parse leaves the list as it is and sets `filterError`. */
export async function setFilter(text: string): Promise<void> {
  if (phase.value !== "ready") return;
  const mine = generation;
  try {
    const answer = await ask("rows", { type: "rows", filter: text || undefined, from: 0, count: 1 });
    const place = await ask("located", {
      type: "locate",
      filter: text || undefined,
      index: Math.max(0, selected.value),
    });
    if (mine !== generation) return;
    rows.reset(text);
    batch(() => {
      filter.value = text;
      filterError.value = undefined;
      rowTotal.value = answer.total;
      selectedRow.value = place.hidden ? -1 : place.row;
    });
  } catch (e) {
    if (e instanceof Ended || mine !== generation) return;
    filterError.value = { message: errorView(e).message, column: e instanceof ReplayError ? e.column : undefined };
  }
}

/** The event in a row of the list that may not have been fetched yet. */
export async function rowAt(row: number): Promise<EventRow | undefined> {
  try {
    const answer = await ask("rows", { type: "rows", filter: filter.value || undefined, from: row, count: 1 });
    return answer.rows[0];
  } catch (e) {
    report(e);
    return undefined;
  }
}

/** A notice goes after a while, so that the same one can be said again. */
effect(() => {
  if (notice.value === "") return;
  const timer = setTimeout(() => {
    notice.value = "";
  }, 6000);
  return () => clearTimeout(timer);
});
