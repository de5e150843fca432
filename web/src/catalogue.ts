/** The scenarios and topology files that come with guelab, bundled with the page as text. */
import type { ScenarioSource } from "../../src/replay/protocol.ts";

const files: Record<string, string> = import.meta.glob("../../scenarios/**/*.yaml", {
  query: "?raw",
  import: "default",
  eager: true,
});
const cfgs: Record<string, string> = import.meta.glob("../../scenarios/topologies/*.cfg", {
  query: "?raw",
  import: "default",
  eager: true,
});

const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** Topology files by the name that scenarios give. */
export const topologies: Record<string, string> = Object.fromEntries(
  Object.entries(cfgs).map(([path, text]) => [nameOf(path), text]),
);

export interface CatalogueEntry {
  /** `basic/02-node2-behind-nat.yaml`. */
  file: string;
  group: string;
  title: string;
  text: string;
}

/** In the order of their paths, `basic` first: it is where one begins. */
export const catalogue: readonly CatalogueEntry[] = Object.entries(files)
  .map(([path, text]): CatalogueEntry => {
    const file = path.split("/scenarios/")[1];
    return { file, group: file.split("/")[0], title: /^title: *"?(.*?)"?$/m.exec(text)?.[1] ?? nameOf(path), text };
  })
  .sort((a, b) => Number(b.group === "basic") - Number(a.group === "basic") || a.file.localeCompare(b.file));

export function catalogueSource(entry: CatalogueEntry): ScenarioSource {
  return { kind: "scenario", file: entry.file, text: entry.text, topologies };
}
