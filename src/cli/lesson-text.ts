/** A lesson's Markdown as lines for a terminal: paragraphs wrapped, emphasis as styles, tables and code as they are. */
import { stripVTControlCharacters } from "node:util";
import type { Paint } from "../report/paint.ts";

/** Widest line; longer ones are hard to read. */
const MAX_WIDTH = 100;

/** `width`: columns of the terminal, where there is one. */
export function lessonText(markdown: string, paint: Paint, width = MAX_WIDTH): string {
  const out: string[] = [];
  let paragraph = "";
  let indent = "";
  const flush = (): void => {
    if (paragraph !== "") out.push(...wrap(inline(paragraph, paint), Math.min(width, MAX_WIDTH), indent));
    paragraph = "";
    indent = "";
  };
  let code = false;
  for (const line of markdown.split("\n")) {
    const item = /^(\s*(?:[-*]|\d+\.)\s+)(.*)/.exec(line);
    if (/^```/.test(line)) {
      flush();
      code = !code;
    } else if (code) out.push(`  ${line}`);
    else if (line.startsWith("|")) {
      flush();
      if (!/^[|\s:-]+$/.test(line)) out.push(`  ${inline(line.replace(/^\||\|$/g, "").trim(), paint)}`);
    } else if (line.trim() === "") {
      flush();
      out.push("");
    } else if (line.startsWith("#")) {
      flush();
      out.push(paint("bold", line.replace(/^#+\s*/, "")));
    } else if (item) {
      flush();
      indent = " ".repeat(item[1].length);
      paragraph = item[1] + item[2];
    } else paragraph += (paragraph === "" ? "" : " ") + line.trim();
  }
  flush();
  return out
    .join("\n")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}

/** Columns that a text takes: colours take none. */
const columns = (text: string): number => stripVTControlCharacters(text).length;

function wrap(text: string, width: number, indent: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && columns(line) + 1 + columns(word) > width) {
      lines.push(line);
      line = indent + word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** Emphasis and code as styles; of links the text. */
function inline(line: string, paint: Paint): string {
  return line
    .replace(/`([^`]+)`/g, (_, code: string) => paint("cyan", code))
    .replace(/\*\*([^*]+)\*\*/g, (_, text: string) => paint("bold", text))
    .replace(/(^|[\s(])\*([^*\s][^*]*)\*/g, (_, before: string, text: string) => before + paint("bold", text))
    .replace(/\[([^\]]+)\]\((?:<[^>]*>|[^)\s]*)\)/g, "$1");
}
