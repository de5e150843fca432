/**
 * Finds places in a line of JSON (RFC 8259): where a value stands, and where a syntax error is. `JSON.parse` does the
 * parsing; this runs only when there is something to complain about.
 */

/** Steps from the outermost value: member names and array indices. A last step `{ key }` means the name itself. */
export type JsonPath = readonly (string | number)[];

interface Node {
  start: number;
  /** Members by name (the last of equal names, as JSON.parse takes it) or items by index. */
  children?: Map<string | number, Node>;
  /** Where the member's name starts, for members. */
  keyStart?: number;
}

/** Thrown inside this file only. */
class SyntaxAt {
  readonly offset: number;
  readonly message: string;
  constructor(offset: number, message: string) {
    this.offset = offset;
    this.message = message;
  }
}

/** Offset and message of the first syntax error, or undefined when `text` is JSON. */
export function jsonSyntaxError(text: string): { offset: number; message: string } | undefined {
  try {
    new Scanner(text).document();
    return undefined;
  } catch (err) {
    if (err instanceof SyntaxAt) return err;
    throw err;
  }
}

/**
 * Offset of the value at `path` in valid JSON, of the member's name with `ofKey`; of the nearest value around it that
 * exists when it does not.
 */
export function jsonOffset(text: string, path: JsonPath, ofKey = false): number {
  let node = new Scanner(text).document();
  for (const [i, step] of path.entries()) {
    const child = node.children?.get(step);
    if (child === undefined) break;
    if (ofKey && i === path.length - 1 && child.keyStart !== undefined) return child.keyStart;
    node = child;
  }
  return node.start;
}

/** The first member name that stands twice in one object, with its offset. `JSON.parse` would take the last silently. */
export function jsonDuplicate(text: string): { name: string; offset: number } | undefined {
  const scanner = new Scanner(text);
  scanner.document();
  return scanner.duplicate;
}

const LITERAL = /(?:true|false|null)(?![A-Za-z0-9_])/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: RFC 8259 forbids them unescaped
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SPACE = /[ \t\r\n]*/y;
const MAX_DEPTH = 100;

class Scanner {
  private readonly text: string;
  private pos = 0;
  duplicate: { name: string; offset: number } | undefined;

  constructor(text: string) {
    this.text = text;
  }

  document(): Node {
    const node = this.value(0);
    this.space();
    if (this.pos < this.text.length) throw new SyntaxAt(this.pos, "something follows the value");
    return node;
  }

  private value(depth: number): Node {
    this.space();
    const start = this.pos;
    if (depth > MAX_DEPTH) throw new SyntaxAt(start, "nested too deep");
    const c = this.text[start];
    if (c === "{") return this.object(start, depth);
    if (c === "[") return this.array(start, depth);
    if (this.take(c === '"' ? STRING : c === "-" || (c >= "0" && c <= "9") ? NUMBER : LITERAL) === undefined)
      throw new SyntaxAt(start, c === undefined ? "the line ends where a value is expected" : "expected a JSON value");
    return { start };
  }

  private object(start: number, depth: number): Node {
    const children = new Map<string, Node>();
    this.pos++;
    this.space();
    if (this.skip("}")) return { start, children };
    for (;;) {
      this.space();
      const keyStart = this.pos;
      const key = this.take(STRING);
      if (key === undefined) throw new SyntaxAt(keyStart, "expected a member name in double quotes");
      const name = JSON.parse(key) as string;
      if (children.has(name)) this.duplicate ??= { name, offset: keyStart };
      this.space();
      if (!this.skip(":")) throw new SyntaxAt(this.pos, "expected ':' behind the member name");
      children.set(name, { ...this.value(depth + 1), keyStart });
      this.space();
      if (this.skip("}")) return { start, children };
      if (!this.skip(",")) throw new SyntaxAt(this.pos, "expected ',' or '}'");
    }
  }

  private array(start: number, depth: number): Node {
    const children = new Map<number, Node>();
    this.pos++;
    this.space();
    if (this.skip("]")) return { start, children };
    for (;;) {
      children.set(children.size, this.value(depth + 1));
      this.space();
      if (this.skip("]")) return { start, children };
      if (!this.skip(",")) throw new SyntaxAt(this.pos, "expected ',' or ']'");
    }
  }

  private space(): void {
    this.take(SPACE);
  }

  private skip(c: string): boolean {
    if (this.text[this.pos] !== c) return false;
    this.pos++;
    return true;
  }

  /** The text that `pattern` (sticky) matches here, or undefined. */
  private take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.pos;
    const m = pattern.exec(this.text);
    if (m === null) return undefined;
    this.pos = pattern.lastIndex;
    return m[0];
  }
}
