/** A replay server: takes requests one by one and posts answers, in a Web Worker, in a test or in the same thread. */
import { LabError } from "../errors.ts";
import type { RecordOptions } from "./breath.ts";
import { recordCapture } from "./capture.ts";
import { lastAtMost } from "./columns.ts";
import { density } from "./density.ts";
import { momentOf } from "./moment.ts";
import { navigate } from "./navigate.ts";
import type { OpenSource, ReplayHost, ReplayServer, Request, Response, RowsAnswer } from "./protocol.ts";
import { recordScenario } from "./record.ts";
import type { Recording } from "./recording.ts";
import type { ErrorView } from "./types.ts";
import { recordVector } from "./vector.ts";
import { applyWhatIf } from "./what-if.ts";

/** Rows in one answer. */
const MAX_ROWS = 1000;
/** Frames prepared in one go: so little that nobody waits for it. */
const WARM_FRAMES = 100;
/** Time between two reports of progress, ms. */
const PROGRESS_MS = 100;

/** Opens a source of any kind. Throws LabError. */
export async function openSource(source: OpenSource, options: RecordOptions = {}): Promise<Recording> {
  switch (source.kind) {
    case "scenario":
      return recordScenario(source, options);
    case "capture":
      return recordCapture(source, options);
    case "vector":
      return recordVector(source);
  }
}

/** What an error is in an answer. */
export function errorView(err: unknown): ErrorView {
  if (!(err instanceof LabError)) return { code: "ERR_INTERNAL", message: String((err as Error)?.message ?? err) };
  const { code, message, hint, position } = err;
  return { code, message, ...(hint && { hint }), ...(position && { position }) };
}

/** Rows [from, from + count) of those that a filter lets through. */
export function rowsOf(recording: Recording, filter: string | undefined, from: number, count: number): RowsAnswer {
  const events = recording.events(filter);
  const start = Math.min(Math.max(0, Math.floor(from)), events.length);
  const end = Math.min(start + Math.min(Math.max(0, Math.floor(count)), MAX_ROWS), events.length);
  return { total: events.length, from: start, rows: Array.from(events.subarray(start, end), (i) => recording.row(i)) };
}

/** Where an event stands among the rows of a filter. */
function placeOf(recording: Recording, filter: string | undefined, index: number): { row: number; hidden: boolean } {
  const events = recording.events(filter);
  const row = lastAtMost(events, events.length, index);
  return { row, hidden: row < 0 || events[row] !== index };
}

export function createReplayServer(post: (response: Response) => void, host: ReplayHost = {}): ReplayServer {
  return new Server(post, host);
}

/** What is answered in turn. */
type Asked = Exclude<Request, { type: "cancel" }>;

class Server implements ReplayServer {
  private readonly post: (response: Response) => void;
  private readonly host: ReplayHost;
  private recording: Recording | undefined;
  private readonly cancelled = new Set<number>();
  /** Ends when all requests so far are answered. */
  private queue: Promise<void> = Promise.resolve();

  constructor(post: (response: Response) => void, host: ReplayHost) {
    this.post = post;
    this.host = host;
  }

  handle(request: Request): Promise<void> {
    if (request.type === "cancel") {
      this.cancelled.add(request.request);
      this.post({ id: request.id, type: "done" });
      return Promise.resolve();
    }
    const asked: Asked = request;
    this.queue = this.queue.then(() => this.answer(asked));
    return this.queue;
  }

  private async answer(request: Asked): Promise<void> {
    try {
      this.post(await this.respond(request));
    } catch (err) {
      const error = errorView(err);
      const column = error.code === "ERR_FILTER_SYNTAX" ? error.position?.column : undefined;
      this.post({ id: request.id, type: "error", error, ...(column === undefined ? {} : { column }) });
    } finally {
      this.cancelled.delete(request.id);
    }
  }

  private async respond(request: Asked): Promise<Response> {
    const { id } = request;
    switch (request.type) {
      case "open":
        this.recording = undefined;
        this.recording = await openSource(request.source, this.optionsOf(request));
        void this.warm(this.recording);
        return { id, type: "opened", info: this.recording.info };
      case "what-if": {
        const { source, descriptions } = applyWhatIf(request.source, request.changes);
        return { id, type: "what-if", source, changes: descriptions };
      }
      case "rows":
        return { id, type: "rows", ...rowsOf(this.opened(), request.filter, request.from, request.count) };
      case "locate":
        return { id, type: "located", ...placeOf(this.opened(), request.filter, request.index) };
      case "event":
        return { id, type: "event", event: this.opened().event(this.checked(request.index)) };
      case "state": {
        const index = request.index === -1 ? -1 : this.checked(request.index);
        return { id, type: "state", hosts: this.opened().state(index, request.host) };
      }
      case "moment": {
        const { index, filter } = request;
        const moment = momentOf(this.opened(), this.checked(index), request);
        return { id, type: "moment", moment, ...placeOf(this.opened(), filter, index) };
      }
      case "navigate": {
        const { from, target, filter } = request;
        return { id, type: "navigated", index: navigate(this.opened(), from, target, filter) };
      }
      case "journey":
        return { id, type: "journey", journey: this.opened().journey(request.journey) };
      case "density":
        return { id, type: "density", ...density(this.opened().log, request.slots) };
      case "report":
        return { id, type: "report", report: this.opened().report };
      case "pcapng":
        return { id, type: "pcapng", bytes: this.opened().pcapng(request.filter) };
    }
  }

  /** Prepares for filters while nothing else is to be done. */
  private async warm(recording: Recording): Promise<void> {
    const { pause } = this.host;
    if (pause === undefined) return;
    let from = 0;
    do await pause();
    while (this.recording === recording && recording.warm(from, (from += WARM_FRAMES)));
  }

  private opened(): Recording {
    if (this.recording !== undefined) return this.recording;
    throw new LabError("ERR_REPLAY_CLOSED", "no recording is open", { hint: "Open a scenario or a capture first." });
  }

  /** An event's number, if there is such an event. */
  private checked(index: number): number {
    const { length } = this.opened();
    if (Number.isInteger(index) && index >= 0 && index < length) return index;
    throw new LabError("ERR_REPLAY_INDEX", `there is no event ${index}`, { hint: `There are ${length}, from 0 on.` });
  }

  private optionsOf({ id, budget }: Extract<Request, { type: "open" }>): RecordOptions {
    const { clock, pause } = this.host;
    let last = clock?.() ?? 0;
    return {
      budget,
      clock,
      pause,
      cancelled: () => this.cancelled.has(id),
      progress: (state) => {
        const now = clock?.() ?? last + PROGRESS_MS;
        if (now - last < PROGRESS_MS) return;
        last = now;
        this.post({ id, type: "progress", ...state });
      },
    };
  }
}
