/**
 * What-if changes as edits of a scenario's text: comments stay, and the result can be read, kept and shared like any scenario.
 * Whether it makes sense is for the scenario's reader to say.
 */
import { type Document, isMap, isScalar, isSeq, parseDocument, type Scalar, visit } from "yaml";
import { parseKey } from "../control/key.ts";
import { LabError } from "../errors.ts";
import { quoteWord } from "../scenario/words.ts";
import type { ScenarioSource, WhatIf } from "./protocol.ts";

export interface Changed {
  source: ScenarioSource;
  /** What each change did, one sentence each. */
  descriptions: string[];
}

const UDP_TIMEOUT = "net.netfilter.nf_conntrack_udp_timeout";
/** Words of pfc_start behind the host: command, NIC, name, two flags, two ports, then the pings' interval. */
const PING_WORD = 8;

/** Applies changes in order. Throws LabError: ERR_YAML_SYNTAX, and ERR_WHAT_IF where there is nothing to change. */
export function applyWhatIf(source: ScenarioSource, changes: readonly WhatIf[]): Changed {
  const { changes: _done, ...rest } = source;
  if (changes.length === 0) return { source: rest, descriptions: [] };
  const doc = parseDocument(source.text, { version: "1.2", schema: "core" });
  const [error] = doc.errors;
  if (error) {
    const at = error.linePos?.[0];
    const position = at && { file: source.file, line: at.line, column: at.col };
    throw new LabError("ERR_YAML_SYNTAX", error.message.split("\n")[0], { position });
  }
  if (!isMap(doc.contents)) refuse("the file is no scenario");
  const out: ScenarioSource = { ...rest };
  const descriptions = changes.map((change) => apply(doc, out, change));
  out.text = doc.toString({ lineWidth: 0 });
  return { source: out, descriptions };
}

function refuse(message: string, hint?: string): never {
  throw new LabError("ERR_WHAT_IF", message, { hint });
}

function apply(doc: Document, source: ScenarioSource, change: WhatIf): string {
  switch (change.kind) {
    case "link": {
      const faults = mergeFaults(String(doc.getIn(["links", change.link]) ?? ""), change.faults);
      setIn(doc, ["links", change.link], faults);
      return `The link ${change.link} has ${faults}.`;
    }
    case "stop-pings":
      return stopPings(doc, change.host, change.first ?? false);
    case "key":
      return changeKey(doc, change);
    case "nat-udp-timeout": {
      setIn(doc, ["sysctl", change.host, UDP_TIMEOUT], change.seconds);
      if (change.stream !== undefined) setIn(doc, ["sysctl", change.host, `${UDP_TIMEOUT}_stream`], change.stream);
      return `${change.host} forgets a UDP mapping after ${change.seconds} s.`;
    }
    case "seed":
      setIn(doc, ["seed"], change.seed);
      delete source.seed;
      return `The seed is ${change.seed}.`;
    case "step":
      return addStep(doc, change);
  }
}

/** Sets a value, with the maps around it where they are not there; what is there keeps its style. */
function setIn(doc: Document, path: string[], value: string | number): void {
  const node = doc.getIn(path, true);
  if (isScalar(node)) node.value = value;
  else if (path.length === 1 || isMap(doc.getIn(path.slice(0, -1), true))) doc.setIn(path, value);
  else if (path.length === 2) doc.setIn(path.slice(0, 1), doc.createNode({ [path[1]]: value }));
  else if (isMap(doc.getIn(path.slice(0, 1), true))) doc.setIn(path.slice(0, 2), doc.createNode({ [path[2]]: value }));
  else doc.setIn(path.slice(0, 1), doc.createNode({ [path[1]]: { [path[2]]: value } }));
}

/** `loss 1% delay 5ms` with `loss 10%` is `loss 10% delay 5ms`. */
function mergeFaults(old: string, change: string): string {
  const words = change.trim().split(/\s+/);
  if (["clear", "up", "down"].includes(words[0])) return change.trim();
  const pairs = new Map<string, string>();
  const all = [
    ...old
      .trim()
      .split(/\s+/)
      .filter((w) => w !== ""),
    ...words,
  ];
  for (let i = 0; i + 1 < all.length; i += 2) pairs.set(all[i], all[i + 1]);
  if (words.length % 2 !== 0 || pairs.size === 0)
    refuse(`${change} are no faults of a link`, "For example: loss 5% delay 20ms.");
  return [...pairs].map(([name, value]) => `${name} ${value}`).join(" ");
}

/** Command lines of the steps: every text that starts with HOST COMMAND. */
function commandLines(doc: Document, command: string): { node: Scalar<string>; words: string[] }[] {
  const out: { node: Scalar<string>; words: string[] }[] = [];
  const steps = doc.get("steps", true);
  if (!isSeq(steps)) return out;
  visit(steps, {
    Scalar(key, node) {
      if (key === "key" || typeof node.value !== "string") return;
      const words = node.value.trim().split(/\s+/);
      if (words[1] === command) out.push({ node: node as Scalar<string>, words });
    },
  });
  return out;
}

function stopPings(doc: Document, host: string | undefined, first: boolean): string {
  let n = 0;
  for (const { node, words } of commandLines(doc, "pfc_start"))
    if ((host === undefined || words[0] === host) && words[PING_WORD] !== undefined && words[PING_WORD] !== "0") {
      words[PING_WORD] = "0";
      node.value = words.join(" ");
      n++;
    }
  if (first)
    for (const { node, words } of commandLines(doc, "pfc_add"))
      if ((host === undefined || words[0] === host) && words.includes("-p")) {
        node.value = words.filter((w) => w !== "-p").join(" ");
        n++;
      }
  const who = host ?? "no host";
  if (n === 0) refuse(`there are no pings of ${host ?? "any host"} to stop`, "Pings are the last number of pfc_start.");
  return host === undefined ? `${who} sends GUE pings.`.replace("no", "No") : `${who} sends no GUE pings.`;
}

function changeKey(doc: Document, change: Extract<WhatIf, { kind: "key" }>): string {
  parseKey(change.key);
  let n = 0;
  for (const { node, words } of commandLines(doc, "pfc_add")) {
    // Options may stand anywhere; behind the command come NIC, group, service and key.
    const plain = words.flatMap((w, i) => (i > 1 && !w.startsWith("-") ? [i] : []));
    const [, group, service, key] = plain;
    if (words[0] !== change.host || Number(words[group]) !== change.group || Number(words[service]) !== change.service)
      continue;
    words[key] = quoteWord(change.key);
    node.value = words.join(" ");
    n++;
  }
  const id = `${change.group}/${change.service}`;
  if (n === 0) refuse(`${change.host} has no service ${id}`, "Services are set up by pfc_add.");
  return `${change.host} has another key for service ${id}.`;
}

function addStep(doc: Document, { before, text }: Extract<WhatIf, { kind: "step" }>): string {
  const steps = doc.get("steps", true);
  if (!isSeq(steps)) return refuse("the scenario has no steps");
  const at = before === undefined ? steps.items.length : before - 1;
  if (at < 0 || at > steps.items.length) refuse(`there is no step ${before}`, `There are ${steps.items.length}.`);
  const wait = /^wait\s+(\S+)$/.exec(text.trim());
  steps.items.splice(at, 0, doc.createNode(wait ? { wait: wait[1] } : { do: text.trim() }));
  return `A step more, as number ${at + 1}: ${text.trim()}.`;
}
