/** An error of a typed line, for the shell and for a live lab: a mark under the wrong word instead of a file's name. */
import type { LabError } from "../errors.ts";

export function errorLines(text: string, err: LabError): string[] {
  const column = err.position?.file === "command" ? err.position.column : undefined;
  const marked = column === undefined ? [] : [`  ${text}`, `  ${" ".repeat(column - 1)}^`];
  const hint = err.hint === undefined ? [] : err.hint.split("\n").map((line) => `  ${line.trim()}`);
  return [...marked, `${err.message} (${err.code})`, ...hint];
}
