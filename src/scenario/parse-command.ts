/**
 * The one parser of the command language, for scenario files, the shell and the command line.
 *
 *   [HOST | exec HOST | cli HOST | docker exec [-it] HOST] COMMAND[.sh] [OPTION [VALUE]]... ARGUMENT...
 */
import { LabError, type Position } from "../errors.ts";
import { didYouMean, suggest } from "../suggest.ts";
import { type ArgContext, BadArgument, readArg, readHost } from "./arg-types.ts";
import type { Command, CommandSpec, OptionSpec } from "./command.ts";
import { COMMANDS, findCommand } from "./commands.ts";
import { usage } from "./usage.ts";
import { columnAt, splitWords, type Word } from "./words.ts";

export interface ParseContext {
  /** Where the text's first character stands; without it, errors name column 1 and up of "command". */
  position?: Position;
  /** The topology's hosts; without them, any name may be a host. */
  hosts?: readonly string[];
  /** NICs of a host; without it, any interface name is accepted. */
  nics?: (host: string) => readonly string[] | undefined;
  /** The host on which a command without one in front runs: a host's prompt in the shell. */
  host?: string;
}

/**
 * Reads one command line. Throws LabError with the column of the wrong word: ERR_COMMAND_SYNTAX, ERR_COMMAND_UNKNOWN,
 * ERR_HOST_UNKNOWN, ERR_NIC_UNKNOWN, ERR_OPTION_UNKNOWN, ERR_NEEDS_HOST, ERR_NOT_ON_HOST, ERR_MISSING_ARGUMENT,
 * ERR_TOO_MANY_ARGUMENTS, ERR_BAD_ARGUMENT, ERR_KEY.
 */
export function parseCommand(text: string, ctx: ParseContext = {}): Command {
  const words = splitWords(text, ctx.position);
  const fail = (code: string, message: string, at: Word | number, hint?: string): never => {
    const offset = typeof at === "number" ? at : at.offset;
    throw new LabError(code, message, { position: columnAt(ctx.position, offset), hint });
  };
  const end = words.at(-1)?.end ?? 0;
  const knownHost = (w: Word): string => {
    const host = readHost(w.text, ctx, 0);
    return host instanceof BadArgument ? fail(host.code, host.message, w, host.hint) : host;
  };

  let i = words[0]?.text === "sudo" ? 1 : 0;
  if (i >= words.length)
    fail("ERR_COMMAND_SYNTAX", "there is no command", end, "See `guelab shell`, help, for the list.");
  const wrapped = wrapper(words, i);
  let host = ctx.host;
  let inFront = false;
  if (wrapped > i) {
    i = wrapped;
    if (i >= words.length)
      fail("ERR_MISSING_ARGUMENT", "exec needs a host and a command", end, "For example: exec egw pfc_list");
    // `cli HOST` alone opens a prompt: it is a command of its own.
    if (words[i - 1].text !== "cli" || i + 1 < words.length) {
      host = knownHost(words[i++]);
      inFront = true;
      if (i >= words.length)
        fail("ERR_MISSING_ARGUMENT", `exec ${host} needs a command`, end, `For example: exec ${host} pfc_list`);
    } else i--;
  }

  const next = i + 1 < words.length ? findCommand(words[i + 1].text) : undefined;
  const isHost = !inFront && (ctx.hosts?.includes(words[i].text) ?? false);
  let spec = findCommand(words[i].text);
  if (!inFront && next !== undefined && (spec === undefined || (isHost && next.scope === "host"))) {
    host = knownHost(words[i++]);
    inFront = true;
    spec = next;
  }
  const word = words[i];
  if (!spec) return fail("ERR_COMMAND_UNKNOWN", ...unknownCommand(words, i, isHost, ctx));
  if (spec.scope === "lab" && inFront)
    fail(
      "ERR_NOT_ON_HOST",
      `${spec.name} is a command of the lab: no host stands in front`,
      word,
      `For example: ${spec.example}`,
    );
  if (spec.scope === "host" && host === undefined)
    fail(
      "ERR_NEEDS_HOST",
      `${spec.name} runs inside a host, which stands in front`,
      word,
      `For example: ${spec.example}`,
    );

  const onHost = spec.scope === "host" ? host : undefined;
  const args = readArgs(spec, words.slice(i + 1), { hosts: ctx.hosts, nics: ctx.nics, host: onHost }, end, fail);
  return { spec, host: onHost, args, text: text.trim(), position: ctx.position };
}

