/** The lessons: a list, then one lesson with its text and questions; answers are checked against the run that the page shows. */
import { computed, signal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { showFor } from "../../../src/lesson/answer.ts";
import { type Found, locate } from "../../../src/lesson/evaluate.ts";
import { parseExpression } from "../../../src/lesson/expression.ts";
import { readLesson } from "../../../src/lesson/markdown.ts";
import { type Ask, type LessonRun, lessonRun } from "../../../src/lesson/run.ts";
import { type Lesson, type Question, questionsOf } from "../../../src/lesson/types.ts";
import { parseDisplayFilter } from "../../../src/replay/filter.ts";
import type { ScenarioSource } from "../../../src/replay/protocol.ts";
import { catalogue, catalogueSource } from "../catalogue.ts";
import * as store from "../store.ts";
import { CopyLink } from "../ui/CopyLink.tsx";
import { plural } from "../ui/format.ts";
import "./lessons.css";
import { Markdown } from "./Markdown.tsx";
import { forget, progress } from "./progress.ts";
import { QuestionForm } from "./QuestionForm.tsx";

const files: Record<string, string> = import.meta.glob("../../../scenarios/lessons/*.md", {
  query: "?raw",
  import: "default",
  eager: true,
});

/** In teaching order; read when they are first shown. */
export const lessons = computed<readonly Lesson[]>(() =>
  Object.entries(files)
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([path, text]) => readLesson(text, path.slice(path.indexOf("scenarios/")), parseDisplayFilter)),
);

/** Id of the lesson that is open; empty: the list. */
export const openLesson = signal("");
const lesson = computed(() =>
  openLesson.value === "" ? undefined : lessons.value.find((l) => l.id === openLesson.value),
);

/** The scenario that goes with a lesson. */
function sourceOf(of: Lesson): ScenarioSource | undefined {
  const entry = catalogue.find((e) => e.file === `lessons/${of.scenario}`);
  return entry && catalogueSource(entry);
}

/** The run that the page shows, where it is the lesson's own and nothing was changed in it. */
const run = computed<LessonRun | undefined>(() => {
  const [of, shown, info] = [lesson.value, store.scenario.value, store.info.value];
  if (!of || !shown || !info || store.phase.value !== "ready") return undefined;
  const own = sourceOf(of);
  // A link keeps no folder, so that the file's name says nothing.
  const files = Object.entries(own?.topologies ?? {}).every(([name, text]) => shown.topologies[name] === text);
  const same = files && shown.text === own?.text && !shown.changes?.length;
  return same && shown.seed === undefined ? lessonRun(info, store.ask as unknown as Ask) : undefined;
});

/** Opens a lesson, and its scenario unless the page shows it already. */
export function startLesson(id: string): void {
  openLesson.value = id;
  store.sideTab.value = "lessons";
  if (run.value === undefined) showRun();
}

function showRun(): void {
  const source = lesson.value && sourceOf(lesson.value);
  if (source) void store.open(source);
}

/** Goes to where in the run something stands. */
async function goTo(found: Promise<Found>): Promise<void> {
  try {
    const { event, host, bytes } = await found;
    if (event === undefined) return;
    store.detailTab.value = host !== undefined ? "tables" : bytes ? "packet" : "decision";
    store.phoneTab.value = "detail";
    await store.select(event);
  } catch (err) {
    store.notice.value = err instanceof Error ? err.message : String(err);
  }
}

export function Lessons() {
  return (
    <div class="lessons" data-testid="lessons">
      {lesson.value ? <OneLesson key={lesson.value.id} of={lesson.value} /> : <LessonList />}
    </div>
  );
}

/** Whether every question of a lesson was answered. */
export const isDone = (of: Lesson): boolean =>
  questionsOf(of).every((q) => progress.value[of.id]?.[q.id] !== undefined);

function LessonList() {
  return (
    <>
      <p class="muted">Each takes five minutes: a run, a text, and questions that the run answers.</p>
      <ol class="lesson-list">
        {lessons.value.map((l, i) => {
          const total = questionsOf(l).length;
          const done = Object.keys(progress.value[l.id] ?? {}).length;
          return (
            <li key={l.id}>
              <button
                type="button"
                class="lesson-card"
                data-testid={`lesson-${l.id}`}
                onClick={() => startLesson(l.id)}
              >
                <span class="lesson-number" aria-hidden="true">
                  {isDone(l) ? "✓" : i + 1}
                </span>
                <span>
                  <b>{l.title}</b>
                  <span class="muted small">{l.learn[0]}</span>
                  <span class="small">{done > 0 ? `${done} of ${total} answered` : plural(total, "question")}</span>
                </span>
              </button>
            </li>
          );
        })}
      </ol>
    </>
  );
}

function OneLesson({ of }: { of: Lesson }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus({ preventScroll: false }), []);
  const at = lessons.value.indexOf(of);
  const next = lessons.value[at + 1];
  const questions = useMemo(() => questionsOf(of), [of]);
  const done = questions.filter((q) => progress.value[of.id]?.[q.id] !== undefined).length;
  const show = (expression: string): void => {
    const parsed = parseExpression(expression, { file: of.file, line: 1, column: 1 }, parseDisplayFilter);
    if (run.value) void goTo(locate(parsed, run.value));
  };
  return (
    <article class="lesson" data-testid="lesson" data-lesson={of.id}>
      <p class="lesson-nav">
        <button
          type="button"
          class="link"
          data-testid="lesson-back"
          onClick={() => {
            openLesson.value = "";
          }}
        >
          All lessons
        </button>
        <span class="muted small" data-testid="lesson-progress">
          {done} of {questions.length} answered
        </span>
      </p>
      <h2 ref={heading} tabIndex={-1}>
        {at + 1}. {of.title}
      </h2>
      <ul class="learn small">
        {of.learn.map((l) => (
          <li key={l}>
            <Markdown text={l} inline />
          </li>
        ))}
      </ul>
      <OtherRun />
      {of.parts.map((part) =>
        part.kind === "prose" ? (
          <Markdown key={part.line} text={part.markdown} onShow={show} />
        ) : (
          <QuestionForm
            key={part.id}
            lesson={of.id}
            question={part}
            number={questions.indexOf(part) + 1}
            run={run.value}
            onShow={(q: Question) => run.value && void goTo(showFor(q, run.value))}
          />
        ),
      )}
      <div class="lesson-end">
        {next ? (
          <button type="button" class="primary" data-testid="lesson-next" onClick={() => startLesson(next.id)}>
            Next: {next.title}
          </button>
        ) : (
          <span>This was the last lesson. Change something in What if, and see what becomes of it.</span>
        )}
        <CopyLink label="Copy a link to this lesson" testid="lesson-link" />
        {done > 0 ? (
          <button type="button" data-testid="lesson-again" onClick={() => forget(of.id)}>
            Answer again
          </button>
        ) : null}
      </div>
    </article>
  );
}

/** The answers are those of the lesson's own run: says so while the page shows another one. */
function OtherRun() {
  if (run.value) return null;
  if (store.phase.value === "opening")
    return (
      <p class="muted" role="status">
        The lesson's scenario is running ...
      </p>
    );
  return (
    <p class="other-run" role="status">
      The page shows another run than this lesson's.{" "}
      <button type="button" data-testid="lesson-run" onClick={showRun}>
        Run the lesson's scenario
      </button>
    </p>
  );
}
