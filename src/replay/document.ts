/**
 * What a report file (`--html`) holds: data in a script element of the page, from which it starts in place of an empty
 * editor. A simulated run is its sources, which the page runs again; anything else is what was recorded of it.
 */
import type { RunReport } from "../scenario/report-types.ts";
import type { OpenSource } from "./protocol.ts";

/** Id of the script element that holds the document as JSON; empty in the page of `guelab serve`. */
export const DOCUMENT_ID = "guelab-document";

/** One thing to look at. */
export interface ReportEntry {
  /** In lists: a scenario's title, a vector's name. */
  title: string;
  status: "passed" | "failed";
  /** Where it ran: `sim`, `netns`, `vector`, ... */
  lab: string;
  source: OpenSource;
  /** What the run came to. A run of the sources in the page that comes to something else is pointed out. */
  report?: RunReport;
}

export interface ReportDocument {
  /** guelab's version that wrote it. */
  version: string;
  /** The command that gave it: `guelab run`, `guelab fuzz`, ... */
  command: string;
  entries: ReportEntry[];
}
