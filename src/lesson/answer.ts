/** Compares a learner's answer with the run's, and says what a wrong one was instead, where that is known. */
import { LabError } from "../errors.ts";
import { evaluate, type Found, locate } from "./evaluate.ts";
import type { LessonRun } from "./run.ts";
import type { Question } from "./types.ts";

/** `unreadable`: not of the kind that is asked for; it does not count as an attempt. */
export type Verdict = "right" | "wrong" | "unreadable";

export interface Feedback {
  verdict: Verdict;
  /** Markdown. */
  message: string;
  /** The run's answer; only where the learner's is right. */
  found?: Found;
}

type Value = number | string;

/** Checks an answer against the run. Throws LabError where the lesson's own expressions have no value in this run. */
export async function checkAnswer(question: Question, given: string, run: LessonRun): Promise<Feedback> {
  const read = readAnswer(question, given, run);
  if (typeof read === "object") return { verdict: "unreadable", message: read.problem };
  const found = await evaluate(question.answer, run);
  if (equal(question, read, found)) return { verdict: "right", message: question.explain, found };
  for (const mistake of question.wrong)
    if (equal(question, read, await evaluate(mistake.when, run))) return { verdict: "wrong", message: mistake.say };
  return { verdict: "wrong", message: near(question, read, found) };
}

/** The event that "show me" goes to. */
export async function showFor(question: Question, run: LessonRun): Promise<Found> {
  return locate(question.show ?? question.answer, run);
}

/** A right answer as a learner would type it. */
export async function rightAnswer(question: Question, run: LessonRun): Promise<string> {
  return (await evaluate(question.answer, run)).text;
}

function readAnswer(question: Question, given: string, run: LessonRun): Value | { problem: string } {
  const text = given.trim();
  if (text === "") return { problem: "Type an answer first." };
  switch (question.answerKind) {
    case "number": {
      const m = /^(-?(?:0x[0-9a-f]+|[\d][\d ,_']*))\s*([a-z%]*)\.?$/i.exec(text);
      const digits = m?.[1].replace(/[ ,_']/g, "") ?? "";
      if (!m || !/^-?(0x[0-9a-f]+|\d+)$/i.test(digits))
        return { problem: `"${text}" is not a number. Write it in decimal, or in hex with 0x in front.` };
      return digits.startsWith("-") ? -Number(digits.slice(1)) : Number(digits);
    }
    case "bytes": {
      const digits = text.replace(/0x/gi, "").replace(/[\s:,.-]/g, "");
      if (!/^([0-9a-f]{2})+$/i.test(digits))
        return { problem: `"${text}" is not a row of bytes. Write two hex digits for each byte: 05 04 a0 00.` };
      return digits.toLowerCase();
    }
    case "host": {
      const hosts = (run.info.topology?.hosts ?? []).map((h) => h.name);
      const host = hosts.find((h) => h.toLowerCase() === text.toLowerCase());
      return host ?? { problem: `There is no host "${text}". The hosts are ${hosts.join(", ")}.` };
    }
    case "choice": {
      const byNumber = /^\d+$/.test(text) ? question.options[Number(text) - 1] : undefined;
      const option =
        question.options.find((o) => plain(o.value) === plain(text) || plain(o.label) === plain(text)) ?? byNumber;
      return option?.value ?? { problem: `Choose one of the answers, 1 to ${question.options.length}.` };
    }
    case "text":
      return text;
  }
}

const plain = (text: string): string =>
  text
    .toLowerCase()
    .replace(/\s+/g, " ")
    .replace(/[`"'.]+$|^[`"']+/g, "")
    .trim();

function equal(question: Question, given: Value, found: Found): boolean {
  switch (question.answerKind) {
    case "number":
      return given === asNumber(found);
    case "bytes":
      return (
        given ===
        String(found.value)
          .replace(/[^0-9a-f]/gi, "")
          .toLowerCase()
      );
    default:
      return plain(String(given)) === plain(String(found.value)) || plain(String(given)) === plain(found.text);
  }
}

/** Throws where a question for a number has an answer that is none: the lesson is wrong, not the learner. */
function asNumber(found: Found): number {
  const value = typeof found.value === "number" ? found.value : Number(found.value);
  if (Number.isNaN(value)) throw new LabError("ERR_LESSON_VALUE", `the run's answer "${found.text}" is not a number`);
  return value;
}

/** What can be said of a wrong answer without knowing its cause. */
function near(question: Question, given: Value, found: Found): string {
  if (question.answerKind === "number") return "Not this number.";
  if (question.answerKind !== "bytes") return "Not this one.";
  const right = String(found.value).replace(/[^0-9a-f]/gi, "");
  const text = String(given);
  if (text.length !== right.length) {
    const asked = right.length / 2;
    return `That is ${text.length / 2} ${text.length === 2 ? "byte" : "bytes"}; asked for ${asked === 1 ? "is one" : `are ${asked}`}.`;
  }
  const swapped = (right.match(/../g) ?? []).reverse().join("");
  if (text === swapped) return "The right bytes in the wrong order: on the wire the most significant byte comes first.";
  const same = (text.match(/../g) ?? []).filter((b, i) => b === right.slice(2 * i, 2 * i + 2)).length;
  return same > 0 ? `${same} of the ${right.length / 2} bytes are right.` : "Not these bytes.";
}
