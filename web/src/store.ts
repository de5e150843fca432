/**
 * The page's state as signals, and what changes it. Components and other panels read the signals and call the functions
 * here; all that is computed about a run comes from the worker (src/replay), nothing is worked out in the page.
 */
import { batch, computed, effect, signal, untracked } from "@preact/signals";
import type { NavTarget, OpenSource, ScenarioSource } from "../../src/replay/protocol.ts";
import type {
  ErrorView,
  EventDetail,
  EventRow,
  HostState,
  JourneyView,
  RecordingInfo,
  StateView,
} from "../../src/replay/types.ts";
import { type Ask, Ended, type Progress, ReplayClient, ReplayError } from "./client.ts";
import { CHUNK, RowCache } from "./rows.ts";
import { startWorker } from "./worker.ts";

/** `starting`: what to open is not known yet; `choosing`: nothing is open; `opening`: a run is under way; `failed`: it could not be opened, `failure` says why. */
export type Phase = "starting" | "choosing" | "opening" | "ready" | "failed";

export const phase = signal<Phase>("starting");
/** What is open, or being opened. */
export const source = signal<OpenSource | undefined>(undefined);
export const info = signal<RecordingInfo | undefined>(undefined);
export const failure = signal<ErrorView | undefined>(undefined);
export const progress = signal<Progress | undefined>(undefined);

/** Number of the selected event; -1 while there is none. */
export const selected = signal(-1);
/** Everything about the selected event; for some ms after a step still the one before. */
export const event = signal<EventDetail | undefined>(undefined);
/** What stands on the hosts right after `event`, in numbers. */
export const hosts = signal<readonly HostState[]>([]);
/** Tables of one host right after `event`; only while their tab is open. */
export const tables = signal<StateView | undefined>(undefined);
/** The host whose tables the reader wants to see; undefined: that of the event. */
export const tableHost = signal<string | undefined>(undefined);
/** Rows of a table that are shown, besides those that changed. */
const FEW_ROWS = 50;
export const MANY_ROWS = 1000;
export const tableRows = signal(FEW_ROWS);
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

const rowsOf = (text: string, from: number, count: number) =>
  ask("rows", { type: "rows", filter: text || undefined, from, count });

export const rows = new RowCache(async (text, from, count) => (await rowsOf(text, from, count)).rows);

/** Starts the worker: it takes as long to load as the page, and may do so meanwhile. */
export function prepare(): void {
  client ??= new ReplayClient(startWorker());
}

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
    const at = Math.max(0, Math.min(opened.events - 1, options.at ?? firstOfInterest(opened)));
    // The page is drawn once, with all that is to be seen first.
    const [first, shown] =
      opened.events > 0 ? await Promise.all([rowsOf("", 0, CHUNK), momentAt(at, "", undefined)]) : [];
    if (mine !== generation) return;
    rows.reset("", first?.rows);
    wanted = at;
    batch(() => {
      info.value = opened;
      filter.value = "";
      filterError.value = undefined;
      rowTotal.value = opened.events;
      selected.value = opened.events > 0 ? at : -1;
      selectedRow.value = -1;
      event.value = undefined;
      hosts.value = [];
      tables.value = undefined;
      tableRows.value = FEW_ROWS;
      journeyRows.value = [];
      phase.value = "ready";
      shown?.();
    });
    document.title = opened.title ? `${opened.title} - guelab` : "guelab";
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

/** Where a reader should start: a failed step's end, what two data paths differ on, else the first event. */
function firstOfInterest(opened: RecordingInfo): number {
  const failed = opened.steps.find((s) => s.status === "failed");
  return failed && failed.lastEvent >= 0 ? failed.lastEvent : (opened.differs[0] ?? 0);
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
  batch(await momentAt(index, filter.value, event.value?.journey));
}

/** Fetches what is to be seen at an event; `way`: the journey whose events are here. What it returns puts it in place. */
async function momentAt(index: number, text: string, way: number | undefined): Promise<() => void> {
  const wish = tablesWish.value;
  const { moment, row, hidden } = await ask("moment", {
    type: "moment",
    index,
    filter: text || undefined,
    tables: wish,
    way,
  });
  return () => {
    event.value = moment.event;
    hosts.value = moment.hosts;
    if (wish === tablesWish.value) tables.value = moment.tables;
    if (text === filter.value) selectedRow.value = hidden ? -1 : row;
    if (moment.way) journeyRows.value = moment.way;
  };
}

/** In a large topology one chooses a host from a list. */
const MANY_HOSTS = 40;
export const manyHosts = (): boolean => (info.value?.topology?.hosts.length ?? 0) > MANY_HOSTS;

/** The tables that are in sight, if any. */
const tablesWish = computed(() =>
  detailTab.value === "tables" ? { host: tableHost.value ?? "", most: tableRows.value } : undefined,
);

/** Tables come with each event while their tab is open; when it opens, or others are wanted, those of the event at hand. */
effect(() => {
  if (tablesWish.value === undefined) return;
  untracked(() => {
    const at = event.value;
    if (phase.value !== "ready" || !at) return;
    momentAt(at.index, filter.value, at.journey).then((apply) => {
      if (event.value === at) batch(apply);
    }, report);
  });
});

function report(e: unknown): void {
  if (e instanceof Ended) return;
  notice.value = errorView(e).message;
}

/** Moves to where `target` says, within the filter. Says so when there is nothing there. */
export async function go(target: NavTarget): Promise<void> {
  if (phase.value !== "ready") return;
  try {
    const index = (filter.value === "" ? neighbour(target) : undefined) ?? (await navigate(target));
    if (index < 0) notice.value = NOWHERE[target.to] ?? "There is no such event.";
    else {
      notice.value = "";
      await select(index);
    }
  } catch (e) {
    report(e);
  }
}

/** Where a target among all events needs no asking; -1: there is none. */
function neighbour({ to }: NavTarget): number | undefined {
  const last = (info.value?.events ?? 0) - 1;
  const at = selected.value;
  if (to === "next") return at < last ? at + 1 : -1;
  if (to === "previous") return at > 0 ? at - 1 : -1;
  return to === "first" ? Math.min(0, last) : to === "last" ? last : undefined;
}

async function navigate(target: NavTarget): Promise<number> {
  const { index } = await ask("navigated", {
    type: "navigate",
    from: selected.value,
    target,
    filter: filter.value || undefined,
  });
  return index;
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
    const index = Math.max(0, selected.value);
    const [answer, place] = await Promise.all([
      rowsOf(text, 0, CHUNK),
      ask("located", { type: "locate", filter: text || undefined, index }),
    ]);
    if (mine !== generation) return;
    rows.reset(text, answer.rows);
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
    return (await rowsOf(filter.value, row, 1)).rows[0];
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
