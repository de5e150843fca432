/** A page of docs/ as tests read it. */
import { readFileSync } from "node:fs";

const root = new URL("../../", import.meta.url);

/** A file of the repository, by its path from the root. */
export const readRepo = (path: string): string => readFileSync(new URL(path, root), "utf8");

/** A fenced block: what stands behind the opening fence, and the text. */
export interface Block {
  info: string;
  text: string;
  line: number;
}

export function blocksOf(page: string): Block[] {
  return [...page.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map((m) => ({
    info: m[1],
    text: m[2],
    line: page.slice(0, m.index).split("\n").length,
  }));
}

/** Cells of every table row that has as many, without the heads and rules. */
export function tableRows(page: string, head: string): string[][] {
  const lines = page.split("\n");
  const at = lines.indexOf(head);
  if (at < 0) throw new Error(`there is no table ${head}`);
  const rows: string[][] = [];
  for (let i = at + 2; lines[i]?.startsWith("|"); i++)
    rows.push(
      lines[i]
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim().replaceAll("\\|", "|")),
    );
  return rows;
}

/** Texts in backticks. */
export const codesIn = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map((m) => m[1]);
