/**
 * A YAML file as plain values, each with its place. YAML 1.2 core schema only: no custom tags, no merge keys, one
 * document, few aliases, limited size and depth.
 */
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { LabError, type Position } from "../errors.ts";
import type { Path } from "./schema-error.ts";

/** A scenario is written by people; more than this is a mistake. */
export const MAX_YAML_CHARS = 1 << 20;
const MAX_ALIASES = 100;
const MAX_DEPTH = 50;

export class YamlSource {
  readonly file: string;
  readonly value: unknown;
  private readonly root: Node | null;
  private readonly lines: LineCounter;

  /** Throws LabError ERR_YAML_SYNTAX or ERR_FILE_TOO_LARGE. */
  constructor(text: string, file: string) {
    this.file = file;
    this.lines = new LineCounter();
    if (text.length > MAX_YAML_CHARS)
      throw new LabError("ERR_FILE_TOO_LARGE", `${text.length} characters are too many for a scenario`, {
        position: { file, line: 1, column: 1 },
        hint: `At most ${MAX_YAML_CHARS} are read. Use repeat, or generate in the topology.`,
      });
    this.refuseDepth(text);
    const doc = parseDocument(text, {
      lineCounter: this.lines,
      prettyErrors: false,
      version: "1.2",
      schema: "core",
      stringKeys: true,
    });
    // A warning is a tag or directive that would be ignored: it means something else than its author thinks.
    const problem = doc.errors[0] ?? doc.warnings[0];
    if (problem) throw this.error(inWords(problem.code, problem.message), problem.pos[0], hintFor(problem.code));
    this.root = doc.contents;
    try {
      this.value = doc.toJS({ maxAliasCount: MAX_ALIASES });
    } catch (cause) {
      const many = (cause as Error).message.startsWith("Excessive alias count");
      const message = many ? "the aliases stand for too much" : (cause as Error).message;
      throw this.error(message, 0, "Write out what the aliases stand for.");
    }
  }

  /** Place of a key or item; of the nearest one around it where the path itself is not there. */
  readonly positionOf = (path: Path): Position => this.locate(path, false);

  /** Place of a value's first character: behind the opening quote, so that offsets in its text fit. */
  readonly valuePosition = (path: Path): Position => this.locate(path, true);

  private locate(path: Path, value: boolean): Position {
    let node: unknown = this.root;
    let at = this.root?.range?.[0] ?? 0;
    for (const [i, step] of path.entries()) {
      const last = i === path.length - 1;
      if (isMap(node)) {
        const pair = node.items.find((p) => isScalar(p.key) && String(p.key.value) === String(step));
        if (!pair) break;
        node = pair.value;
        at = ((last && value ? (node as Node | null) : null) ?? (pair.key as Node)).range?.[0] ?? at;
      } else if (isSeq(node)) {
        const item = node.items[Number(step)];
        if (item === undefined) break;
        node = item;
        at = (item as Node).range?.[0] ?? at;
      } else break;
      if (last && value && isScalar(node) && (node.type === "QUOTE_DOUBLE" || node.type === "QUOTE_SINGLE")) at++;
    }
    return this.place(at);
  }

  private place(offset: number): Position {
    const { line, col } = this.lines.linePos(offset);
    return { file: this.file, line: Math.max(1, line), column: Math.max(1, col) };
  }

  private error(message: string, offset: number, hint?: string): LabError {
    return new LabError("ERR_YAML_SYNTAX", message, { position: this.place(offset), hint });
  }

  /** The parser descends recursively: brackets and indentation deeper than any scenario are refused beforehand. */
  private refuseDepth(text: string): void {
    let line = 1;
    let start = 0;
    let depth = 0;
    for (let i = 0; i < text.length; i++) {
      const c = text[i];
      if (c === "\n") {
        line++;
        start = i + 1;
        if (/^[ \t]{200}/.test(text.slice(start, start + 200)) || /^\s*(?:- ){50}/.test(text.slice(start, start + 300)))
          depth = MAX_DEPTH + 1;
      } else if (c === "[" || c === "{") depth++;
      else if (c === "]" || c === "}") depth = Math.max(0, depth - 1);
      if (depth > MAX_DEPTH)
        throw new LabError("ERR_YAML_SYNTAX", "the file is nested too deeply", {
          position: { file: this.file, line, column: i - start + 1 },
          hint: "Steps need few levels.",
        });
    }
  }
}

function inWords(code: string, message: string): string {
  return code === "MULTIPLE_DOCS" ? "the file holds more than one document" : message.split("\n")[0];
}

function hintFor(code: string): string | undefined {
  switch (code) {
    case "TAG_RESOLVE_FAILED":
      return "Tags (!name) have no meaning here; a text that starts with ! must be quoted.";
    case "DUPLICATE_KEY":
      return "Each key may stand once.";
    case "MULTIPLE_DOCS":
      return "Write one scenario per file.";
    case "TAB_AS_INDENT":
      return "Indent with blanks.";
    case "BLOCK_AS_IMPLICIT_KEY":
    case "MULTILINE_IMPLICIT_KEY":
      return 'A text with ": " in it must be quoted.';
    case "BAD_INDENT":
    case "BAD_SCALAR_START":
    case "UNEXPECTED_TOKEN":
      return "Look at this line's indentation and punctuation, and at the line above.";
    default:
      return undefined;
  }
}
