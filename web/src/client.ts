/** Speaks src/replay's protocol with a worker: one promise per request, errors as exceptions, and an end to all of it. */
import type { Request, Response } from "../../src/replay/protocol.ts";
import type { ErrorView } from "../../src/replay/types.ts";

type Answer<T extends Response["type"]> = Extract<Response, { type: T }>;
export type Progress = Answer<"progress">;
/** A request as it is asked; the client numbers it. */
export type Ask = Request extends infer R ? (R extends { id: number } ? Omit<R, "id"> : never) : never;

/** What went wrong, as the server says it. */
export class ReplayError extends Error {
  readonly view: ErrorView;
  /** Where in a filter, from 1. */
  readonly column: number | undefined;

  constructor(view: ErrorView, column?: number) {
    super(view.message);
    this.view = view;
    this.column = column;
  }
}

/** The worker was ended while a request was under way. */
export class Ended extends Error {}

interface Waiting {
  type: Response["type"];
  resolve: (r: Response) => void;
  reject: (e: Error) => void;
  progress?: (p: Progress) => void;
}

export class ReplayClient {
  private readonly worker: Worker;
  private readonly waiting = new Map<number, Waiting>();
  private lastId = 0;

  constructor(worker: Worker) {
    this.worker = worker;
    worker.onmessage = (e: MessageEvent<Response>) => this.hear(e.data);
    worker.onerror = (e) => {
      e.preventDefault();
      this.fail(
        new ReplayError({ code: "ERR_INTERNAL", message: e.message || "the simulator's worker did not start" }),
      );
    };
  }

  /** Rejects with ReplayError, or Ended when the worker is terminated meanwhile. */
  ask<T extends Response["type"]>(
    type: T,
    request: Ask,
    options: { progress?: (p: Progress) => void; onId?: (id: number) => void } = {},
  ): Promise<Answer<T>> {
    const id = ++this.lastId;
    options.onId?.(id);
    return new Promise<Response>((resolve, reject) => {
      this.waiting.set(id, { type, resolve, reject, progress: options.progress });
      this.worker.postMessage({ ...request, id });
    }) as Promise<Answer<T>>;
  }

  /** Ends the worker whatever it does; every open request rejects with Ended. */
  terminate(): void {
    this.worker.terminate();
    this.fail(new Ended("ended"));
  }

  private fail(error: Error): void {
    for (const w of this.waiting.values()) w.reject(error);
    this.waiting.clear();
  }

  private hear(r: Response): void {
    const w = this.waiting.get(r.id);
    if (!w) return;
    if (r.type === "progress") {
      w.progress?.(r);
      return;
    }
    this.waiting.delete(r.id);
    if (r.type === "error") w.reject(new ReplayError(r.error, r.column));
    else if (r.type === w.type) w.resolve(r);
    else w.reject(new ReplayError({ code: "ERR_INTERNAL", message: `${r.type} in answer to ${w.type}` }));
  }
}
