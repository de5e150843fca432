/**
 * Parses a `.cfg` topology file into its variables. See docs/topologies.md for the subset of bash that is accepted.
 *
 * Expansion follows bash: `$NAME` of an array is its element 0, an unquoted expansion inside `( )` is split into words,
 * a later assignment replaces an earlier one, and an included file shares the variables. An included path is relative to
 * the file that includes it (bash would take the working directory).
 */
import { LabError, type Position } from "../errors.ts";
import { didYouMean } from "../suggest.ts";
import { Cursor, describe, type Fragment, isControl, syntaxError, textOf } from "./cfg-lexer.ts";

/** One value: a scalar's, or one array element's. */
export interface CfgElement {
  fragments: Fragment[];
  /** Where it starts; an empty value has a place too. */
  position: Position;
}

export interface CfgVariable {
  name: string;
  /** Of the name. */
  position: Position;
  array: boolean;
  /** One element for a scalar. */
  elements: CfgElement[];
}

export interface CfgFile {
  path: string;
  variables: Map<string, CfgVariable>;
}

/** Gives a file's text, or throws when there is none. */
export type ReadFile = (path: string) => string;

/** Characters that all expansions together may give: A="$B$B", B="$C$C" and so on grow without bound otherwise. */
const MAX_EXPANDED = 1 << 20;
const MAX_INCLUDES = 100;
/** Characters that a bare word may hold; everything that bash could act on is left out. */
const BARE = /[A-Za-z0-9_.:/,%+@=^-]+/y;
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;

/** The path of `target` as written in `base`: relative paths start at the folder of `base`. Knows `/` only. */
export function resolvePath(base: string, target: string): string {
  const whole = target.startsWith("/") ? target : base.slice(0, base.lastIndexOf("/") + 1) + target;
  const root = whole.startsWith("/") ? "/" : "";
  const out: string[] = [];
  for (const part of whole.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== ".." || (root === "" && (out.length === 0 || out[out.length - 1] === ".."))) out.push(part);
    else out.pop();
  }
  return root + out.join("/");
}

/** Reads `path` and what it includes. Throws ERR_TOPOLOGY_SYNTAX, ERR_TOPOLOGY_INCLUDE, or what `readFile` throws. */
export function parseCfg(path: string, readFile: ReadFile): CfgFile {
  return parseCfgText(path, readFile(path), readFile);
}

/** As `parseCfg`, for text that is at hand; `readFile` serves the includes. */
export function parseCfgText(path: string, text: string, readFile: ReadFile): CfgFile {
  const parser = new CfgParser(readFile);
  parser.parse(path, text);
  return { path, variables: parser.variables };
}

class CfgParser {
  readonly variables = new Map<string, CfgVariable>();
  private readonly readFile: ReadFile;
  private readonly open: string[] = [];
  private includes = 0;
  private expanded = 0;

  constructor(readFile: ReadFile) {
    this.readFile = readFile;
  }

  parse(path: string, text: string): void {
    this.open.push(resolvePath("", path));
    const cur = new Cursor(path, text);
    for (cur.skipBlank(true); cur.peek() !== ""; cur.skipBlank(true)) {
      this.statement(cur);
      cur.skipBlank(false);
      if (cur.peek() !== "" && cur.peek() !== "\n") {
        throw syntaxError(`expected the end of the line, found ${describe(cur.peek())}`, cur.position());
      }
    }
    this.open.pop();
  }

  private statement(cur: Cursor): void {
    const position = cur.position();
    if (cur.peek() === "." && /[ \t]/.test(cur.peek(1))) {
      cur.next();
      this.include(cur, position);
      return;
    }
    const name = cur.take(NAME);
    const ch = cur.peek();
    if (name === "") throw syntaxError(`expected an assignment or an include, found ${describe(ch)}`, position);
    if (name === "source" && (ch === " " || ch === "\t")) {
      this.include(cur, position);
    } else if (ch === "=") {
      cur.next();
      this.assign(cur, name, position);
    } else if (ch === "[" || (ch === "+" && cur.peek(1) === "=")) {
      throw syntaxError(
        `${name}${ch === "[" ? "[...]=" : "+="} is not accepted: assign the whole value at once`,
        position,
      );
    } else if (name === "export" || name === "declare" || name === "readonly") {
      throw syntaxError(
        `'${name}' is not accepted`,
        position,
        "Leave it out: variables are seen by all included files.",
      );
    } else {
      cur.skipBlank(false);
      const blank = cur.peek() === "=" ? ": bash takes no blanks around '='" : "; commands are never run";
      throw syntaxError(`'${name}' is not an assignment${blank}`, position);
    }
  }

