/** What the reader has answered: kept in the browser where it may be, for this visit elsewhere. */
import { signal } from "@preact/signals";

const KEY = "guelab-lessons";
/** Lesson -> question -> the answer that was right, as typed. */
type Progress = Record<string, Record<string, string>>;

export const progress = signal<Progress>(read());

function read(): Progress {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    const out: Progress = {};
    if (typeof value !== "object" || value === null) return out;
    for (const [lesson, answers] of Object.entries(value))
      if (typeof answers === "object" && answers !== null)
        out[lesson] = Object.fromEntries(
          Object.entries(answers).flatMap(([q, a]) => (typeof a === "string" ? [[q, a]] : [])),
        );
    return out;
  } catch {
    // No storage, or another's text in it.
    return {};
  }
}

function keep(next: Progress): void {
  progress.value = next;
  try {
    localStorage.setItem(KEY, JSON.stringify(next));
  } catch {
    // It holds for this visit.
  }
}

export function answered(lesson: string, question: string, answer: string): void {
  keep({ ...progress.value, [lesson]: { ...progress.value[lesson], [question]: answer } });
}

export function forget(lesson: string): void {
  const { [lesson]: _, ...rest } = progress.value;
  keep(rest);
}
