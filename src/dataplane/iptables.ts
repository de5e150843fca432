/**
 * The demo's subset of iptables (iptables(8), iptables-extensions(8)): words to a typed request, and the request applied to
 * a host's netfilter. What is not understood is refused with what was expected, never ignored.
 *
 *   iptables [-t nat|filter] -A|-I|-D|-C <chain> [-p ..] [-s ..] [-d ..] [-i ..] [-o ..] [--sport ..] [--dport ..]
 *            [-m state --state .. | -m conntrack --ctstate ..] -j <target>
 *   iptables [-t ..] -D <chain> <number> · -P <chain> ACCEPT|DROP · -F [<chain>] · -L [<chain>] · -S [<chain>]
 */
import { LabError } from "../errors.ts";
import { listLines, sameRule, specLines } from "./iptables-print.ts";
import { parseRule } from "./iptables-rule.ts";
import type { Netfilter } from "./netfilter.ts";
import { type NfChainName, type NfPolicy, type NfRule, type NfTable, TABLE_CHAINS } from "./netfilter-rules.ts";

export type IptablesRequest =
  | { op: "append" | "delete" | "check"; table: NfTable; chain: NfChainName; rule: NfRule }
  /** `position` counts from 1. */
  | { op: "insert"; table: NfTable; chain: NfChainName; position: number; rule: NfRule }
  | { op: "delete-number"; table: NfTable; chain: NfChainName; position: number }
  | { op: "policy"; table: NfTable; chain: NfChainName; policy: NfPolicy }
  /** `chain` undefined = all of the table. */
  | { op: "flush" | "list" | "spec"; table: NfTable; chain: NfChainName | undefined; lineNumbers: boolean };

const OPERATIONS: Record<string, string> = {
  "-A": "append",
  "--append": "append",
  "-I": "insert",
  "--insert": "insert",
  "-D": "delete",
  "--delete": "delete",
  "-C": "check",
  "--check": "check",
  "-P": "policy",
  "--policy": "policy",
  "-F": "flush",
  "--flush": "flush",
  "-L": "list",
  "--list": "list",
  "-S": "spec",
  "--list-rules": "spec",
};

/**
 * Parses the words behind `iptables`. Throws LabError: ERR_IPTABLES_SYNTAX, ERR_IPTABLES_TABLE, ERR_IPTABLES_CHAIN,
 * ERR_IPTABLES_MATCH, ERR_IPTABLES_TARGET.
 */
export function parseIptables(words: readonly string[]): IptablesRequest {
  let table: NfTable = "filter";
  let op: string | undefined;
  let chainWord: string | undefined;
  let operand: string | undefined;
  let lineNumbers = false;
  const rest: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    if (word === "-t" || word === "--table") table = parseTable(words[++i]);
    else if (Object.hasOwn(OPERATIONS, word)) {
      if (op !== undefined) throw syntax(`${word}: only one of -A, -I, -D, -C, -P, -F, -L and -S can be given`);
      op = OPERATIONS[word];
      if (i + 1 < words.length && !words[i + 1].startsWith("-")) chainWord = words[++i];
      if (i + 1 < words.length && !/^[-!]/.test(words[i + 1])) operand = words[++i];
    } else if (word === "-n" || word === "--numeric" || word === "-w" || word === "--wait") continue;
    else if (word === "--line-numbers") lineNumbers = true;
    else rest.push(word);
  }
  if (op === undefined) throw syntax("no command given");
  const chain = chainWord === undefined ? undefined : parseChain(table, chainWord);
  if (op === "flush" || op === "list" || op === "spec") {
    if (operand !== undefined || rest.length > 0) throw syntax(`unexpected "${operand ?? rest[0]}"`);
    return { op, table, chain, lineNumbers };
  }
  if (chain === undefined) throw syntax(`a chain is missing; expected one of ${TABLE_CHAINS[table].join(", ")}`);
  if (op === "policy") {
    if (rest.length > 0) throw syntax(`unexpected "${rest[0]}"`);
    return { op, table, chain, policy: parsePolicy(table, operand) };
  }
  if (op === "delete" && operand !== undefined) {
    if (rest.length > 0) throw syntax(`unexpected "${rest[0]}"; -D takes a rule or a number, not both`);
    return { op: "delete-number", table, chain, position: parsePosition(operand) };
  }
  if (op !== "insert" && operand !== undefined) throw syntax(`unexpected "${operand}"`);
  const rule = parseRule(table, chain, rest);
  if (op === "insert") return { op, table, chain, rule, position: operand === undefined ? 1 : parsePosition(operand) };
  return { op: op as "append" | "delete" | "check", table, chain, rule };
}

