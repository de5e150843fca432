/** A lesson as it was read from its file: text and questions in order; see docs/lessons.md. Plain data but for the expressions. */
import type { Position } from "../errors.ts";
import type { Expression } from "./expression.ts";

/** `number`: decimal or 0x hex. `text`: case and blanks do not matter. `choice`: one of `options`. `host`: a host's name. `bytes`: hex. */
export const QUESTION_KINDS = ["number", "text", "choice", "host", "bytes"] as const;
export type QuestionKind = (typeof QUESTION_KINDS)[number];

/** A wrong answer that has a known cause. */
export interface Mistake {
  when: Expression;
  /** What it was instead: `That is the port before nat.` Markdown. */
  say: string;
}

/** One of a choice's options: what the run says, and how the learner reads it. */
export interface Option {
  value: string;
  label: string;
}

export interface Question {
  kind: "question";
  /** Within the lesson: `q1`, or as given. */
  id: string;
  /** Markdown. */
  ask: string;
  answerKind: QuestionKind;
  answer: Expression;
  options: Option[];
  /** Word behind a number: `bytes`. */
  unit?: string;
  wrong: Mistake[];
  /** Markdown; shown on demand, and after a wrong answer. */
  hint: string;
  /** Markdown; shown behind the right answer. */
  explain: string;
  /** What "show me" goes to; the answer's own event without it. */
  show?: Expression;
  position: Position;
}

export interface Prose {
  kind: "prose";
  markdown: string;
  /** Line in the file where it begins, from 1: for errors in its links. */
  line: number;
}

export interface Lesson {
  /** File name without `.md`: `04-ping-and-hole`. */
  id: string;
  file: string;
  title: string;
  /** Scenario file, relative to the lesson's. */
  scenario: string;
  /** What one learns, one sentence each. */
  learn: string[];
  parts: (Prose | Question)[];
}

export const questionsOf = (lesson: Lesson): Question[] => lesson.parts.filter((p) => p.kind === "question");
