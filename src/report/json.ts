/** Run reports as one JSON document: what `--json` prints, for programs. */
import type { RunReport } from "../scenario/report-types.ts";

/** Raised when a reader of the document has to change. */
const JSON_REPORT_VERSION = 1;

export interface JsonReport {
  version: typeof JSON_REPORT_VERSION;
  status: "passed" | "failed";
  scenarios: readonly RunReport[];
}

function jsonReport(reports: readonly RunReport[]): JsonReport {
  const status = reports.every((r) => r.status === "passed") ? "passed" : "failed";
  return { version: JSON_REPORT_VERSION, status, scenarios: reports };
}

/** The document as text, ending in a line break. */
export function toJson(reports: readonly RunReport[]): string {
  return `${JSON.stringify(jsonReport(reports), undefined, 2)}\n`;
}
