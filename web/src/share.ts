/** What leaves the page: its state as a link, the scenario and the packets as files. */
import { encodeShare, type ShareState } from "../../src/replay/share.ts";
import { topologies as bundled } from "./catalogue.ts";
import { openLesson } from "./lessons/Lessons.tsx";
import * as store from "./store.ts";

/** What the page shows, as a link holds it; undefined for a capture or a vector. */
export function shareState(): ShareState | undefined {
  const source = store.scenario.value;
  if (!source) return undefined;
  const own = Object.entries(source.topologies).filter(([name, text]) => bundled[name] !== text);
  return {
    file: fileName(source.file),
    text: source.text,
    topologies: own.length > 0 ? Object.fromEntries(own) : undefined,
    seed: source.seed,
    changes: source.changes?.length ? source.changes : undefined,
    event: store.selected.value > 0 ? store.selected.value : undefined,
    filter: store.filter.value || undefined,
    lesson: (store.sideTab.value === "lessons" && openLesson.value) || undefined,
  };
}

/** The page's address with its state. Throws LabError ERR_LINK_TOO_LARGE. */
export async function shareLink(): Promise<string | undefined> {
  const state = shareState();
  if (!state) return undefined;
  const page = location.href.replace(/#.*$/s, "");
  return `${page}#${await encodeShare(state)}`;
}

/** True when the clipboard took it: pages from files and sealed frames may not write there. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** Gives the reader a file. */
export function download(name: string, content: Uint8Array | string, type: string): void {
  const url = URL.createObjectURL(new Blob([content as BlobPart], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // The browser has taken it by the next task.
  setTimeout(() => URL.revokeObjectURL(url), 0);
}

/** The scenario as it ran, what-if changes included. */
export function downloadScenario(): void {
  const source = store.scenario.value;
  if (source) download(fileName(source.file), store.info.value?.text || source.text, "application/yaml");
}

/** The packets as a capture; with a filter those that it lets through. Rejects as store.ask does. */
export async function downloadPcapng(): Promise<void> {
  const { bytes } = await store.ask("pcapng", { type: "pcapng", filter: store.filter.value || undefined });
  const name = fileName(store.info.value?.file ?? "capture").replace(/\.[^.]*$/, "");
  download(`${name}.pcapng`, bytes, "application/octet-stream");
}

/** The last part of a path, fit for a file's name. */
function fileName(path: string): string {
  const last = path.split(/[\\/]/).pop() ?? "";
  return last.replace(/[^\w.-]+/g, "-").replace(/^[.-]+/, "") || "scenario.yaml";
}