/** Carries out a request; returns the lines that iptables would print. Throws LabError ERR_IPTABLES_NO_RULE. */
export function applyIptables(nf: Netfilter, request: IptablesRequest): string[] {
  const { table } = request;
  switch (request.op) {
    case "append":
      nf.insertRule(table, request.chain, request.rule);
      return [];
    case "insert": {
      const { length } = nf.chain(table, request.chain).rules;
      if (request.position > length + 1) throw noRule("Index of insertion too big.");
      nf.insertRule(table, request.chain, request.rule, request.position - 1);
      return [];
    }
    case "delete":
    case "check": {
      const at = nf.chain(table, request.chain).rules.findIndex((r) => sameRule(r, request.rule));
      if (at < 0) throw noRule("Bad rule (does a matching rule exist in that chain?).");
      if (request.op === "delete") nf.removeRule(table, request.chain, at);
      return [];
    }
    case "delete-number":
      if (request.position > nf.chain(table, request.chain).rules.length) throw noRule("Index of deletion too big.");
      nf.removeRule(table, request.chain, request.position - 1);
      return [];
    case "policy":
      nf.setPolicy(table, request.chain, request.policy);
      return [];
    case "flush":
      for (const name of chainsOf(request)) {
        for (let i = nf.chain(table, name).rules.length - 1; i >= 0; i--) nf.removeRule(table, name, i);
      }
      return [];
    case "list":
      return chainsOf(request).flatMap((name, i) => [
        ...(i > 0 ? [""] : []),
        ...listLines(nf.chain(table, name), request.lineNumbers),
      ]);
    case "spec": {
      const chains = chainsOf(request).map((name) => nf.chain(table, name));
      return [...chains.map((c) => `-P ${c.name} ${c.policy}`), ...chains.flatMap(specLines)];
    }
  }
}

function chainsOf(request: { table: NfTable; chain: NfChainName | undefined }): readonly NfChainName[] {
  return request.chain === undefined ? TABLE_CHAINS[request.table] : [request.chain];
}

function parseTable(word: string | undefined): NfTable {
  if (word === "nat" || word === "filter") return word;
  throw new LabError("ERR_IPTABLES_TABLE", `iptables: expected table nat or filter behind -t, got ${quoted(word)}`);
}

function parseChain(table: NfTable, word: string): NfChainName {
  const names: readonly NfChainName[] = TABLE_CHAINS[table];
  const name = names.find((n) => n === word);
  if (name !== undefined) return name;
  const other = table === "filter" ? "nat" : "filter";
  const there = (TABLE_CHAINS[other] as readonly string[]).includes(word);
  throw new LabError(
    "ERR_IPTABLES_CHAIN",
    `iptables: no chain ${quoted(word)} in table ${table}; expected one of ${names.join(", ")}`,
    there ? { hint: `Table ${other} has it: add "-t ${other}".` } : {},
  );
}

function parsePolicy(table: NfTable, word: string | undefined): NfPolicy {
  if (word !== "ACCEPT" && word !== "DROP")
    throw new LabError("ERR_IPTABLES_TARGET", `iptables: expected policy ACCEPT or DROP, got ${quoted(word)}`);
  if (table === "nat" && word === "DROP")
    throw new LabError("ERR_IPTABLES_TARGET", "iptables: the nat table is not for filtering: its policy is ACCEPT", {
      hint: "Use the filter table.",
    });
  return word;
}

function parsePosition(word: string): number {
  if (/^[1-9]\d{0,5}$/.test(word)) return Number(word);
  throw syntax(`expected a rule number from 1 on, got "${word}"`);
}

const quoted = (word: string | undefined): string => (word === undefined ? "nothing" : `"${word}"`);

const syntax = (what: string): LabError =>
  new LabError("ERR_IPTABLES_SYNTAX", `iptables: ${what}`, {
    hint: "For example: iptables -t nat -A POSTROUTING -o eth1 -j MASQUERADE",
  });

const noRule = (what: string): LabError => new LabError("ERR_IPTABLES_NO_RULE", `iptables: ${what}`);
