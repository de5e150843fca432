/** `guelab lesson` from a pipe: what is printed, what is asked, and how many answers were wrong. */
import { Readable, Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import { giveLesson, lessonFiles, listLessons, loadLesson } from "../../src/cli/lesson.ts";
import { lessonText } from "../../src/cli/lesson-text.ts";
import { rightAnswer } from "../../src/lesson/answer.ts";
import { openLessonRun } from "../../src/lesson/open.ts";
import { questionsOf } from "../../src/lesson/types.ts";
import { plain } from "../../src/report/paint.ts";
import { loadScenarioFiles } from "../../src/scenario/load.ts";

async function give(lines: readonly string[]): Promise<{ wrong: number; text: string }> {
  let text = "";
  const output = new Writable({
    write(chunk, _encoding, done) {
      text += chunk;
      done();
    },
  });
  const wrong = await giveLesson(loadLesson("4"), { input: Readable.from(lines.map((l) => `${l}\n`)), output });
  return { wrong, text };
}

async function rightAnswers(): Promise<string[]> {
  const { files } = loadScenarioFiles("scenarios/lessons/04-ping-and-hole.yaml");
  const run = await openLessonRun({ kind: "scenario", ...files });
  return Promise.all(questionsOf(loadLesson("4")).map((q) => rightAnswer(q, run)));
}

describe("guelab lesson", () => {
  it("lists the lessons in order", () => {
    const text = listLessons(plain);
    const numbers = [...text.matchAll(/^ ?(\d+) {2}\S/gm)].map((m) => Number(m[1]));
    expect(numbers).toEqual(lessonFiles().map((_, i) => i + 1));
    expect(text).toContain(loadLesson("09-linux-tunnel").title);
  });

  it("takes right answers, and says where in the run they stand", async () => {
    const { wrong, text } = await give(await rightAnswers());
    expect(wrong).toBe(0);
    expect(text).toContain("6 of 6 right.");
    expect(text).toMatch(/event \d+: 0\.400\d+ egw\/eth1 .*PING_CONSUMED/);
    // No Markdown is left of the text, but where it is meant.
    expect(text).not.toMatch(/\*\*|```/);
  });

  it("counts wrong answers with what they were instead, gives hints, and goes on at the end of the input", async () => {
    const [first] = await rightAnswers();
    const { wrong, text } = await give([first, "?", "5000"]);
    expect(wrong).toBe(5);
    expect(text).toContain("It is the first port of node2's pool");
    expect(text).toContain("Wrong. That is the destination port, egw's end of the tunnel.");
    expect(text).toContain("1 of 6 right.");
  });

  it("refuses a lesson that is not there", () => {
    expect(() => loadLesson("99")).toThrow(/there is no lesson 99/);
    expect(() => loadLesson("no-such.md")).toThrow(/there is no file/);
  });
});

describe("a lesson's text in a terminal", () => {
  it("is wrapped, and keeps lists, tables and code", () => {
    const text = [
      "A **bold** `code` *word* and [a link](<show:first(x)>).",
      "- one",
      "- two",
      "",
      "| a | b |",
      "| --- | --- |",
      "| 1 | 2 |",
      "",
      "```",
      "  x",
      "```",
    ];
    expect(lessonText(text.join("\n"), plain, 20)).toBe(
      ["A bold code word and", "a link.", "- one", "- two", "", "  a | b", "  1 | 2", "", "    x"].join("\n"),
    );
  });
});