  private assign(cur: Cursor, name: string, position: Position): void {
    const array = cur.peek() === "(";
    const elements = array ? this.elements(cur) : [this.scalar(cur)];
    this.variables.set(name, { name, position, array, elements });
  }

  private scalar(cur: Cursor): CfgElement {
    const position = cur.position();
    const fragments: Fragment[] = [];
    this.word(cur, (piece) => append(fragments, piece));
    return { fragments, position };
  }

  private elements(cur: Cursor): CfgElement[] {
    const start = cur.position();
    const elements: CfgElement[] = [];
    cur.next();
    for (;;) {
      cur.skipBlank(true);
      const ch = cur.peek();
      if (ch === ")") break;
      if (ch === "") throw syntaxError("this '(' is never closed", start);
      const words = new ArrayWords(elements, cur.position());
      this.word(cur, (piece, quoted) => (quoted ? words.add(piece) : words.split(piece)));
      words.end();
    }
    cur.next();
    return elements;
  }

  /** Reads one word up to a blank, newline or `)`, and hands out its pieces; at least one character is read. */
  private word(cur: Cursor, emit: (piece: Fragment[], quoted: boolean) => void): void {
    for (let first = true; ; first = false) {
      const position = cur.position();
      const ch = cur.peek();
      if (ch === "" || /[ \t\n)]/.test(ch)) return;
      if (ch === "\\" && cur.peek(1) === "\n") {
        cur.next();
        cur.next();
      } else if (ch === '"') {
        emit(this.doubleQuoted(cur), true);
      } else if (ch === "'") {
        emit(this.singleQuoted(cur), true);
      } else if (ch === "$") {
        emit(this.expansion(cur), false);
      } else {
        const text = ch === "#" && !first ? cur.next() : cur.take(BARE);
        if (text === "") {
          throw syntaxError(`${describe(ch)} is not accepted in an unquoted word`, position, `Quote it. ${QUOTE_HINT}`);
        }
        emit([{ text, position }], true);
      }
    }
  }

  private singleQuoted(cur: Cursor): Fragment[] {
    const start = cur.position();
    const out: Fragment[] = [];
    cur.next();
    while (cur.peek() !== "'") this.literal(cur, /[^'\n]+/y, start, out);
    cur.next();
    return out;
  }

  private doubleQuoted(cur: Cursor): Fragment[] {
    const start = cur.position();
    const out: Fragment[] = [];
    cur.next();
    for (;;) {
      const ch = cur.peek();
      if (ch === '"') break;
      if (ch === "$") {
        append(out, this.expansion(cur));
      } else if (ch === "`") {
        throw syntaxError("command substitution is not accepted: the file is never executed", cur.position());
      } else if (ch === "\\" && cur.peek(1) === "\n") {
        cur.next();
        cur.next();
      } else if (ch === "\\") {
        cur.next();
        const position = cur.position();
        const escaped = /["\\$`]/.test(cur.peek());
        out.push({ text: escaped ? cur.next() : "\\", position });
      } else {
        this.literal(cur, /[^"$`\\\n]+/y, start, out);
      }
    }
    cur.next();
    return out;
  }

  /** Takes a run of `re`, or one newline, inside the quotes that opened at `start`. */
  private literal(cur: Cursor, re: RegExp, start: Position, out: Fragment[]): void {
    const position = cur.position();
    if (cur.peek() === "") throw syntaxError("this quote is never closed", start);
    const text = cur.peek() === "\n" ? cur.next() : cur.take(re);
    const control = text.split("").findIndex(isControl);
    if (control >= 0) {
      const at = { ...position, column: position.column + control };
      throw syntaxError(`${describe(text[control])} is not accepted in a value`, at);
    }
    out.push({ text, position });
  }

  /** `$NAME`, `${NAME}` or `${NAME[1]}`: the fragments of the variable's value. */
  private expansion(cur: Cursor): Fragment[] {
    const position = cur.position();
    cur.next();
    const braced = cur.peek() === "{";
    if (braced) cur.next();
    const name = cur.take(NAME);
    if (name === "") {
      const what = cur.peek() === "(" ? "command substitution is not accepted: the file is never executed" : undefined;
      throw syntaxError(what ?? `expected a variable's name after '$', found ${describe(cur.peek())}`, position);
    }
    let index = 0;
    if (braced) {
      if (cur.peek() === "[") {
        cur.next();
        const digits = cur.take(/\d{1,6}/y);
        if (digits === "" || cur.next() !== "]") {
          throw syntaxError(
            `\${${name}[...]} takes one number as its index`,
            position,
            "Name the elements one by one.",
          );
        }
        index = Number(digits);
      }
      if (cur.peek() !== "}") {
        throw syntaxError(`expected '}' after \${${name}, found ${describe(cur.peek())}`, position);
      }
      cur.next();
    }
    return this.lookup(name, index, position);
  }

  private lookup(name: string, index: number, position: Position): Fragment[] {
    const variable = this.variables.get(name);
    if (!variable) {
      const fallback = "Assign it above this line; the environment is not read.";
      const hint = didYouMean(name, [...this.variables.keys()], fallback);
      throw syntaxError(`$${name} is not set`, position, hint);
    }
    if (index >= variable.elements.length && !(index === 0 && variable.array)) {
      throw syntaxError(
        `${name} has no element ${index}: its ${variable.elements.length} are numbered from 0`,
        position,
      );
    }
    const fragments = variable.elements[index]?.fragments ?? [];
    this.expanded += textOf(fragments).length;
    if (this.expanded > MAX_EXPANDED) {
      throw syntaxError(
        `the expansions give more than ${MAX_EXPANDED} characters`,
        position,
        "Expand fewer variables.",
      );
    }
    return fragments;
  }

  private include(cur: Cursor, position: Position): void {
    cur.skipBlank(false);
    const start = cur.position();
    const target = textOf(this.scalar(cur).fragments);
    if (target === "") throw syntaxError(`expected a file name, found ${describe(cur.peek())}`, start);
    const path = resolvePath(cur.file, target);
    const fail = (message: string, hint: string, cause?: unknown): LabError =>
      new LabError("ERR_TOPOLOGY_INCLUDE", message, { position, hint, cause });
    if (this.open.includes(path)) {
      throw fail(`${path} includes itself: ${[...this.open, path].join(" -> ")}`, "Remove one of these includes.");
    }
    if (++this.includes > MAX_INCLUDES)
      throw fail(`more than ${MAX_INCLUDES} includes`, "Put the definitions in fewer files.");
    let text: string;
    try {
      text = this.readFile(path);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw fail(`cannot include ${path}: ${why}`, "The path is relative to the file that includes it.", cause);
    }
    this.parse(path, text);
  }
}

/** As `to.push(...from)`, which fails for very long arrays. */
function append(to: Fragment[], from: readonly Fragment[]): void {
  for (const f of from) to.push(f);
}

const QUOTE_HINT = "Bare words hold letters, digits and _ . : / , % + @ = ^ - only.";

/** Puts the pieces of one array word together; an unquoted expansion may make none or several elements of it. */
class ArrayWords {
  private readonly elements: CfgElement[];
  private readonly position: Position;
  private current: CfgElement | undefined;

  constructor(elements: CfgElement[], position: Position) {
    this.elements = elements;
    this.position = position;
  }

  add(piece: Fragment[]): void {
    this.current ??= { fragments: [], position: this.position };
    append(this.current.fragments, piece);
  }

  split(piece: Fragment[]): void {
    for (const f of piece) {
      for (const m of f.text.matchAll(/[ \t\n]+|[^ \t\n]+/g)) {
        if (/^[ \t\n]/.test(m[0])) this.end();
        else if (/[*?[\\]/.test(m[0])) {
          throw syntaxError(
            `the unquoted expansion gives '${m[0]}', which bash takes for a file name pattern`,
            this.position,
          );
        } else this.add([{ text: m[0], position: { ...f.position, column: f.position.column + m.index } }]);
      }
    }
  }

  end(): void {
    if (this.current) this.elements.push(this.current);
    this.current = undefined;
  }
}
