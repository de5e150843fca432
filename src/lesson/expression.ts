/**
 * The language in which a lesson says where in the run an answer stands:
 *
 *   expression = term { ("+" | "-") term }
 *   term   = number | "text" | event [path] | "count" "(" [step ","] FILTER ")" | "row" "(" [step ","] HOST TABLE KEY ")" "." column
 *          | "rows" "(" [step ","] HOST TABLE ")" | "owner" "(" expression ")"
 *   event  = ("first" | "last") "(" [step ","] FILTER ")" | "nth" "(" number "," [step ","] FILTER ")"
 *   path   = { "." name } [ "[" offset ":" length "]" ]
 *   step   = "text": the name or command of a step; its events only, or the tables at its end
 *
 * FILTER is a display filter (src/replay). What a path means is in evaluate.ts.
 */
import { LabError, type Position } from "../errors.ts";

export interface EventExpression {
  op: "event";
  which: "first" | "last" | "nth";
  /** From 1; of `nth`. */
  n: number;
  step?: string;
  filter: string;
  path: string[];
  slice?: { offset: number; length: number };
}

export type Node =
  | { op: "number"; value: number }
  | { op: "text"; value: string }
  | EventExpression
  | { op: "count"; step?: string; filter: string }
  | { op: "row"; step?: string; host: string; table: string; key: string; column: string }
  | { op: "rows"; step?: string; host: string; table: string }
  | { op: "owner"; of: Node }
  | { op: "sum"; left: Node; right: Node; sign: 1 | -1 };

export interface Expression {
  /** As written. */
  text: string;
  node: Node;
  /** Of its first character; of the key where the text does not stand in one piece in the file. */
  position: Position;
}

const CALLS = ["first", "last", "nth", "count", "row", "rows", "owner"];
const HINT =
  'For example first("request", gue.control).udp.source_port or row(egw TUNNEL 65736).remote; see docs/lessons.md.';
const MAX_DEPTH = 20;

/** Checks a display filter when the lesson is read; throws LabError, its `column` counts from 1. */
export type CheckFilter = (filter: string) => void;

/** Throws LabError ERR_LESSON_EXPRESSION, or what `checkFilter` throws, with the place. */
export function parseExpression(text: string, position: Position, checkFilter: CheckFilter): Expression {
  return { text, node: new ExpressionParser(text, position, checkFilter).parse(), position };
}

class ExpressionParser {
  private readonly text: string;
  private readonly position: Position;
  private readonly checkFilter: CheckFilter;
  private at = 0;
  private depth = 0;

  constructor(text: string, position: Position, checkFilter: CheckFilter) {
    this.text = text;
    this.position = position;
    this.checkFilter = checkFilter;
  }

  parse(): Node {
    const node = this.sum();
    this.blanks();
    if (this.at < this.text.length) this.fail(`"${this.text.slice(this.at)}" is too much`);
    return node;
  }

  private sum(): Node {
    if (++this.depth > MAX_DEPTH) this.fail("the expression is nested too deeply");
    let left = this.term();
    for (;;) {
      this.blanks();
      const sign = this.text[this.at];
      if (sign !== "+" && sign !== "-") break;
      this.at++;
      left = { op: "sum", left, right: this.term(), sign: sign === "+" ? 1 : -1 };
    }
    this.depth--;
    return left;
  }

  private term(): Node {
    this.blanks();
    if (this.text[this.at] === '"') return { op: "text", value: this.quoted() };
    const number = this.match(/(?:0x[0-9a-f]+|\d+)(?![\w.])/iy);
    if (number !== undefined) return { op: "number", value: Number(number) };
    const start = this.at;
    const name = this.match(/[a-z]+/iy) ?? "";
    if (!CALLS.includes(name)) {
      this.at = start;
      this.fail(name === "" ? "a value is missing" : `"${name}" is no function`);
    }
    this.expect("(");
    if (name === "owner") {
      const of = this.sum();
      this.expect(")");
      return { op: "owner", of };
    }
    let n = 1;
    if (name === "nth") {
      this.blanks();
      n = Number(this.match(/[1-9]\d{0,6}/y) ?? this.fail("nth needs a number, from 1"));
      this.expect(",");
    }
    const step = this.step();
    const from = this.at;
    const inner = this.toClosing();
    if (name === "row") return this.row(inner, from, step);
    if (name === "rows") {
      const [host, table, ...more] = inner.trim().split(/\s+/);
      if (table !== undefined && more.length === 0) return { op: "rows", step, host, table };
      this.at = from;
      this.fail("rows needs a host and a table");
    }
    this.filter(inner, from);
    if (name === "count") return { op: "count", step, filter: inner.trim() };
    const which = name as EventExpression["which"];
    return { op: "event", which, n, step, filter: inner.trim(), ...this.path() };
  }

