/**
 * The list of events under the display filter. Only the rows in sight exist; the worker gives them in chunks, so that
 * 100,000 packets scroll as ten do.
 */
import { signal } from "@preact/signals";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { EventRow } from "../../../src/replay/types.ts";
import * as store from "../store.ts";
import { count, seconds } from "../ui/format.ts";
import { useSize } from "../ui/size.ts";
import { FilterBar } from "./FilterBar.tsx";

/** Height of a row, px: one line, or two where the list is narrow (styles/panels.css). */
const ROW_H = 26;
const TWO_LINE_H = 44;
const NARROW = 440;
/** Browsers cannot make an element much higher than this; a longer list is scrolled in proportion. */
const MAX_H = 8_000_000;

export function EventList() {
  return (
    <section class="panel list" aria-label="Packets and events">
      <FilterBar />
      <Rows />
    </section>
  );
}

/** Where the list stands; kept while its tab is hidden. */
const scrolled = signal(0);

function Rows() {
  const id = useId();
  const [ref, size] = useSize<HTMLDivElement>();
  const [top, setTop] = useState(scrolled.value);
  const total = store.rowTotal.value;
  store.rows.version.value;
  const narrow = size.width > 0 && size.width < NARROW;
  const rowH = narrow ? TWO_LINE_H : ROW_H;
  const height = Math.min(total * rowH, MAX_H);
  const visible = Math.ceil(size.height / rowH) + 1;
  const scale = height < total * rowH ? (total * rowH - size.height) / (MAX_H - size.height) : 1;
  const first = Math.max(0, Math.min(total - 1, Math.floor((top * scale) / rowH)));
  const from = Math.max(0, first - 4);
  const to = Math.min(total, first + visible + 4);
  store.rows.want(from, to);
  const chosen = store.selectedRow.value;
  const internal = useRef(false);

  useEffect(() => {
    if (ref.current) ref.current.scrollTop = scrolled.value;
  }, []);

  // The selected row comes into sight when it changes, not when the reader scrolls away from it.
  useLayoutEffect(() => {
    const el = ref.current;
    if (!el || chosen < 0 || size.height === 0) return;
    const y = chosen * rowH;
    const now = el.scrollTop * scale;
    if (y >= now && y + rowH <= now + size.height) return;
    internal.current = true;
    el.scrollTop = Math.max(0, y - size.height / 3) / scale;
  }, [chosen, total, size.height > 0, rowH]);

  const goTo = async (row: number): Promise<void> => {
    const at = Math.max(0, Math.min(total - 1, row));
    const known = store.rows.get(at) ?? (await store.rowAt(at));
    if (known) await store.select(known.index);
  };
  const onKeyDown = (e: KeyboardEvent): void => {
    const page = Math.max(1, visible - 2);
    if (e.key === "ArrowDown") void store.go({ to: "next" });
    else if (e.key === "ArrowUp") void store.go({ to: "previous" });
    else if (e.key === "PageDown") void goTo(chosen + page);
    else if (e.key === "PageUp") void goTo(chosen - page);
    else if (e.key === "Home") void goTo(0);
    else if (e.key === "End") void goTo(total - 1);
    else return;
    e.preventDefault();
    e.stopPropagation();
  };

  const rows = [];
  for (let i = from; i < to; i++)
    rows.push(<Line key={i} row={i} total={total} id={`${id}-${i}`} scaled={scale} top={top} rowH={rowH} />);
  return (
    <div
      ref={ref}
      class={narrow ? "rows two-line" : "rows"}
      role="listbox"
      aria-label={`Events, ${count(total)}`}
      aria-activedescendant={chosen >= from && chosen < to ? `${id}-${chosen}` : undefined}
      tabIndex={0}
      data-testid="event-list"
      data-total={total}
      data-filter={store.filter.value}
      onScroll={(e) => {
        scrolled.value = e.currentTarget.scrollTop;
        setTop(e.currentTarget.scrollTop);
      }}
      onKeyDown={onKeyDown}
    >
      <div class="rows-inner" role="presentation" style={{ height: `${height}px` }}>
        {rows}
      </div>
      {total === 0 ? <p class="empty">No event passes the filter.</p> : null}
    </div>
  );
}

function Line(props: { row: number; total: number; id: string; scaled: number; top: number; rowH: number }) {
  const { row } = props;
  const r = store.rows.get(row);
  // In a list scrolled in proportion a row's place is relative to what is in sight.
  const y = row * props.rowH - (props.scaled === 1 ? 0 : props.top * props.scaled - props.top);
  const style = { transform: `translateY(${y}px)` };
  if (!r)
    return (
      <div
        class="row r-loading"
        role="option"
        aria-selected="false"
        aria-setsize={props.total}
        aria-posinset={row + 1}
        id={props.id}
        style={style}
      >
        …
      </div>
    );
  const selected = r.index === store.selected.value;
  const same = r.journey > 0 && r.journey === store.event.value?.journey;
  return (
    <div
      class={`row r-${r.kind}${selected ? " selected" : ""}${same ? " same" : ""}${r.verdict === "drop" ? " dropped" : ""}`}
      role="option"
      id={props.id}
      aria-selected={selected}
      aria-setsize={props.total}
      aria-posinset={row + 1}
      data-index={r.index}
      data-kind={r.kind}
      data-reason={r.reason}
      style={style}
      title={r.note || r.summary}
      onClick={() => void store.select(r.index)}
    >
      <span class="c-time mono">{seconds(r.timeNs)}</span>
      <span class="c-place">
        {r.kind === "step"
          ? r.note.endsWith("begins")
            ? `step ${r.step}`
            : `end of ${r.step}`
          : r.nic
            ? `${r.host}/${r.nic}`
            : r.host}
      </span>
      <Kind row={r} />
      <span class="c-text mono">{r.summary}</span>
      <Outcome row={r} />
    </div>
  );
}

function Kind({ row: r }: { row: EventRow }) {
  const word =
    r.kind === "packet" ? (r.direction === "in" ? "→ in" : "out →") : r.kind === "control" ? "tables" : r.kind;
  return <span class={`c-kind k-${r.kind}`}>{word}</span>;
}

/** What became of the packet here, where something did. */
function Outcome({ row: r }: { row: EventRow }) {
  if (r.kind === "hook") {
    const tone =
      r.verdict === "drop"
        ? "drop"
        : r.reason?.startsWith("PASS_NO")
          ? ""
          : r.verdict === "redirect"
            ? "redirect"
            : "pass";
    return (
      <span class={`tag ${tone}`}>
        {(r.reason ?? "").replace(/^(PASS|DROP|REDIRECT)_/, (w) =>
          w === "DROP_" ? "✕ " : w === "REDIRECT_" ? "↪ " : "",
        )}
      </span>
    );
  }
  if (r.verdict === "drop") return <span class="tag drop">✕ {r.where ?? "dropped"}</span>;
  if (r.kind === "packet" && (r.service ?? -1) >= 0) return <span class="tag tunnel">GUE {r.service}</span>;
  if (r.kind === "nat") return <span class="tag redirect">{r.point ?? "NAT"}</span>;
  return null;
}
