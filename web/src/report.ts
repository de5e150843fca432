/** The report that this page is: its entries, and what to call them. */
import { signal } from "@preact/signals";
import type { ReportDocument, ReportEntry } from "../../src/replay/document.ts";
import * as store from "./store.ts";

/** Undefined in the page of `guelab serve`. */
export const reportDocument = signal<ReportDocument | undefined>(undefined);

/** The entry that is open. */
export const reportEntry = (): ReportEntry | undefined =>
  reportDocument.value?.entries.find((e) => e.source === store.source.value);

/** What compares says whether two sides are the same; what runs, whether expectations held. */
export function statusWords({ status, source }: Pick<ReportEntry, "status" | "source">): string {
  const compares = source.kind === "vector" || /\b(diff|fuzz)$/.test(reportDocument.value?.command ?? "");
  return status === "failed" ? `✕ ${compares ? "differs" : "failed"}` : `✓ ${compares ? "the same" : "passed"}`;
}

const LABS: Record<string, string> = {
  sim: "simulated run",
  netns: "real Linux: network namespaces",
  docker: "real Linux: containers",
  vector: "one hook, both data paths",
  difference: "one place, both sides",
};

export const labWords = ({ lab }: ReportEntry): string => LABS[lab] ?? lab;
