/** docs/lessons.md: its example is a lesson whose question the run answers, and its tables name what there is. */
import { expect, it } from "vitest";
import { lessonFiles } from "../../src/cli/lesson.ts";
import { checkAnswer } from "../../src/lesson/answer.ts";
import { readLesson } from "../../src/lesson/markdown.ts";
import { openLessonRun } from "../../src/lesson/open.ts";
import { QUESTION_KINDS, questionsOf } from "../../src/lesson/types.ts";
import { parseDisplayFilter } from "../../src/replay/filter.ts";
import { loadScenarioFiles } from "../../src/scenario/load.ts";
import { codesIn, readRepo, tableRows } from "./page.ts";

const page = readRepo("docs/lessons.md");
const example = /^````markdown\n([\s\S]*?)^````$/m.exec(page)?.[1] ?? "";

it("the example is a lesson", async () => {
  const lesson = readLesson(example, "example.md", parseDisplayFilter);
  const [question] = questionsOf(lesson);
  const { files } = loadScenarioFiles(`scenarios/lessons/${lesson.scenario}`);
  const run = await openLessonRun({ kind: "scenario", ...files });
  expect((await checkAnswer(question, "64", run)).verdict).toBe("right");
  expect(await checkAnswer(question, "63", run)).toMatchObject({ verdict: "wrong", message: question.wrong[0].say });
});

it("lists every lesson", () => {
  const rows = tableRows(page, "| lesson | about |");
  const titles = lessonFiles().map(
    (file) => /^title: (.*)$/m.exec(readRepo(file.slice(file.indexOf("scenarios/"))))?.[1],
  );
  expect(rows.map(([, about]) => about.toLowerCase())).toEqual(titles.map((t) => t?.toLowerCase()));
});

it("names every key and kind of a question", () => {
  const rows = tableRows(page, "| key | value |");
  const keys = ["id", "ask", "kind", "answer", "options", "unit", "wrong", "hint", "explain", "show"];
  expect(rows.map(([key]) => codesIn(key)[0])).toEqual(keys);
  const kinds = codesIn(rows.find(([key]) => key === "`kind`")?.[1] ?? "");
  expect([...kinds].sort()).toEqual([...QUESTION_KINDS].sort());
});
