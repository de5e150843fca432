/** What a lesson asks of a recorded run; the page asks its worker, the terminal a server in the same process. */
import type { Request, Response } from "../replay/protocol.ts";
import type { EventDetail, RecordingInfo, StateView } from "../replay/types.ts";

export interface LessonRun {
  readonly info: RecordingInfo;
  /** Number of the next or previous event that the filter lets through; undefined when there is none. */
  navigate(from: number, to: "next" | "previous", filter: string): Promise<number | undefined>;
  /** Place of the last row at or before an event among those that the filter lets through; -1: there is none. */
  locate(filter: string, index: number): Promise<number>;
  event(index: number): Promise<EventDetail>;
  /** Tables of a host right after an event; undefined where it has none. */
  state(index: number, host: string): Promise<StateView | undefined>;
}

type Answer<T extends Response["type"]> = Extract<Response, { type: T }>;
type Unnumbered<R> = R extends { id: number } ? Omit<R, "id"> : never;
/** One request to a replay server; the answer is of the type named. Rejects with what the server says is wrong. */
export type Ask = <T extends Response["type"]>(type: T, request: Unnumbered<Request>) => Promise<Answer<T>>;

/** The run that a replay server holds. */
export function lessonRun(info: RecordingInfo, ask: Ask): LessonRun {
  return {
    info,
    navigate: async (from, to, filter) => {
      const { index } = await ask("navigated", { type: "navigate", from, target: { to }, filter });
      return index < 0 ? undefined : index;
    },
    locate: async (filter, index) => (await ask("located", { type: "locate", filter, index })).row,
    event: async (index) => (await ask("event", { type: "event", index })).event,
    state: async (index, host) => (await ask("state", { type: "state", index, host })).hosts[0],
  };
}
