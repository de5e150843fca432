/** Pages of docs/ that are written from the source: the commands and the reasons. `npm run gen` writes them, a test compares. */
import { EXPECTED } from "../src/scenario/arg-types.ts";
import type { CommandSpec, OptionSpec, ParamSpec, ParamType } from "../src/scenario/command.ts";
import { COMMAND_GROUPS, COMMANDS } from "../src/scenario/commands.ts";
import { COMMON_RESULTS } from "../src/scenario/expect.ts";
import { paramName, usage } from "../src/scenario/usage.ts";
import {
  type HookSide,
  type Outcome,
  REASON,
  REASONS,
  type ReasonDef,
  type ReasonName,
} from "../src/tables/reasons.ts";

const NOTE = (source: string): string => `<!-- Written by \`npm run gen\` from ${source}: edit that file. -->`;

const code = (text: string): string => `\`${text}\``;
/** A bar would end a table's cell. */
const cell = (text: string): string => text.replaceAll("|", "\\|");
const rows = (lines: readonly (readonly string[])[]): string[] =>
  lines.map((cells) => `| ${cells.map(cell).join(" | ")} |`);
const table = (head: readonly string[], lines: readonly (readonly string[])[]): string[] =>
  lines.length === 0 ? [] : ["", `| ${head.join(" | ")} |`, `| ${head.map(() => "---").join(" | ")} |`, ...rows(lines)];

/** The types of which a person needs to be told how they are written. */
const SELF_EVIDENT: readonly ParamType[] = ["word", "rest", "host", "hosts"];

function written(param: ParamSpec | OptionSpec): string {
  if (param.choices) return param.choices.map(code).join(" or ");
  if (param.type === undefined || SELF_EVIDENT.includes(param.type)) return "";
  return param.type === "port" && param.min === 1 ? "a port from 1 to 65535" : EXPECTED[param.type];
}

function command(spec: CommandSpec): string[] {
  const params = spec.params.map((p) => [
    code(paramName(p).replace(/^<|>$/g, "")),
    p.optional ? `${p.doc} (optional)` : p.doc,
    written(p),
  ]);
  const options = Object.values(spec.options ?? {}).map((o) => [
    o.flags.map(code).join(", "),
    o.required ? `${o.doc} (required)` : o.doc,
    written(o),
  ]);
  const results = Object.entries(spec.results ?? {}).map(([name, doc]) => `${code(name)} (${doc})`);
  return [
    `### ${spec.name}`,
    "",
    `${spec.summary[0].toUpperCase()}${spec.summary.slice(1)}.`,
    "",
    "```",
    usage(spec),
    "```",
    ...table(["parameter", "meaning", "written as"], [...params, ...options]),
    "",
    `Example: ${code(spec.example)}`,
    ...(spec.undo ? ["", `Undone by [${spec.undo}](#${spec.undo}).`] : []),
    ...(results.length > 0 ? ["", `A scenario can expect: ${results.join(", ")}.`] : []),
    "",
  ];
}

/** docs/commands.md */
export function commandsPage(): string {
  const scope = (c: CommandSpec): string => (c.scope === "host" ? "inside a host" : "the lab");
  return [
    NOTE("src/scenario/commands.ts"),
    "",
    "# Commands",
    "",
    "One language for scenarios (`do:`), `guelab shell` and every kind of lab: the demo's scripts under their own names and",
    "argument order, and what tests need besides. The shell's `help COMMAND` tells the same.",
    "",
    "```",
    "[HOST | exec HOST | cli HOST | docker exec [-it] HOST] COMMAND[.sh] [OPTION [VALUE]]... ARGUMENT...",
    "```",
    "",
    "- A command that runs inside a host has the host in front: `egw pfc_list`. At a host's prompt (`cli egw`) it is left out.",
    "- `./pfc_list.sh`, `sudo pfc_list` and `pfc_list` are the same command. `<x>` is a value, `[x]` may be left out.",
    "- Options stand behind the command's name, in front of a parameter with `...`, which takes the rest of the line. A word",
    "  in quotes is never an option.",
    "- `'single'` and `\"double\"` quotes and `\\` hold words together. `#` starts a comment. Nothing is expanded.",
    `- Of every command a scenario can expect ${Object.entries(COMMON_RESULTS)
      .map(([name, doc]) => `${code(name)} (${doc})`)
      .join("; ")}.`,
    "",
    "| command | where | what it does |",
    "| --- | --- | --- |",
    ...rows(COMMANDS.map((c) => [`[${c.name}](#${c.name})`, scope(c), c.summary])),
    "",
    ...COMMAND_GROUPS.flatMap(({ title, commands }) => [`## ${title}`, "", ...commands.flatMap(command)]),
  ]
    .join("\n")
    .replace(/\n+$/, "\n");
}

const OUTCOMES: readonly { outcome: Outcome; title: string; text: string }[] = [
  {
    outcome: "pass",
    title: "Passed",
    text: "The packet goes on, untouched or changed; other filters still see it (`TC_ACT_UNSPEC`).",
  },
  {
    outcome: "drop",
    title: "Dropped",
    text: "The packet ends here (`TC_ACT_SHOT`). A ping that was accepted ends here too.",
  },
  {
    outcome: "redirect",
    title: "Redirected",
    text: "The packet leaves by another interface or hook (`TC_ACT_REDIRECT`).",
  },
  { outcome: "note", title: "Notes", text: "Counted beside a reason." },
];
const HOOKS: Record<HookSide, string> = { ingress: "ingress", egress: "egress", both: "both" };

/** docs/reasons.md */
export function reasonsPage(): string {
  const all = Object.entries(REASONS) as [string, ReasonDef][];
  return [
    NOTE("src/tables/reasons.ts"),
    "",
    "# Reasons",
    "",
    "Every packet that enters a hook counts exactly one reason in the table REASON of its host. They stand in traces, in",
    "captures' comments, in the shell's `counters`, and in scenarios: `reason egw DROP_WRONG_KEY 1`, or `reason:` of a",
    "packet. The slot is its number in that table, the same in the reference and in the eBPF programs.",
    ...OUTCOMES.flatMap(({ outcome, title, text }) => [
      "",
      `## ${title}`,
      "",
      text,
      ...table(
        ["slot", "reason", "hook", "what happened"],
        all
          .filter(([, r]) => r.outcome === outcome)
          .map(([name, r]) => [String(REASON[name as ReasonName]), code(name), HOOKS[r.hook], r.text]),
      ),
    ]),
    "",
  ].join("\n");
}
