/** One question: an input that fits its kind, a hint on demand, and what the check says. */
import { useId, useState } from "preact/hooks";
import { checkAnswer, type Verdict } from "../../../src/lesson/answer.ts";
import type { LessonRun } from "../../../src/lesson/run.ts";
import type { Question } from "../../../src/lesson/types.ts";
import { Markdown } from "./Markdown.tsx";
import { answered, progress } from "./progress.ts";

interface Props {
  lesson: string;
  question: Question;
  /** From 1. */
  number: number;
  /** Undefined while the page shows another run. */
  run: LessonRun | undefined;
  onShow: (question: Question) => void;
}

const PLACEHOLDER = { number: "a number", text: "a text", bytes: "05 04 a0 00", choice: "", host: "" } as const;
const WORDS: Record<Verdict, string> = { right: "Right.", wrong: "Not yet.", unreadable: "Please" };

export function QuestionForm({ lesson, question: q, number, run, onShow }: Props) {
  const id = useId();
  const before = progress.value[lesson]?.[q.id];
  const [given, setGiven] = useState(before ?? "");
  const [hint, setHint] = useState(false);
  const [feedback, setFeedback] = useState<{ verdict: Verdict; message: string }>();
  const known = before !== undefined;
  const shown = known ? { verdict: "right" as const, message: q.explain } : feedback;

  const check = async (): Promise<void> => {
    if (!run) return;
    try {
      const result = await checkAnswer(q, given, run);
      setFeedback(result);
      if (result.verdict === "right") answered(lesson, q.id, given);
    } catch (err) {
      setFeedback({ verdict: "unreadable", message: err instanceof Error ? err.message : String(err) });
    }
  };

  return (
    <form
      class={`question ${shown?.verdict ?? ""}`}
      data-testid={`question-${q.id}`}
      data-verdict={shown?.verdict}
      onSubmit={(e) => {
        e.preventDefault();
        void check();
      }}
    >
      <div class="question-ask" id={`${id}-ask`}>
        <span class="question-number">Question {number}</span>
        <Markdown text={q.ask} />
      </div>
      <div class="question-answer">
        <Answer id={id} question={q} given={given} setGiven={setGiven} disabled={!run || known} run={run} />
        {known ? null : (
          <>
            <button type="submit" class="primary" data-testid="check" disabled={!run}>
              Check
            </button>
            <button type="button" class="plain" aria-expanded={hint} data-testid="hint" onClick={() => setHint(!hint)}>
              Hint
            </button>
          </>
        )}
      </div>
      {hint && !known ? (
        <div class="hint" data-testid="hint-text">
          <Markdown text={q.hint} />
        </div>
      ) : null}
      <div class="feedback" role="status" data-testid="feedback">
        {shown ? (
          <>
            <b class="feedback-verdict">{shown.verdict === "unreadable" ? "" : WORDS[shown.verdict]}</b>
            <Markdown text={shown.message} />
          </>
        ) : null}
      </div>
      {known && run ? (
        <button type="button" class="link" data-testid="show-me" onClick={() => onShow(q)}>
          Show me in the run
        </button>
      ) : null}
    </form>
  );
}

function Answer(props: {
  id: string;
  question: Question;
  given: string;
  setGiven: (value: string) => void;
  disabled: boolean;
  run: LessonRun | undefined;
}) {
  const { id, question: q, given, setGiven, disabled, run } = props;
  if (q.answerKind === "choice")
    return (
      <div class="options" role="radiogroup" aria-labelledby={`${id}-ask`}>
        {q.options.map((o) => (
          <label key={o.value}>
            <input
              type="radio"
              name={id}
              value={o.value}
              checked={given === o.value}
              disabled={disabled}
              onChange={() => setGiven(o.value)}
            />
            <span>{o.label}</span>
          </label>
        ))}
      </div>
    );
  if (q.answerKind === "host") {
    const hosts = run?.info.topology?.hosts.map((h) => h.name) ?? (given ? [given] : []);
    return (
      <select
        aria-labelledby={`${id}-ask`}
        data-testid="answer"
        value={given}
        disabled={disabled}
        onChange={(e) => setGiven(e.currentTarget.value)}
      >
        <option value="">choose a host</option>
        {hosts.map((h) => (
          <option key={h} value={h}>
            {h}
          </option>
        ))}
      </select>
    );
  }
  return (
    <>
      <input
        type="text"
        class="mono"
        aria-labelledby={`${id}-ask`}
        data-testid="answer"
        value={given}
        placeholder={PLACEHOLDER[q.answerKind]}
        autocomplete="off"
        spellcheck={false}
        autocapitalize="off"
        inputMode={q.answerKind === "number" ? "text" : undefined}
        disabled={disabled}
        onInput={(e) => setGiven(e.currentTarget.value)}
      />
      {q.unit ? <span class="muted">{q.unit}</span> : null}
    </>
  );
}
