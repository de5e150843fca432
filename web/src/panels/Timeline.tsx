/**
 * All events in their order from left to right: the scenario's steps as blocks, what hooks and drops did as ticks, the
 * selected event as a line. Click, drag or the arrow keys move it. Places go by event, not by time, so that a burst of
 * packets within a millisecond can be told apart; the label says the time.
 */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { EventRow, StepView } from "../../../src/replay/types.ts";
import * as store from "../store.ts";
import { count, seconds } from "../ui/format.ts";
import { useSize } from "../ui/size.ts";

/** Up to so many events each has a tick; beyond, only drops do. */
const ALL_TICKS = 3000;

export function Timeline() {
  const [ref, size] = useSize<HTMLDivElement>();
  const dragging = useRef(false);
  const info = store.info.value;
  const events = info?.events ?? 0;
  const ticks = useTicks();
  const { width } = size;
  const x = (index: number): number => ((index + 0.5) / Math.max(1, events)) * width;
  const paths = useMemo(
    () => tickPaths(ticks, (i) => ((i + 0.5) / Math.max(1, events)) * width),
    [ticks, width, events],
  );
  if (!info || events === 0) return null;
  const at = store.selected.value;
  const move = (e: PointerEvent): void => {
    const box = ref.current?.getBoundingClientRect();
    if (box) void store.select(Math.floor(((e.clientX - box.left) / box.width) * events));
  };
  const onKeyDown = (e: KeyboardEvent): void => {
    const jump = Math.max(1, Math.round(events / 20));
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: jump, PageDown: -jump }[e.key];
    if (by !== undefined) void store.select(at + by);
    else if (e.key === "Home") void store.select(0);
    else if (e.key === "End") void store.select(events - 1);
    else return;
    e.preventDefault();
    e.stopPropagation();
  };
  const detail = store.event.value;
  const label = detail ? `${seconds(detail.timeNs)} s` : "";
  return (
    <div class="timeline">
      <div
        ref={ref}
        class="timeline-track"
        role="slider"
        tabIndex={0}
        aria-label="Event"
        aria-valuemin={0}
        aria-valuemax={events - 1}
        aria-valuenow={Math.max(0, at)}
        aria-valuetext={`event ${at + 1} of ${count(events)}, ${label}${detail ? `, ${detail.summary}` : ""}`}
        data-testid="timeline"
        onKeyDown={onKeyDown}
        onPointerDown={(e) => {
          dragging.current = true;
          e.currentTarget.setPointerCapture(e.pointerId);
          move(e);
        }}
        onPointerMove={(e) => dragging.current && move(e)}
        onPointerUp={() => {
          dragging.current = false;
        }}
        onPointerCancel={() => {
          dragging.current = false;
        }}
      >
        <svg width={width} height="44" aria-hidden="true">
          {info.steps.map((s, i) => (
            <StepBlock key={s.id} step={s} odd={i % 2 === 1} x={x} slot={width / events} />
          ))}
          <path d={paths.packet} class="t-packet" />
          <path d={paths.hook} class="t-hook" />
          <path d={paths.drop} class="t-drop" />
          {at >= 0 ? <line class="t-now" x1={x(at)} x2={x(at)} y1="0" y2="44" /> : null}
          {at >= 0 ? <path class="t-head" d={`M${x(at) - 5} 0 h10 l-5 7 z`} /> : null}
        </svg>
      </div>
    </div>
  );
}

function StepBlock(props: { step: StepView; odd: boolean; x: (i: number) => number; slot: number }) {
  const { step: s, slot } = props;
  if (s.firstEvent < 0) return null;
  const left = props.x(s.firstEvent) - slot / 2;
  const w = Math.max(1, props.x(s.lastEvent) + slot / 2 - left);
  const chars = Math.floor((w - 8) / 6.4);
  const text = `${s.status === "failed" ? "✕ " : ""}${s.id} ${s.command ?? s.title}`;
  return (
    <g class={`t-step ${s.status}${props.odd ? " odd" : ""}`}>
      <title>{text}</title>
      <rect x={left} y="0" width={w} height="18" />
      {chars >= 1 ? (
        <text x={left + 4} y="13">
          {text.length > chars ? (chars < 4 ? text.slice(0, chars) : `${text.slice(0, chars - 1)}…`) : text}
        </text>
      ) : null}
    </g>
  );
}

/** The events that get a tick. */
function useTicks(): readonly EventRow[] {
  const info = store.info.value;
  const [ticks, setTicks] = useState<readonly EventRow[]>([]);
  useEffect(() => {
    setTicks([]);
    if (!info) return;
    let off = false;
    void load(info.events).then(
      (found) => {
        if (!off) setTicks(found);
      },
      // Another run was opened meanwhile.
      () => undefined,
    );
    return () => {
      off = true;
    };
  }, [info]);
  return ticks;
}

async function load(events: number): Promise<EventRow[]> {
  const out: EventRow[] = [];
  const filter = events <= ALL_TICKS ? undefined : "verdict == drop";
  for (let from = 0; from < ALL_TICKS; from += 1000) {
    const { rows, total } = await store.ask("rows", { type: "rows", filter, from, count: 1000 });
    out.push(...rows);
    if (from + 1000 >= total) break;
  }
  return out;
}

function tickPaths(ticks: readonly EventRow[], x: (i: number) => number): Record<"packet" | "hook" | "drop", string> {
  const out = { packet: "", hook: "", drop: "" };
  for (const r of ticks) {
    const at = `M${x(r.index).toFixed(1)} `;
    if (r.verdict === "drop" || r.kind === "drop") out.drop += `${at}20v22`;
    else if (r.kind === "packet") out.packet += `${at}33v9`;
    else if (r.kind === "nat" || (r.kind === "hook" && r.length !== r.lengthAfter) || r.reason?.endsWith("NAT"))
      out.hook += `${at}23v19`;
  }
  return out;
}
