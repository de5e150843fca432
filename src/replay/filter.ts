/**
 * The display filter of the list of events: docs/replay.md says it for users.
 *
 *   expression = and { ("||" | "or") and }
 *   and        = not { ["&&" | "and"] not }                 two side by side: both
 *   not        = ("!" | "not") not | "(" expression ")" | FIELD OPERATOR VALUE | WORD
 *   operator   = "==" | "!=" | "<" | "<=" | ">" | ">=" | "~"     (~: contains; "=" is taken for "==")
 *
 * A WORD that is no comparison is searched for in what the row shows; "quoted" where it has blanks or signs in it.
 */
import { LabError } from "../errors.ts";
import { didYouMean } from "../suggest.ts";
import { parseIpv4 } from "../wire/ipv4.ts";

/** What can be compared; `number` also takes `lo..hi`. */
export const FILTER_FIELDS = {
  host: { type: "text", doc: "host, network or link" },
  nic: { type: "text", doc: "interface: eth1, or egw/eth1" },
  kind: { type: "text", doc: "packet, hook, nat, drop, step or control" },
  dir: { type: "text", doc: "in or out: how a packet was seen at its interface" },
  hook: { type: "text", doc: "ingress or egress" },
  verdict: { type: "text", doc: "pass, drop, redirect or consumed" },
  reason: { type: "text", doc: "name of a reason, or the words of a drop" },
  where: { type: "text", doc: "who dropped it (ip, netfilter, link ...), or which netfilter hook translated it" },
  proto: { type: "text", doc: "arp, ip, icmp, udp, tcp, gue, ping (GUE's) or fragment, in any layer" },
  src: { type: "endpoint", doc: "source ADDRESS[:PORT], outer or inner" },
  dst: { type: "endpoint", doc: "destination ADDRESS[:PORT], outer or inner" },
  ip: { type: "endpoint", doc: "source or destination ADDRESS[:PORT], outer or inner" },
  port: { type: "number", doc: "a port of either end, outer or inner" },
  tunnel: { type: "number", doc: "tunnel id" },
  group: { type: "number", doc: "group of the service" },
  service: { type: "number", doc: "service id" },
  length: { type: "number", doc: "bytes of the frame" },
  time: { type: "number", doc: "seconds since the lab came up" },
  index: { type: "number", doc: "number of the event" },
  journey: { type: "number", doc: "number of the packet's journey" },
  changes: { type: "number", doc: "table rows and flows that changed" },
  step: { type: "text", doc: "id of the step under way; 3 stands for 3.1 and 3.2 as well" },
  text: { type: "text", doc: "what the row shows" },
} as const satisfies Record<string, { type: "text" | "number" | "endpoint"; doc: string }>;

export type FilterField = keyof typeof FILTER_FIELDS;
export type FilterOp = "==" | "!=" | "<" | "<=" | ">" | ">=" | "~";

/** A parsed filter. Text is lower case; numbers are ranges [lo, hi]. */
export type FilterNode =
  | { op: "and" | "or"; left: FilterNode; right: FilterNode }
  | { op: "not"; node: FilterNode }
  | { op: "all" }
  | { op: "compare"; field: FilterField; cmp: FilterOp; text: string; lo: number; hi: number; port: number };

interface Token {
  kind: "word" | "quoted" | "sign";
  text: string;
  column: number;
}

const HINT = 'For example: host==egw && verdict==drop, or proto==gue and not (time<0.5), or "a text".';
const SIGN = /^(&&|\|\||==|!=|<=|>=|[<>=~!()])/;

function fail(message: string, column: number, hint = HINT): never {
  throw new LabError("ERR_FILTER_SYNTAX", message, { position: { file: "filter", line: 1, column }, hint });
}