  /** `"name",` in front of the filter, if it is there. */
  private step(): string | undefined {
    this.blanks();
    const start = this.at;
    if (this.text[this.at] !== '"') return undefined;
    const name = this.quoted();
    this.blanks();
    if (this.text[this.at] === ",") {
      this.at++;
      return name;
    }
    this.at = start;
    return undefined;
  }

  private row(inner: string, from: number, step?: string): Node {
    const m = /^\s*(\S+)\s+(\S+)\s+(\S(?:.*\S)?)\s*$/.exec(inner);
    if (!m) {
      this.at = from;
      return this.fail("row needs a host, a table and a key");
    }
    const { path, slice } = this.path();
    if (path.length !== 1 || slice) this.fail("row needs a column behind it, such as .remote");
    return { op: "row", step, host: m[1], table: m[2], key: m[3], column: path[0] };
  }

  private path(): Pick<EventExpression, "path" | "slice"> {
    const path: string[] = [];
    while (this.text[this.at] === ".") {
      this.at++;
      path.push(this.match(/[a-z][a-z0-9_]*/iy) ?? this.fail("a field's name is missing"));
    }
    if (this.text[this.at] !== "[") return { path };
    const m = this.match(/\[\s*\d{1,5}\s*:\s*[1-9]\d{0,4}\s*\]/y) ?? this.fail("bytes are [offset:length]");
    const [offset, length] = m.slice(1, -1).split(":").map(Number);
    return { path, slice: { offset, length } };
  }

  private filter(text: string, from: number): void {
    if (text.trim() === "") {
      this.at = from;
      this.fail("the filter is empty");
    }
    try {
      this.checkFilter(text.trim());
    } catch (err) {
      if (!(err instanceof LabError)) throw err;
      const lead = text.length - text.trimStart().length;
      const column = (err as { column?: number }).column ?? err.position?.column ?? 1;
      this.at = from + lead + column - 1;
      throw new LabError(err.code, err.message, { position: this.place(), hint: err.hint ?? HINT, cause: err });
    }
  }

  /** Text up to the bracket that closes the call; brackets in it pair up, quotes are skipped. */
  private toClosing(): string {
    const start = this.at;
    let open = 1;
    for (; this.at < this.text.length; this.at++) {
      const c = this.text[this.at];
      if (c === '"') {
        this.quoted();
        this.at--;
      } else if (c === "(") open++;
      else if (c === ")" && --open === 0) return this.text.slice(start, this.at++);
    }
    return this.fail("a closing bracket is missing");
  }

  private quoted(): string {
    const end = this.text.indexOf('"', this.at + 1);
    if (end < 0) this.fail("a quote is not closed");
    const value = this.text.slice(this.at + 1, end);
    this.at = end + 1;
    return value;
  }

  private match(sticky: RegExp): string | undefined {
    sticky.lastIndex = this.at;
    const m = sticky.exec(this.text);
    if (m) this.at += m[0].length;
    return m?.[0];
  }

  private expect(c: string): void {
    this.blanks();
    if (this.text[this.at] !== c) this.fail(`"${c}" is missing`);
    this.at++;
  }

  private blanks(): void {
    while (/\s/.test(this.text[this.at] ?? "")) this.at++;
  }

  private place(): Position {
    return { ...this.position, column: this.position.column + this.at };
  }

  private fail(message: string): never {
    throw new LabError("ERR_LESSON_EXPRESSION", message, { position: this.place(), hint: HINT });
  }
}
