/** The display filter: a line of its language with its error in place, and the filters that people want most. */
import { useEffect, useRef, useState } from "preact/hooks";
import * as store from "../store.ts";
import { count } from "../ui/format.ts";

/** Name, filter, what it is for. */
const QUICK: readonly (readonly [string, string, string])[] = [
  ["All", "", "Every event"],
  [
    "Decisions",
    "kind == hook && !(reason == PASS_NO_CONFIG || reason == PASS_NO_MATCH) || kind == nat || kind == drop",
    "What hooks and NATs did",
  ],
  ["Drops", "verdict == drop", "Packets that went no further"],
];

export function FilterBar() {
  const [text, setText] = useState(store.filter.value);
  const input = useRef<HTMLInputElement>(null);
  const typed = useRef<ReturnType<typeof setTimeout>>(undefined);
  const error = store.filterError.value;
  const total = store.rowTotal.value;
  const all = store.info.value?.events ?? 0;
  const journey = store.event.value?.journey ?? 0;
  // A filter set from elsewhere (a link, a quick filter) shows in the box.
  useEffect(() => setText(store.filter.value), [store.filter.value]);
  const apply = (next: string): void => {
    clearTimeout(typed.current);
    setText(next);
    void store.setFilter(next.trim());
  };
  const quick =
    journey > 0 ? [...QUICK, ["This packet", `journey == ${journey}`, "The selected packet's way"] as const] : QUICK;
  return (
    <div class="filter" role="search">
      <label class="visually-hidden" for="filter">
        Display filter
      </label>
      <input
        ref={input}
        id="filter"
        type="text"
        class="mono"
        placeholder="Filter: service == 200 and host == egw"
        spellcheck={false}
        autocomplete="off"
        autocapitalize="off"
        value={text}
        aria-invalid={error !== undefined}
        aria-describedby={error ? "filter-error" : "filter-count"}
        data-testid="filter"
        onInput={(e) => {
          const next = e.currentTarget.value;
          setText(next);
          clearTimeout(typed.current);
          typed.current = setTimeout(() => void store.setFilter(next.trim()), 150);
        }}
        onKeyDown={(e) => {
          if (e.key === "Enter") apply(e.currentTarget.value);
          else if (e.key === "Escape" && text !== "") apply("");
          else return;
          e.preventDefault();
        }}
      />
      <div class="quick" role="group" aria-label="Quick filters">
        {quick.map(([label, value, title]) => (
          <button
            key={label}
            type="button"
            title={title}
            aria-pressed={store.filter.value === value}
            onClick={() => apply(value)}
          >
            {label}
          </button>
        ))}
        <span id="filter-count" class="muted small" role="status" data-testid="filter-count">
          {total === all ? count(all) : `${count(total)} / ${count(all)}`}
        </span>
      </div>
      {error ? (
        <p id="filter-error" class="filter-error" role="alert" data-testid="filter-error">
          {error.column !== undefined ? (
            <code>
              {text.slice(0, error.column - 1)}
              <mark>{text.slice(error.column - 1) || "‸"}</mark>
            </code>
          ) : null}{" "}
          {error.message}
        </p>
      ) : null}
    </div>
  );
}