function tokenize(text: string): Token[] {
  const out: Token[] = [];
  let i = 0;
  while (i < text.length) {
    const column = i + 1;
    const rest = text.slice(i);
    const blank = /^\s+/.exec(rest);
    const sign = SIGN.exec(rest);
    if (blank) i += blank[0].length;
    else if (rest[0] === '"') {
      const end = text.indexOf('"', i + 1);
      if (end < 0) fail("the quotation mark is never closed", column);
      out.push({ kind: "quoted", text: text.slice(i + 1, end), column });
      i = end + 1;
    } else if (sign) {
      out.push({ kind: "sign", text: sign[0], column });
      i += sign[0].length;
    } else {
      const word = (/^[^\s"&|=!<>~()]+|^./u.exec(rest) as RegExpExecArray)[0];
      if (word === "&" || word === "|") fail(`a lone ${word}`, column, `Write ${word}${word}, or a word.`);
      out.push({ kind: "word", text: word, column });
      i += word.length;
    }
  }
  return out;
}

/** Reads a filter; an empty one lets everything through. Throws LabError ERR_FILTER_SYNTAX, `position.column` from 1. */
export function parseDisplayFilter(text: string): FilterNode {
  if (text.length > MAX_LENGTH) fail(`a filter of ${text.length} characters is too long`, MAX_LENGTH);
  const parser = new Parser(tokenize(text), text.length + 1);
  return parser.whole();
}

const MAX_LENGTH = 2000;
const MAX_DEPTH = 100;
const COMPARES = ["==", "!=", "<", "<=", ">", ">=", "~", "="];

class Parser {
  private readonly tokens: Token[];
  private readonly end: number;
  private next = 0;
  private depth = 0;

  constructor(tokens: Token[], end: number) {
    this.tokens = tokens;
    this.end = end;
  }

  whole(): FilterNode {
    if (this.tokens.length === 0) return { op: "all" };
    const node = this.or();
    const left = this.tokens[this.next];
    if (left !== undefined) fail(`${left.text} is out of place`, left.column);
    return node;
  }

  private or(): FilterNode {
    let left = this.and();
    while (this.take("||", "or")) left = { op: "or", left, right: this.and() };
    return left;
  }

  private and(): FilterNode {
    let left = this.not();
    for (;;) {
      const joined = this.take("&&", "and");
      const token = this.tokens[this.next];
      if (!joined && (token === undefined || this.is(token, "||", "or") || this.is(token, ")"))) return left;
      left = { op: "and", left, right: this.not() };
    }
  }

  private not(): FilterNode {
    const token = this.tokens[this.next++];
    if (token === undefined) return fail("the filter ends where a condition is expected", this.end);
    if (++this.depth > MAX_DEPTH) fail("the filter is nested too deeply", token.column);
    try {
      if (this.is(token, "!", "not")) return { op: "not", node: this.not() };
      if (this.is(token, "(")) {
        const node = this.or();
        if (!this.take(")")) fail("the bracket is never closed", token.column);
        return node;
      }
      if (token.kind === "sign" || this.is(token, "&&", "and") || this.is(token, "||", "or"))
        return fail(`a condition is expected, not ${token.text}`, token.column);
      return this.condition(token);
    } finally {
      this.depth--;
    }
  }

  private condition(token: Token): FilterNode {
    const sign = this.tokens[this.next];
    if (token.kind === "quoted" || sign?.kind !== "sign" || !COMPARES.includes(sign.text))
      return { op: "compare", field: "text", cmp: "~", text: token.text.toLowerCase(), lo: 0, hi: 0, port: -1 };
    this.next++;
    const name = token.text.toLowerCase();
    if (!Object.hasOwn(FILTER_FIELDS, name)) {
      const known = Object.keys(FILTER_FIELDS);
      fail(`there is no field ${token.text}`, token.column, didYouMean(name, known, `Fields: ${known.join(", ")}.`));
    }
    const value = this.tokens[this.next++];
    if (value === undefined || value.kind === "sign")
      return fail(`a value is expected behind ${sign.text}`, value?.column ?? this.end);
    return compareNode(name as FilterField, sign, value);
  }

  private take(...texts: string[]): boolean {
    const token = this.tokens[this.next];
    if (token === undefined || !this.is(token, ...texts)) return false;
    this.next++;
    return true;
  }

  private is(token: Token, ...texts: string[]): boolean {
    return token.kind !== "quoted" && texts.includes(token.kind === "word" ? token.text.toLowerCase() : token.text);
  }
}

/** Fields whose values are few, so that a typing error can be told. */
const VALUES: Partial<Record<FilterField, readonly string[]>> = {
  kind: ["packet", "hook", "nat", "drop", "step", "control"],
  dir: ["in", "out"],
  hook: ["ingress", "egress"],
  verdict: ["pass", "drop", "redirect", "consumed"],
  proto: ["arp", "ip", "icmp", "udp", "tcp", "gue", "ping", "fragment"],
};

function compareNode(field: FilterField, sign: Token, value: Token): FilterNode {
  const cmp = (sign.text === "=" ? "==" : sign.text) as FilterOp;
  const node = { op: "compare", field, cmp, text: value.text.toLowerCase(), lo: 0, hi: 0, port: -1 } as const;
  const { type } = FILTER_FIELDS[field];
  const ordered = cmp.startsWith("<") || cmp.startsWith(">");
  if (type !== "number" && ordered) fail(`${field} has no order`, sign.column, "Use ==, != or ~.");
  if (type === "number") {
    if (cmp === "~") fail(`${field} is a number`, sign.column, "Use ==, !=, <, <=, > or >=.");
    const m = /^(\d+(?:\.\d+)?)(?:\.\.(\d+(?:\.\d+)?))?$/.exec(value.text);
    if (m === null) return fail(`${value.text} is not a number`, value.column, "A number or lo..hi is expected.");
    return { ...node, lo: Number(m[1]), hi: Number(m[2] ?? m[1]) };
  }
  if (type === "endpoint" && cmp !== "~") {
    const m = /^([0-9.]+)(?::(\d{1,5}))?$/.exec(value.text);
    const ip = m === null ? undefined : parseIpv4(m[1]);
    if (m === null || ip === undefined) return fail(`${value.text} is not ADDRESS or ADDRESS:PORT`, value.column);
    return { ...node, lo: ip, hi: ip, port: m[2] === undefined ? -1 : Number(m[2]) };
  }
  const known = VALUES[field];
  if (known && cmp !== "~" && !known.includes(node.text))
    fail(
      `${field} is never ${value.text}`,
      value.column,
      didYouMean(node.text, known, `It is one of ${known.join(", ")}.`),
    );
  return node;
}
