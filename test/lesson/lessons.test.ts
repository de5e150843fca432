/** The lessons that come with guelab: each question's answer is in the run, is accepted, and known mistakes are told apart. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { lessonFiles, loadLesson } from "../../src/cli/lesson.ts";
import { checkAnswer, rightAnswer, showFor } from "../../src/lesson/answer.ts";
import { evaluate, locate } from "../../src/lesson/evaluate.ts";
import { parseExpression } from "../../src/lesson/expression.ts";
import { openLessonRun } from "../../src/lesson/open.ts";
import type { LessonRun } from "../../src/lesson/run.ts";
import { type Question, questionsOf } from "../../src/lesson/types.ts";
import { parseDisplayFilter } from "../../src/replay/filter.ts";
import { loadScenarioFiles } from "../../src/scenario/load.ts";

/** An answer of the right kind that is wrong whatever is asked. */
async function wrongAnswer(question: Question, run: LessonRun): Promise<string> {
  const right = await rightAnswer(question, run);
  switch (question.answerKind) {
    case "number":
      return String(Number(right) + 7919);
    case "bytes":
      return right.replace(/../g, (b) => (b === "ff" ? "00" : "ff"));
    case "host":
      return run.info.topology?.hosts.find((h) => h.name !== right)?.name ?? "";
    case "choice":
      return question.options.find((o) => o.value !== right)?.value ?? "";
    case "text":
      return `${right} or so`;
  }
}

describe.each(lessonFiles().map((file) => [loadLesson(file).id, file]))("%s", (_, file) => {
  const lesson = loadLesson(file);
  let run: LessonRun;
  beforeAll(async () => {
    const { files, error } = loadScenarioFiles(join(dirname(file), lesson.scenario));
    expect(error).toBeUndefined();
    run = await openLessonRun({ kind: "scenario", ...files });
  });

  it("has its scenario's number, and something to learn", () => {
    expect(lesson.scenario.slice(0, 3)).toBe(lesson.id.slice(0, 3));
    expect(lesson.learn.length).toBeGreaterThan(1);
    expect(questionsOf(lesson).length).toBeGreaterThanOrEqual(5);
  });

  it.each(questionsOf(lesson).map((q) => [q.id, q] as const))("%s", async (_id, question) => {
    const right = await rightAnswer(question, run);
    expect(await checkAnswer(question, ` ${right} `, run)).toMatchObject({
      verdict: "right",
      message: question.explain,
    });
    const other = await checkAnswer(question, await wrongAnswer(question, run), run);
    expect(other.verdict).toBe("wrong");
    expect(other.message).toMatch(/\w/);
    for (const { when, say } of question.wrong) {
      const mistake = (await evaluate(when, run)).text;
      expect(await checkAnswer(question, mistake, run), `the mistake ${mistake}`).toMatchObject({
        verdict: "wrong",
        message: say,
      });
    }
    if (question.answerKind === "choice") expect(question.options.map((o) => o.value)).toContain(right);
    const { event } = await showFor(question, run);
    if (event !== undefined) expect(event).toBeLessThan(run.info.events);
  });

  it("has links that lead to events of its run", async () => {
    const text = lesson.parts.flatMap((p) => (p.kind === "prose" ? [p.markdown] : [])).join("\n");
    for (const [, expression] of text.matchAll(/\(<show:([^>]+)>\)/g)) {
      const parsed = parseExpression(expression, { file, line: 1, column: 1 }, parseDisplayFilter);
      expect((await locate(parsed, run)).event, expression).toBeGreaterThan(0);
    }
  });

  it("has no answer in its text that is not an expression", () => {
    // A number or a word as an answer would not change with the run.
    for (const line of readFileSync(file, "utf8")
      .split("\n")
      .filter((l) => l.startsWith("answer:")))
      expect(line).toMatch(/^answer: (first|last|nth|count|row|rows|owner)\(/);
  });
});
