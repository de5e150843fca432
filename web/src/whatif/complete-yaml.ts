/**
 * What may stand at the cursor of a scenario: keys by the scenario's JSON schema, command lines by the commands' specs, state in
 * words, names of hosts, topologies and settings. Works on the text before the cursor alone, so a file that is not whole is no
 * obstacle.
 */
import { CONNTRACK_SYSCTLS } from "../../../src/dataplane/conntrack-timeouts.ts";
import { findCommand } from "../../../src/scenario/commands.ts";
import { completions } from "../../../src/scenario/complete.ts";
import type { ParseContext } from "../../../src/scenario/parse-command.ts";
import { scenarioJsonSchema } from "../../../src/scenario/scenario-schema.ts";
import { STATE_SUBJECTS } from "../../../src/scenario/until.ts";

export interface Suggestion {
  label: string;
  /** `key`: a colon goes behind it. */
  kind: "key" | "command" | "host" | "word";
  /** One line about it. */
  info?: string;
}

export interface SuggestionList {
  /** Offset in the text where the unfinished word begins. */
  from: number;
  options: Suggestion[];
}

/** `text`: the document up to the cursor. `ctx`: the topology as far as it is known. */
export function suggestYaml(
  text: string,
  ctx: ParseContext,
  topologies: readonly string[],
): SuggestionList | undefined {
  const line = text.slice(text.lastIndexOf("\n") + 1);
  if (/^\s*#/.test(line)) return undefined;
  const value = /^\s*(?:-\s+)*(topology|do|until|expect):\s+(["']?)([^{[]*)$/.exec(line);
  if (value) {
    const [, key, , words] = value;
    if (key === "topology")
      return list(
        text,
        words,
        topologies.map((label) => ({ label, kind: "word" })),
      );
    return key === "do" ? commandLine(text, words, ctx) : stateLine(text, words, ctx);
  }
  const flow = openFlow(line);
  if (flow !== undefined) {
    const word = /[\w.$]*$/.exec(line)?.[0] ?? "";
    const before = line.slice(0, line.length - word.length);
    return /[{,]\s*$/.test(before) ? list(text, word, keysOf(flow === "" ? blockParent(text) : flow)) : undefined;
  }
  const item = /^(\s*(?:-\s+)+)(["']?)([^"']*)$/.exec(line);
  const parent = blockParent(text);
  if (item) {
    const words = item[3];
    if (/^\w+:\s/.test(words)) return undefined;
    const lines = ["until", "expect"].includes(parent) ? stateLine(text, words, ctx) : commandLine(text, words, ctx);
    if (/\s/.test(words) || parent === "labs") return lines;
    const keys = ["steps", "parallel"].includes(parent) ? keysOf(parent) : [];
    return list(text, words, [...keys, ...lines.options]);
  }
  const key = /^(\s*)([\w.$]*)$/.exec(line);
  if (!key) return undefined;
  const hosts = (ctx.hosts ?? []).map((label): Suggestion => ({ label, kind: "key", info: "host" }));
  if (parent === "sysctl") return list(text, key[2], hosts);
  if (hosts.some((h) => h.label === parent)) return list(text, key[2], SETTINGS);
  return list(text, key[2], keysOf(parent));
}

const SETTINGS: readonly Suggestion[] = ["net.ipv4.ip_forward", ...CONNTRACK_SYSCTLS].map((label) => ({
  label,
  kind: "key",
  info: "kernel setting",
}));

function list(text: string, word: string, options: readonly Suggestion[]): SuggestionList {
  const seen = new Set<string>();
  const fresh = options.filter((o) => o.label.startsWith(word) && !seen.has(o.label) && seen.add(o.label));
  return { from: text.length - word.length, options: fresh };
}

function commandLine(text: string, words: string, ctx: ParseContext): SuggestionList {
  const { candidates, word } = completions(words, ctx);
  return { from: text.length - word.length, options: candidates.map((label) => describe(label, ctx)) };
}

function describe(label: string, ctx: ParseContext): Suggestion {
  if (ctx.hosts?.includes(label)) return { label, kind: "host", info: "host" };
  const spec = findCommand(label);
  return spec ? { label, kind: "command", info: spec.summary } : { label, kind: "word" };
}

/** State in words: what to look at, then a host. */
function stateLine(text: string, words: string, ctx: ParseContext): SuggestionList {
  const before = words.split(/\s+/);
  const word = before.pop() ?? "";
  if (before.length === 0)
    return list(
      text,
      word,
      STATE_SUBJECTS.map((label) => ({ label, kind: "word", info: "state" })),
    );
  if (before.length === 1)
    return list(
      text,
      word,
      (ctx.hosts ?? []).map((label) => ({ label, kind: "host", info: "host" })),
    );
  return list(
    text,
    word,
    ["absent", "count", "resolved", "unresolved"].map((label) => ({ label, kind: "word" })),
  );
}

/** The key whose `{` is open at the end of the line, "" for a `{` without one; undefined outside of any. */
function openFlow(line: string): string | undefined {
  const open: string[] = [];
  let quote = "";
  for (let i = 0; i < line.length; i++) {
    const c = line[i];
    if (quote) {
      if (c === quote) quote = "";
    } else if (c === '"' || c === "'") quote = c;
    else if (c === "{" || c === "[") open.push(/([\w.$]+):\s*$/.exec(line.slice(0, i))?.[1] ?? "");
    else if (c === "}" || c === "]") open.pop();
  }
  return quote ? undefined : open.at(-1);
}

/** The key under which the last line stands, by indentation; "" at the top. */
function blockParent(text: string): string {
  const lines = text.split("\n");
  const last = lines.pop() as string;
  let indent = /^ */.exec(last)?.[0].length ?? 0;
  const dash = /^\s*-/.test(last);
  for (let i = lines.length - 1; i >= 0; i--) {
    const m = /^(\s*(?:-\s+)*)([\w.$/]+):\s*(.*)$/.exec(lines[i]);
    if (!m || m[2].startsWith("#")) continue;
    const own = m[1].length;
    // A list may stand as deep as its key; a key with a value on its line is nobody's parent.
    if ((own < indent || (dash && own === indent)) && m[3].replace(/#.*/, "").trim() === "") return m[2];
    if (own < indent && !dash) {
      // A neighbour in front of whose dash the list's key stands.
      indent = /^ */.exec(lines[i])?.[0].length ?? 0;
      if (!/^\s*-/.test(lines[i])) indent = own;
    }
  }
  return "";
}

interface Schema {
  $ref?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
  description?: string;
  $defs?: Record<string, Schema>;
}

let byParent: Map<string, Map<string, Suggestion>> | undefined;

/** Keys that may stand below a key, at the top for "". */
function keysOf(parent: string): Suggestion[] {
  byParent ??= readSchema(scenarioJsonSchema() as Schema);
  return [...(byParent.get(parent)?.values() ?? [])];
}

function readSchema(root: Schema): Map<string, Map<string, Suggestion>> {
  const out = new Map<string, Map<string, Suggestion>>();
  const done = new Set<string>();
  const visit = (schema: Schema, parent: string): void => {
    if (schema.$ref !== undefined) {
      const mark = `${parent} ${schema.$ref}`;
      if (done.has(mark)) return;
      done.add(mark);
      const target = root.$defs?.[schema.$ref.replace("#/$defs/", "")] ?? (schema.$ref === "#" ? root : undefined);
      if (target) visit(target, parent);
    }
    for (const one of schema.anyOf ?? []) visit(one, parent);
    if (schema.items) visit(schema.items, parent);
    for (const [name, child] of Object.entries(schema.properties ?? {})) {
      const keys = out.get(parent) ?? new Map<string, Suggestion>();
      out.set(parent, keys);
      if (name !== "$schema") keys.set(name, { label: name, kind: "key", info: child.description });
      visit(child, name);
    }
  };
  visit(root, "");
  return out;
}
