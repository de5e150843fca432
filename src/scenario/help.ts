/** Help on commands, from their specs. */

import { didYouMean } from "../suggest.ts";
import type { CommandSpec, OptionSpec, ParamSpec } from "./command.ts";
import { COMMAND_GROUPS, COMMANDS, findCommand } from "./commands.ts";
import { COMMON_RESULTS } from "./expect.ts";
import { paramName, usage } from "./usage.ts";

/** Help as lines: on one command, or the list of all. An unknown name gives one line that says so. */
export function helpText(name?: string): string[] {
  if (name === undefined) return overview();
  const spec = findCommand(name);
  if (spec) return commandHelp(spec);
  return [
    `There is no command "${name}". ${didYouMean(
      name,
      COMMANDS.map((c) => c.name),
      "Type help for the list.",
    )}`,
  ];
}

function overview(): string[] {
  const width = Math.max(...COMMANDS.map((c) => c.name.length));
  return COMMAND_GROUPS.flatMap(({ title, commands }) => [
    title,
    ...commands.map((c) => `  ${c.name.padEnd(width)}  ${c.summary}`),
    "",
  ]).concat("help COMMAND tells more.");
}

function commandHelp(spec: CommandSpec): string[] {
  const lines = [`${spec.name}: ${spec.summary}`, "", `  ${usage(spec)}`, ""];
  const rows: [string, string][] = [];
  if (spec.scope === "host") rows.push(["<host>", "the host on which it runs"]);
  for (const param of spec.params) rows.push([paramName(param), paramDoc(param)]);
  for (const option of Object.values(spec.options ?? {})) rows.push([optionName(option), option.doc]);
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  for (const [left, right] of rows) lines.push(`  ${left.padEnd(width)}  ${right}`);
  lines.push("", `For example: ${spec.example}`);
  if (spec.undo) lines.push(`Undone by ${spec.undo}.`);
  const results = Object.keys({ ...spec.results, ...COMMON_RESULTS });
  lines.push(`A scenario can expect: ${results.join(", ")}.`);
  return lines;
}

const paramDoc = (param: ParamSpec): string => (param.optional ? `${param.doc} (optional)` : param.doc);
const optionName = (option: OptionSpec): string =>
  `${option.flags.join(", ")}${option.type ? ` <${option.choices?.join("|") ?? option.type}>` : ""}`;
