/**
 * Reads the characters of a `.cfg` topology file: a cursor with positions, and text that remembers where it was written.
 *
 * The file is a bash file of assignments (the demo's topology format). Nothing is executed: what lies outside the subset
 * is refused with file, line and column.
 */
import { LabError, type Position } from "../errors.ts";

/** A piece of a value: one line break, or text without any, where column `position.column + i` holds `text[i]`. */
export interface Fragment {
  text: string;
  position: Position;
}

/** A word, and where its first character was written (in an expansion: where the variable was given it). */
export interface Word {
  text: string;
  position: Position;
}

/** What the reader accepts, for every syntax error's hint. */
const CFG_SUBSET = `Accepted: NAME="words", NAME=("a" "b"), $NAME and \${NAME} and \${NAME[1]}, single quotes, # comments, and . other.cfg`;

export function syntaxError(message: string, position: Position, hint = CFG_SUBSET): LabError {
  return new LabError("ERR_TOPOLOGY_SYNTAX", message, { position, hint });
}

const CONTROL_NAMES: Record<string, string> = {
  "\n": "end of line",
  "\t": "tab",
  "\r": "carriage return",
  "\0": "NUL",
};

/** A character as an error message shows it. */
export function describe(ch: string): string {
  if (ch === "") return "end of file";
  if (Object.hasOwn(CONTROL_NAMES, ch)) return CONTROL_NAMES[ch];
  return isControl(ch) || /[\ud800-\udfff]/.test(ch)
    ? `character U+${ch.charCodeAt(0).toString(16).padStart(4, "0")}`
    : `'${ch}'`;
}

/** Control characters that no value may hold; tab and newline are not among them. */
export function isControl(ch: string): boolean {
  const c = ch.charCodeAt(0);
  return (c < 0x20 && c !== 0x09 && c !== 0x0a) || c === 0x7f;
}

/** Walks over a file's text; CRLF counts as a newline, a byte order mark is skipped. */
export class Cursor {
  readonly file: string;
  private readonly text: string;
  private off = 0;
  private line = 1;
  private lineStart = 0;

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text.replace(/^\uFEFF/, "").replaceAll("\r\n", "\n");
  }

  /** The character `ahead` places on; "" behind the end. */
  peek(ahead = 0): string {
    return this.text.charAt(this.off + ahead);
  }

  next(): string {
    const ch = this.text.charAt(this.off);
    if (ch === "") return ch;
    this.off++;
    if (ch === "\n") {
      this.line++;
      this.lineStart = this.off;
    }
    return ch;
  }

  position(): Position {
    return { file: this.file, line: this.line, column: this.off - this.lineStart + 1 };
  }

  /** Takes the longest run of characters that match the sticky expression `re`; "" when none does. */
  take(re: RegExp): string {
    re.lastIndex = this.off;
    const run = re.exec(this.text)?.[0] ?? "";
    this.off += run.length;
    return run;
  }

  /** Skips blanks, backslash-newlines and, where asked, newlines; then a comment up to its line's end. */
  skipBlank(newlines: boolean): void {
    for (;;) {
      this.take(/[ \t]+/y);
      const ch = this.peek();
      if (ch === "\\" && this.peek(1) === "\n") {
        this.next();
        this.next();
      } else if (ch === "#") {
        this.take(/[^\n]+/y);
      } else if (newlines && ch === "\n") {
        this.next();
      } else {
        return;
      }
    }
  }
}

/** The text of fragments in a row. */
export function textOf(fragments: readonly Fragment[]): string {
  let text = "";
  for (const f of fragments) text += f.text;
  return text;
}

/** Splits at blanks and newlines, as bash splits an unquoted expansion. */
export function splitWords(fragments: readonly Fragment[]): Word[] {
  const words: Word[] = [];
  let open: Word | undefined;
  for (const f of fragments) {
    for (const m of f.text.matchAll(/[ \t\n]+|[^ \t\n]+/g)) {
      if (/^[ \t\n]/.test(m[0])) open = undefined;
      else if (open) open.text += m[0];
      else words.push((open = { text: m[0], position: { ...f.position, column: f.position.column + m.index } }));
    }
  }
  return words;
}
