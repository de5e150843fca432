/** `guelab lesson [N]`: lists the lessons; gives one at the prompt, or from a pipe with one answer on each line. */
import { readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline/promises";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { LabError } from "../errors.ts";
import { checkAnswer, rightAnswer, showFor } from "../lesson/answer.ts";
import { readLesson } from "../lesson/markdown.ts";
import { openLessonRun } from "../lesson/open.ts";
import type { LessonRun } from "../lesson/run.ts";
import { type Lesson, type Question, questionsOf } from "../lesson/types.ts";
import { parseDisplayFilter } from "../replay/filter.ts";
import { type Paint, paintFor } from "../report/paint.ts";
import { labTime } from "../report/trace.ts";
import { loadScenarioFiles, readTextFile } from "../scenario/load.ts";
import { lessonText } from "./lesson-text.ts";
import { checkInput, type ShellStreams } from "./shell.ts";

/** In this package; src/cli and dist/bin lie equally deep. */
const LESSONS = fileURLToPath(new URL("../../scenarios/lessons/", import.meta.url));

export function lessonCommand(): Command {
  return new Command("lesson")
    .description("learn how GUE proxying works: a text, a run, and questions about it")
    .argument("[lesson]", "its number, or a lesson file (.md); without it, all are listed")
    .addHelpText(
      "after",
      "\nAt the prompt ? gives a hint, and an empty line goes on. From a pipe each line answers one question; the exit code is 1 if\none was wrong.",
    )
    .action(async (which: string | undefined) => {
      if (which === undefined) {
        process.stdout.write(`${listLessons(paintFor(process.stdout))}\n`);
        return;
      }
      const lesson = loadLesson(which);
      checkInput(0);
      const wrong = await giveLesson(lesson, { input: process.stdin, output: process.stdout });
      process.exitCode = wrong > 0 && !process.stdin.isTTY ? 1 : 0;
    });
}

/** Files of the lessons that come with guelab, in teaching order. */
export function lessonFiles(): string[] {
  return readdirSync(LESSONS)
    .filter((f) => f.endsWith(".md"))
    .sort()
    .map((f) => join(LESSONS, f));
}

/** By number, by name, or by path. Throws LabError. */
export function loadLesson(which: string): Lesson {
  const files = lessonFiles();
  const found = /^\d+$/.test(which)
    ? files.find((f) => Number.parseInt(basename(f), 10) === Number(which))
    : (files.find((f) => basename(f, ".md") === which) ?? which);
  if (found === undefined)
    throw new LabError("ERR_LESSON_UNKNOWN", `there is no lesson ${which}`, {
      hint: `There are 1 to ${files.length}: guelab lesson lists them.`,
    });
  return readLesson(readTextFile(found), found, parseDisplayFilter);
}

export function listLessons(paint: Paint): string {
  const lessons = lessonFiles().map(loadLesson);
  const lines = lessons.map((lesson) => {
    const n = questionsOf(lesson).length;
    const head = `${String(Number.parseInt(lesson.id, 10)).padStart(2)}  ${paint("bold", lesson.title)}  (${n} questions)`;
    return [head, ...lesson.learn.map((l) => `      ${l}`)].join("\n");
  });
  return [...lines, "", "guelab lesson 1 begins; guelab serve shows the lessons beside the packets."].join("\n");
}

/** Prints the text, asks, and checks; gives how many questions were not answered right. */
export async function giveLesson(lesson: Lesson, { input, output }: ShellStreams): Promise<number> {
  const paint = paintFor(output);
  const width = (output as { columns?: number }).columns;
  const say = (text: string): void => {
    output.write(`${text}\n`);
  };
  const text = (markdown: string): string => lessonText(markdown, paint, width);
  const { files } = loadScenarioFiles(join(dirname(lesson.file), lesson.scenario));
  const run = await openLessonRun({ kind: "scenario", ...files });
  say(paint("bold", `${lesson.title}\n`));
  say(text(lesson.learn.map((l) => `- ${l}`).join("\n")));
  const terminal = input.isTTY === true && output.isTTY === true;
  const rl = createInterface({ input, output: terminal ? output : undefined, terminal });
  const lines = rl[Symbol.asyncIterator]();
  const next = async (): Promise<string | undefined> => {
    output.write("> ");
    const { value, done } = await lines.next();
    if (!terminal) say(done ? "" : value);
    return done ? undefined : value;
  };
  let right = 0;
  let n = 0;
  const total = questionsOf(lesson).length;
  try {
    for (const part of lesson.parts)
      if (part.kind === "prose") say(`\n${text(part.markdown)}`);
      else {
        say(`\n${paint("bold", `Question ${++n} of ${total}`)}\n${text(part.ask)}`);
        part.options.forEach((o, i) => {
          say(`  ${i + 1}  ${o.label}`);
        });
        if (await askOne(part, run, { say, text, next, terminal, paint })) right++;
      }
  } finally {
    rl.close();
  }
  say(`\n${right} of ${total} right.`);
  return total - right;
}

interface Talk {
  say: (text: string) => void;
  text: (markdown: string) => string;
  next: () => Promise<string | undefined>;
  terminal: boolean;
  paint: Paint;
}

/** One question until it is answered or given up; true where the answer was right. */
async function askOne(question: Question, run: LessonRun, talk: Talk): Promise<boolean> {
  const { say, text, next, terminal, paint } = talk;
  for (;;) {
    const line = await next();
    if (line?.trim() === "?") {
      say(text(question.hint));
      continue;
    }
    const given = line?.trim() ?? "";
    if (given === "") {
      say(`It is ${await rightAnswer(question, run)}. ${text(question.explain)}`);
      await sayWhere(question, run, say);
      return false;
    }
    const { verdict, message } = await checkAnswer(question, given, run);
    if (verdict === "right") {
      say(`${paint("green", "Right.")} ${text(message)}`);
      await sayWhere(question, run, say);
      return true;
    }
    say(`${paint("red", verdict === "wrong" ? "Wrong." : "?")} ${text(message)}`);
    if (!terminal) return false;
    say("Try again; ? gives a hint, an empty line the answer.");
  }
}

/** Where in the run the answer stands. */
async function sayWhere(question: Question, run: LessonRun, say: Talk["say"]): Promise<void> {
  const { event } = await showFor(question, run);
  if (event === undefined) return;
  const row = await run.event(event);
  const place = row.nic === "" ? row.host : `${row.host}/${row.nic}`;
  say(
    `  event ${event}: ${labTime(row.timeNs).trim()} ${place} ${row.summary}${row.note === "" ? "" : `  ${row.note}`}`,
  );
}
