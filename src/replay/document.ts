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

/**
 * Where two reports of one run differ, in words; undefined where they say the same. Counts of packets are left out: they
 * depend on whether a run kept its packets.
 */
export function reportDifference(reported: RunReport, here: RunReport): string | undefined {
  return difference(reported, here, "");
}

function difference(a: unknown, b: unknown, path: string): string | undefined {
  if (typeof a === "object" && a !== null && typeof b === "object" && b !== null) {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
      if (key === "packets") continue;
      const found = difference(
        a[key as keyof typeof a],
        b[key as keyof typeof b],
        path === "" ? key : `${path}.${key}`,
      );
      if (found !== undefined) return found;
    }
    return undefined;
  }
  return a === b ? undefined : `${path}: ${JSON.stringify(a)} in the report, ${JSON.stringify(b)} here`;
}
