/** Completion of a command line at the cursor, from the commands' specs and the topology. */
import { RX_FLAGS, TX_FLAGS } from "../tables/schema.ts";
import { LINK_PROPS } from "./arg-types.ts";
import type { CommandSpec, ParamSpec } from "./command.ts";
import { COMMANDS, findCommand } from "./commands.ts";
import type { ParseContext } from "./parse-command.ts";

export interface Completions {
  /** Whole words that may stand in place of `word`. */
  candidates: string[];
  /** The unfinished word in front of the cursor; may be empty. */
  word: string;
}

/** What may come next after `text`. `extra` are words that may also start a line (a shell's own commands). */
export function completions(text: string, ctx: ParseContext, extra: readonly string[] = []): Completions {
  const words = text.trimStart().split(/\s+/);
  const word = words.pop() as string;
  const candidates = [...new Set(following(words, word, ctx, extra))].filter((c) => c.startsWith(word)).sort();
  return { candidates, word };
}

function following(before: string[], word: string, ctx: ParseContext, extra: readonly string[]): string[] {
  const hosts = [...(ctx.hosts ?? [])];
  let host = ctx.host;
  let rest = before;
  const names = (scope: CommandSpec["scope"]): string[] => COMMANDS.filter((c) => c.scope === scope).map((c) => c.name);
  if (rest.length === 0) return [...names("lab"), ...(host ? names("host") : []), ...hosts, ...extra];
  if (rest[0] === "help") return rest.length === 1 ? COMMANDS.map((c) => c.name) : [];
  if (rest[0] === "exec" || (rest[0] === "cli" && rest.length > 1)) rest = rest.slice(1);
  if (rest.length === 0) return hosts;
  if (hosts.includes(rest[0])) {
    host = rest[0];
    if (rest.length === 1) return names("host");
    rest = rest.slice(1);
  }
  const spec = findCommand(rest[0]);
  return spec ? arguments_(spec, rest.slice(1), word, { ...ctx, host }) : [];
}

function arguments_(spec: CommandSpec, given: string[], word: string, ctx: ParseContext): string[] {
  const options = Object.values(spec.options ?? {});
  if (word.startsWith("-")) return options.flatMap((o) => o.flags);
  let n = 0;
  let host = ctx.host;
  for (let i = 0; i < given.length; i++) {
    const option = options.find((o) => o.flags.includes(given[i]));
    if (option?.type !== undefined) {
      if (i === given.length - 1) return option.choices ? [...option.choices] : [];
      i++;
    } else if (!option) {
      const param = spec.params[n];
      if (param?.type === "host") host = given[i];
      // These take all that follows.
      if (param && param.type !== "hosts" && param.type !== "link-change") n++;
    }
  }
  const param = spec.params[n];
  return param ? values(param, { ...ctx, host }) : [];
}

function values(param: ParamSpec, ctx: ParseContext): string[] {
  const hosts = [...(ctx.hosts ?? [])];
  const nics = (host: string): string[] => [...(ctx.nics?.(host) ?? [])];
  if (param.choices) return [...param.choices];
  switch (param.type) {
    case "host":
    case "hosts":
      return hosts;
    case "nic":
      return ctx.host === undefined ? [] : nics(ctx.host);
    case "link":
      return ["all", ...hosts, ...hosts.flatMap((h) => nics(h).map((n) => `${h}/${n}`))];
    case "link-change":
      return ["clear", "down", "up", ...Object.keys(LINK_PROPS)];
    case "proto":
      return ["tcp", "udp"];
    case "rx-flags":
      return Object.keys(RX_FLAGS);
    case "tx-flags":
      return Object.keys(TX_FLAGS);
    default:
      return [];
  }
}
