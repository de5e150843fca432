/**
 * Reads a lesson file: YAML front matter between two lines `---`, Markdown, and questions as YAML in fenced blocks
 * (three backquotes and `question`). Every mistake is one LabError with file, line and column.
 */
import * as z from "zod";
import { LabError, type Position } from "../errors.ts";
import { schemaError } from "../scenario/schema-error.ts";
import { MAX_YAML_CHARS, YamlSource } from "../scenario/yaml-source.ts";
import { type CheckFilter, type Expression, parseExpression } from "./expression.ts";
import { type Lesson, type Prose, QUESTION_KINDS, type Question } from "./types.ts";

const DOC = "docs/lessons.md";
const MAX_QUESTIONS = 50;

const line = z.string().min(1);
/** A number is an expression, too. */
const expression = z.union([line, z.number()]);
const headSchema = z.strictObject({
  title: line,
  scenario: line.regex(/^[^/\\]+\.ya?ml$/, "the scenario is a .yaml file beside the lesson"),
  learn: z.array(line).min(1),
});
const questionSchema = z.strictObject({
  id: line.regex(/^[a-z][a-z0-9-]*$/, "an id is small letters, digits and -").optional(),
  ask: line,
  kind: z.enum(QUESTION_KINDS),
  answer: expression,
  options: z.array(z.strictObject({ value: z.union([line, z.number()]), label: line })).optional(),
  unit: line.optional(),
  wrong: z.array(z.strictObject({ when: expression, say: line })).optional(),
  hint: line,
  explain: line,
  show: line.optional(),
});

/** Reads a lesson. Throws LabError: ERR_LESSON_SYNTAX, ERR_YAML_SYNTAX, ERR_LESSON_EXPRESSION and those of display filters. */
export function readLesson(text: string, file: string, checkFilter: CheckFilter): Lesson {
  const at = (n: number, column = 1): Position => ({ file, line: n, column });
  if (text.length > MAX_YAML_CHARS)
    throw new LabError("ERR_FILE_TOO_LARGE", `${text.length} characters are too many for a lesson`, {
      position: at(1),
    });
  const lines = text.split(/\r?\n/);
  const end = lines.indexOf("---", 1);
  if (lines[0] !== "---" || end < 0)
    throw new LabError("ERR_LESSON_SYNTAX", "the front matter is missing or not closed", {
      position: at(1),
      hint: `A lesson begins with a line ---, then title, scenario and learn, then a line ---; see ${DOC}.`,
    });
  const { value: head } = block(lines, 1, end, file, headSchema);
  const parts: Lesson["parts"] = [];
  let prose = end + 1;
  const flush = (to: number): void => {
    while (prose < to && lines[prose].trim() === "") prose++;
    const part: Prose = { kind: "prose", markdown: lines.slice(prose, to).join("\n").trim(), line: prose + 1 };
    if (part.markdown === "") return;
    parts.push(part);
    checkLinks(lines, prose, to, file, checkFilter);
  };
  for (let i = end + 1; i < lines.length; i++) {
    const fence = /^(`{3,})\s*(\S*)/.exec(lines[i]);
    if (!fence) continue;
    const close = lines.findIndex((l, n) => n > i && l.trimEnd() === fence[1]);
    if (close < 0)
      throw new LabError("ERR_LESSON_SYNTAX", "the block is not closed", {
        position: at(i + 1),
        hint: `A line ${fence[1]} ends it.`,
      });
    if (fence[2] === "question") {
      flush(i);
      parts.push(readQuestion(lines, i + 1, close, file, parts, checkFilter));
      prose = close + 1;
    }
    i = close;
  }
  flush(lines.length);
  const questions = parts.filter((p) => p.kind === "question").length;
  if (questions === 0 || questions > MAX_QUESTIONS)
    throw new LabError("ERR_LESSON_SYNTAX", questions === 0 ? "the lesson asks nothing" : "too many questions", {
      position: at(end + 1),
      hint: "A question is a block of three backquotes and the word question.",
    });
  const id = file.replace(/^.*[\\/]/, "").replace(/\.md$/i, "");
  return { id, file, ...head, parts };
}

/** Links to events in the lines [from, to): `[text](<show:EXPRESSION>)`. */
function checkLinks(lines: string[], from: number, to: number, file: string, checkFilter: CheckFilter): void {
  for (let i = from; i < to; i++)
    for (const m of lines[i].matchAll(/\]\(<show:([^>]*)>\)/g)) {
      const column = m.index + m[0].indexOf(m[1]) + 1;
      parseExpression(m[1], { file, line: i + 1, column }, checkFilter);
    }
}

/** Lines [from, to) as checked YAML; places are those in the file. */
function block<T extends z.ZodType>(lines: string[], from: number, to: number, file: string, schema: T) {
  const source = new YamlSource("\n".repeat(from) + lines.slice(from, to).join("\n"), file);
  const parsed = schema.safeParse(source.value);
  if (!parsed.success) {
    const err = schemaError("ERR_LESSON_SYNTAX", schema, parsed.error, source.positionOf, [], DOC);
    if (source.value === null) err.position = { file, line: from, column: 1 };
    throw err;
  }
  return { value: parsed.data as z.infer<T>, source };
}

function readQuestion(
  lines: string[],
  from: number,
  to: number,
  file: string,
  before: Lesson["parts"],
  checkFilter: CheckFilter,
): Question {
  const { value: q, source } = block(lines, from, to, file, questionSchema);
  const fail = (message: string, path: (string | number)[], hint: string): never => {
    throw new LabError("ERR_LESSON_SYNTAX", message, { position: source.positionOf(path), hint });
  };
  const expr = (value: string | number, path: (string | number)[]): Expression => {
    const text = String(value);
    const position = source.valuePosition(path);
    // A folded or escaped text does not stand in the file as it is: then the place is where it begins.
    const whole = lines[position.line - 1]?.startsWith(text, position.column - 1);
    try {
      return parseExpression(text, position, checkFilter);
    } catch (err) {
      if (err instanceof LabError && !whole) err.position = position;
      throw err;
    }
  };
  const numbers = before.filter((p): p is Question => p.kind === "question");
  const id = q.id ?? `q${numbers.length + 1}`;
  if (numbers.some((other) => other.id === id)) fail(`the id "${id}" stands twice`, ["id"], "Choose another one.");
  if ((q.kind === "choice") !== (q.options !== undefined))
    fail(
      q.kind === "choice" ? "a choice needs options" : `a question of kind ${q.kind} has no options`,
      q.kind === "choice" ? ["kind"] : ["options"],
      "options belong to kind: choice; each is a value of the run and the text for the learner.",
    );
  const options = (q.options ?? []).map(({ value, label }) => ({ value: String(value), label }));
  if (q.kind === "choice" && options.length < 2) fail("a choice needs two options or more", ["options"], "Add one.");
  return {
    kind: "question",
    id,
    ask: q.ask,
    answerKind: q.kind,
    answer: expr(q.answer, ["answer"]),
    options,
    unit: q.unit,
    wrong: (q.wrong ?? []).map((w, i) => ({ when: expr(w.when, ["wrong", i, "when"]), say: w.say })),
    hint: q.hint,
    explain: q.explain,
    show: q.show === undefined ? undefined : expr(q.show, ["show"]),
    position: source.positionOf([]),
  };
}
