/**
 * Splits a command line into words, with shell-like quoting: '..' takes everything literally, ".." and a backslash
 * quote the next character. Nothing is expanded, no variable, glob or substitution; a `#` that starts a word begins a comment.
 */
import { LabError, type Position } from "../errors.ts";

export interface Word {
  text: string;
  /** Offset of its first character (the quote, if quoted) in the line. */
  offset: number;
  /** Offset behind its last character. */
  end: number;
  /** True when some part was quoted: such a word is never an option. */
  quoted: boolean;
}

/** The position of a character of a line that itself starts at `start`. */
export function columnAt(start: Position | undefined, offset: number): Position {
  return start ? { ...start, column: start.column + offset } : { file: "command", line: 1, column: offset + 1 };
}

/** Throws LabError ERR_COMMAND_SYNTAX for an unclosed quote or a line break or other control character. */
export function splitWords(line: string, start?: Position): Word[] {
  const words: Word[] = [];
  const fail = (message: string, offset: number, hint: string): never => {
    throw new LabError("ERR_COMMAND_SYNTAX", message, { position: columnAt(start, offset), hint });
  };
  let i = 0;
  for (;;) {
    while (line[i] === " " || line[i] === "\t") i++;
    if (i >= line.length || line[i] === "#") return words;
    const word: Word = { text: "", offset: i, end: i, quoted: false };
    while (i < line.length && line[i] !== " " && line[i] !== "\t") {
      const c = line[i];
      if (c < " " || c === "\u007f")
        fail("a command is one line of printable text", i, "Put each command on a step of its own.");
      if (c === "\\") {
        if (i + 1 >= line.length) fail("nothing follows the backslash", i, "Write \\\\ for a backslash.");
        word.text += line[i + 1];
        word.quoted = true;
        i += 2;
      } else if (c === "'" || c === '"') {
        const open = i++;
        while (line[i] !== c) {
          if (c === '"' && line[i] === "\\" && i + 1 < line.length) i++;
          if (i >= line.length) fail(`the quote ${c} is never closed`, open, `Close it with another ${c}.`);
          word.text += line[i++];
        }
        word.quoted = true;
        i++;
      } else {
        word.text += c;
        i++;
      }
    }
    word.end = i;
    words.push(word);
  }
}

/** A word as it can be written in a line so that `splitWords` gives it back. */
export function quoteWord(text: string): string {
  return /^[\w./:@%+=,!^~*?-]+$/.test(text) ? text : `'${text.replace(/'/g, "'\\''")}'`;
}
