/**
 * What the page opens when it is loaded: the document of a report, else the state in the address (a shared link), else
 * what `guelab serve SCENARIO` was given; else nothing, and the reader chooses from the catalogue.
 */
import { DOCUMENT_ID, type ReportDocument } from "../../src/replay/document.ts";
import type { OpenSource } from "../../src/replay/protocol.ts";
import { decodeShare, isShare } from "../../src/replay/share.ts";
import type { ErrorView } from "../../src/replay/types.ts";
import { topologies } from "./catalogue.ts";
import { lessons, openLesson } from "./lessons/Lessons.tsx";
import { reportDocument } from "./report.ts";
import * as store from "./store.ts";

/** Where `guelab serve` gives the source that it was called with. */
const SERVED = "api/scenario";

export async function start(): Promise<void> {
  store.prepare();
  await openFirst();
  if (store.phase.value === "starting") store.phase.value = "choosing";
}

async function openFirst(): Promise<void> {
  addEventListener("hashchange", () => {
    if (isShare(location.hash)) void openShared(location.hash);
  });
  const embedded = readDocument();
  if (embedded) {
    reportDocument.value = embedded;
    const first = embedded.entries.find((e) => e.status === "failed") ?? embedded.entries[0];
    if (embedded.entries.length === 1 || first?.status === "failed") await store.open(first.source);
    return;
  }
  if (isShare(location.hash)) return openShared(location.hash);
  const served = await servedSource();
  if (served) await store.open(served);
}

function readDocument(): ReportDocument | undefined {
  const text = document.getElementById(DOCUMENT_ID)?.textContent?.trim();
  if (!text) return undefined;
  try {
    return JSON.parse(text) as ReportDocument;
  } catch (e) {
    fail(
      "ERR_DOCUMENT",
      `the report's data cannot be read: ${(e as Error).message}`,
      "The file was cut off or changed.",
    );
    return undefined;
  }
}

async function openShared(hash: string): Promise<void> {
  try {
    const state = await decodeShare(hash);
    if (state.lesson !== undefined) showLesson(state.lesson);
    await store.open(
      {
        kind: "scenario",
        file: state.file,
        text: state.text,
        topologies: { ...topologies, ...state.topologies },
        seed: state.seed,
        changes: state.changes,
      },
      { at: state.event },
    );
    if (state.filter) await store.setFilter(state.filter);
  } catch (e) {
    const { code, message, hint } = e as { code?: string; message: string; hint?: string };
    fail(code ?? "ERR_LINK_SYNTAX", message, hint);
  }
}

/** The link's own scenario is what is run, so that it may be a changed one: the lesson says so then. */
function showLesson(id: string): void {
  if (lessons.value.every((l) => l.id !== id)) {
    store.notice.value = `The link leads to a lesson that this page does not have: ${id}.`;
    return;
  }
  openLesson.value = id;
  store.sideTab.value = "lessons";
  store.phoneTab.value = "side";
}

/** A page that comes from elsewhere, or a server without a scenario, has none. */
async function servedSource(): Promise<OpenSource | undefined> {
  if (!location.protocol.startsWith("http")) return undefined;
  try {
    const response = await fetch(SERVED);
    if (!response.ok || !response.headers.get("content-type")?.includes("json")) return undefined;
    const { scenario, error } = (await response.json()) as { scenario: OpenSource | null; error?: ErrorView };
    // A mistake in a scenario is found again where it is opened, with its text at hand.
    if (scenario === null && error) fail(error.code, error.message, error.hint);
    return scenario ?? undefined;
  } catch {
    return undefined;
  }
}

function fail(code: string, message: string, hint?: string): void {
  store.failure.value = { code, message, hint };
  store.phase.value = "failed";
}
