/** Lesson files: what is read, and one message with a place for each mistake. */
import { describe, expect, it } from "vitest";
import { LabError } from "../../src/errors.ts";
import { readLesson } from "../../src/lesson/markdown.ts";
import { questionsOf } from "../../src/lesson/types.ts";
import { parseDisplayFilter } from "../../src/replay/filter.ts";

const HEAD = ["---", "title: A title", "scenario: a.yaml", "learn: [One thing.]", "---", ""];
const QUESTION = [
  "```question",
  "ask: What?",
  "kind: number",
  "answer: count(kind==drop)",
  "hint: h",
  "explain: e",
  "```",
];

const read = (lines: readonly string[]) => readLesson(lines.join("\n"), "x/07-name.md", parseDisplayFilter);
const question = (...lines: string[]): string[] => [...HEAD, "```question", ...lines, "```"];

/** `line:column code message` of what is wrong. */
function mistake(lines: readonly string[]): string {
  try {
    read(lines);
  } catch (err) {
    if (!(err instanceof LabError)) throw err;
    expect(err.position?.file).toBe("x/07-name.md");
    return `${err.position?.line}:${err.position?.column} ${err.code} ${err.message}`;
  }
  return "";
}

describe("a lesson file", () => {
  it("is text and questions in order", () => {
    const lesson = read([...HEAD, "Text one.", "", ...QUESTION, "", "```", "not a question", "```", ...QUESTION]);
    expect(lesson).toMatchObject({ id: "07-name", title: "A title", scenario: "a.yaml", learn: ["One thing."] });
    expect(lesson.parts.map((p) => p.kind)).toEqual(["prose", "question", "prose", "question"]);
    expect(lesson.parts[0]).toMatchObject({ markdown: "Text one.", line: 7 });
    expect(questionsOf(lesson).map((q) => q.id)).toEqual(["q1", "q2"]);
    expect(questionsOf(lesson)[0]).toMatchObject({ answerKind: "number", hint: "h", wrong: [], options: [] });
  });

  it.each<[string, string[], string]>([
    ["no front matter", ["# A lesson"], "1:1 ERR_LESSON_SYNTAX the front matter is missing or not closed"],
    ["an open front matter", ["---", "title: x"], "1:1 ERR_LESSON_SYNTAX the front matter is missing or not closed"],
    ["a missing title", ["---", "scenario: a.yaml", "learn: [x]", "---"], "2:1 ERR_LESSON_SYNTAX title is missing"],
    ["an unknown key", ["---", "titel: x", ...HEAD.slice(1)], "2:1 ERR_LESSON_SYNTAX unknown key 'titel'"],
    ["broken YAML", ["---", "title: a: b", "---"], "2:8 ERR_YAML_SYNTAX"],
    [
      "a scenario elsewhere",
      ["---", "title: x", "scenario: ../a.yaml", "learn: [x]", "---"],
      "3:1 ERR_LESSON_SYNTAX scenario: the scenario is a .yaml file beside the lesson",
    ],
    ["no question", [...HEAD, "Text."], "5:1 ERR_LESSON_SYNTAX the lesson asks nothing"],
    ["an open block", [...HEAD, "```question", "ask: x"], "7:1 ERR_LESSON_SYNTAX the block is not closed"],
    [
      "an unknown kind",
      question("ask: x", "kind: guess", "answer: 1", "hint: h", "explain: e"),
      "9:1 ERR_LESSON_SYNTAX kind: ",
    ],
    ["no hint", question("ask: x", "kind: text", "answer: 1", "explain: e"), "8:1 ERR_LESSON_SYNTAX hint is missing"],
    [
      "a choice without options",
      question("ask: x", "kind: choice", "answer: 1", "hint: h", "explain: e"),
      "9:1 ERR_LESSON_SYNTAX a choice needs options",
    ],
    [
      "options of a number",
      question("ask: x", "kind: number", "options: [{ value: 1, label: one }]", "answer: 1", "hint: h", "explain: e"),
      "10:1 ERR_LESSON_SYNTAX a question of kind number has no options",
    ],
    [
      "an id that stands twice",
      [
        ...question("id: a", "ask: x", "kind: text", "answer: 1", "hint: h", "explain: e"),
        ...question("id: a", "ask: x", "kind: text", "answer: 1", "hint: h", "explain: e").slice(6),
      ],
      '16:1 ERR_LESSON_SYNTAX the id "a" stands twice',
    ],
    [
      "no such function",
      question("ask: x", "kind: text", "answer: frist(kind==drop)", "hint: h", "explain: e"),
      '10:9 ERR_LESSON_EXPRESSION "frist" is no function',
    ],
    [
      "a field that no filter has",
      question("ask: x", "kind: text", 'answer: first("a", kind==drop hots==egw).host', "hint: h", "explain: e"),
      "10:31 ERR_FILTER_SYNTAX there is no field hots",
    ],
    [
      "a mistake in a known wrong answer",
      question(
        "ask: x",
        "kind: text",
        "answer: 1",
        "wrong:",
        "  - when: row(egw TUNNEL)",
        "    say: no",
        "hint: h",
        "explain: e",
      ),
      "12:15 ERR_LESSON_EXPRESSION row needs a host, a table and a key",
    ],
    [
      "an expression over two lines, at its beginning",
      question("ask: x", "kind: text", "answer: >", "  first(kind==drop).host +", "hint: h", "explain: e"),
      "10:9 ERR_LESSON_EXPRESSION a value is missing",
    ],
    [
      "a link to no event",
      [...HEAD, "Text.", "Look [here](<show:first(kind==drop>).", ...QUESTION],
      "8:35 ERR_LESSON_EXPRESSION a closing bracket is missing",
    ],
  ])("with %s is refused, with the place", (_, lines, message) => {
    expect(mistake(lines).slice(0, message.length)).toBe(message);
  });
});