/** Index behind `exec`, `cli` or `docker exec [-it]`, where the host stands; `i` when there is none of these. */
function wrapper(words: readonly Word[], i: number): number {
  const w = words[i].text.replace(/^.*\//, "").replace(/\.sh$/, "");
  if (w === "exec" || w === "cli") {
    if (w === "cli") words[i].text = w;
    return i + 1;
  }
  if (w !== "docker" || words[i + 1]?.text !== "exec") return i;
  let j = i + 2;
  while (words[j] && /^-[dit]+$/.test(words[j].text)) j++;
  return j;
}

function unknownCommand(words: readonly Word[], i: number, isHost: boolean, ctx: ParseContext): [string, Word, string] {
  const names = COMMANDS.map((c) => c.name);
  if (isHost) {
    const w = words[i + 1];
    const hint = didYouMean(w?.text ?? "", names, "Type help for the list of commands.");
    return w
      ? [`there is no command "${w.text}"`, w, hint]
      : [`"${words[i].text}" is a host: a command must follow`, words[i], `For example: ${words[i].text} pfc_list`];
  }
  const w = words[i];
  const known = [...names, ...(ctx.hosts ?? [])];
  const asCommand = suggest(w.text, names);
  const fallback = ctx.hosts
    ? `It is neither a command nor one of the hosts ${ctx.hosts.join(", ")}; help lists the commands.`
    : "Type help for the list of commands.";
  return [
    `there is no command "${w.text}"`,
    w,
    asCommand.length > 0 ? didYouMean(w.text, names, fallback) : didYouMean(w.text, known, fallback),
  ];
}

type Fail = (code: string, message: string, at: Word | number, hint?: string) => never;
const GREEDY = new Set(["rest", "hosts", "link-change"]);

function readArgs(
  spec: CommandSpec,
  words: readonly Word[],
  ctx: ArgContext,
  end: number,
  fail: Fail,
): Command["args"] {
  const args: Command["args"] = {};
  const hint = `Usage: ${usage(spec)}`;
  const options = new Map<string, [string, OptionSpec]>();
  for (const [name, option] of Object.entries(spec.options ?? {}))
    for (const flag of option.flags) options.set(flag, [name, option]);
  const read = (name: string, param: Parameters<typeof readArg>[0], given: readonly Word[]): void => {
    const value = readArg(
      param,
      given.map((w) => w.text),
      ctx,
    );
    if (value instanceof BadArgument)
      fail(value.code, value.message, given[value.word], value.hint ? `${value.hint}\n  ${hint}` : hint);
    else args[name] = value;
  };

  let n = 0;
  let noMoreOptions = spec.options === undefined;
  for (let i = 0; i < words.length; i++) {
    const w = words[i];
    if (!noMoreOptions && !w.quoted && w.text.length > 1 && w.text.startsWith("-")) {
      if (w.text === "--") {
        noMoreOptions = true;
        continue;
      }
      const eq = w.text.startsWith("--") ? w.text.indexOf("=") : -1;
      const flag = eq < 0 ? w.text : w.text.slice(0, eq);
      const found = options.get(flag);
      if (!found) {
        fail(
          "ERR_OPTION_UNKNOWN",
          `${spec.name} has no option ${flag}`,
          w,
          didYouMean(flag, [...options.keys()], hint),
        );
        continue;
      }
      const [name, option] = found;
      if (args[name] !== undefined) fail("ERR_BAD_ARGUMENT", `${flag} is given twice`, w, hint);
      if (option.type === undefined) {
        if (eq >= 0) fail("ERR_BAD_ARGUMENT", `${flag} takes no value`, w, hint);
        args[name] = true;
        continue;
      }
      const value = eq < 0 ? words[++i] : { ...w, text: w.text.slice(eq + 1), offset: w.offset + eq + 1 };
      if (!value) fail("ERR_MISSING_ARGUMENT", `${flag} needs a value: ${option.doc}`, end, hint);
      read(name, { ...option, type: option.type, name: flag }, [value]);
      continue;
    }
    const param = spec.params[n++];
    if (!param) fail("ERR_TOO_MANY_ARGUMENTS", `${spec.name} does not take "${w.text}"`, w, hint);
    const greedy = GREEDY.has(param.type);
    read(param.name, param, greedy ? words.slice(i) : [w]);
    if (greedy) break;
  }
  const missing = spec.params.slice(n).find((q) => !q.optional);
  if (missing) fail("ERR_MISSING_ARGUMENT", `${spec.name} needs <${missing.name}>: ${missing.doc}`, end, hint);
  for (const [name, option] of Object.entries(spec.options ?? {}))
    if (option.required && args[name] === undefined)
      fail("ERR_MISSING_ARGUMENT", `${spec.name} needs ${option.flags[0]}: ${option.doc}`, end, hint);
  return args;
}
