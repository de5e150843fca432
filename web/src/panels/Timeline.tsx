/**
 * All events in their order from left to right: the scenario's steps as blocks, packets, what changed them and drops as ticks,
 * the selected event as a line. Click, drag or the arrow keys move it. Places go by event, not by time, so that a burst of
 * packets within a millisecond can be told apart; the label says the time. Of a long run a tick stands for many events.
 */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { DensityAnswer } from "../../../src/replay/protocol.ts";
import type { StepView } from "../../../src/replay/types.ts";
import * as store from "../store.ts";
import { count, seconds } from "../ui/format.ts";
import { useSize } from "../ui/size.ts";

/** Ticks side by side: about as many as a screen can tell apart. */
const SLOTS = 1024;

export function Timeline() {
  const [ref, size] = useSize<HTMLDivElement>();
  const dragging = useRef(false);
  const info = store.info.value;
  const events = info?.events ?? 0;
  const density = useDensity();
  const { width } = size;
  const x = (index: number): number => ((index + 0.5) / Math.max(1, events)) * width;
  const paths = useMemo(() => density && tickPaths(density, width), [density, width]);
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
          <path d={paths?.packets} class="t-packet" />
          <path d={paths?.changes} class="t-hook" />
          <path d={paths?.drops} class="t-drop" />
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

/** How the open run's events spread; undefined until the worker has said so. */
function useDensity(): DensityAnswer | undefined {
  const info = store.info.value;
  const [density, setDensity] = useState<DensityAnswer>();
  useEffect(() => {
    setDensity(undefined);
    if (!info) return;
    let off = false;
    store.ask("density", { type: "density", slots: SLOTS }).then(
      (found) => {
        if (!off) setDensity(found);
      },
      // Another run was opened meanwhile.
      () => undefined,
    );
    return () => {
      off = true;
    };
  }, [info]);
  return density;
}

/** Where ticks stand, how high those of one event are, and how high those of the fullest slot, px. */
const TICKS = {
  packets: { foot: 42, one: 9, most: 15 },
  changes: { foot: 42, one: 19, most: 21 },
  drops: { foot: 42, one: 22, most: 23 },
} as const;

function tickPaths(density: DensityAnswer, width: number): Record<keyof DensityAnswer, string> {
  const out = { packets: "", changes: "", drops: "" };
  for (const kind of ["packets", "changes", "drops"] as const) {
    const counts = density[kind];
    const { foot, one, most } = TICKS[kind];
    const full = counts.reduce((a, b) => Math.max(a, b), 1);
    for (const [i, n] of counts.entries()) {
      if (n === 0) continue;
      const height = full === 1 ? one : one + ((most - one) * (n - 1)) / (full - 1);
      out[kind] += `M${(((i + 0.5) / counts.length) * width).toFixed(1)} ${foot}v${(-height).toFixed(1)}`;
    }
  }
  return out;
}
