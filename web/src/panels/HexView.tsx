/**
 * A frame's bytes, 16 to a row with their ASCII. One byte is the cursor (arrow keys, click); a range can be lit from
 * outside (the field under the pointer), and bytes carry marks for what a hook added, removed or changed.
 */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";

export type Mark = "added" | "removed" | "changed";

export interface HexProps {
  label: string;
  bytes: Uint8Array;
  /** Byte range to light up: [start, end). */
  lit?: readonly [number, number];
  /** Byte range of what is selected. */
  selected?: readonly [number, number];
  marks?: ReadonlyMap<number, Mark>;
  onHover?: (byte: number | undefined) => void;
  onPick?: (byte: number) => void;
  testid?: string;
}

/** Rows drawn until the reader asks for all: headers fit, a long payload does not slow a step. */
const ROWS_AT_FIRST = 16;
const ROW = 16;

const within = (range: readonly [number, number] | undefined, i: number): boolean =>
  range !== undefined && i >= range[0] && i < range[1];

export function HexView(props: HexProps) {
  const { bytes, marks, lit, selected } = props;
  const id = useId();
  const [all, setAll] = useState(false);
  const [cursor, setCursor] = useState(0);
  const grid = useRef<HTMLDivElement>(null);
  const rows = Math.ceil(bytes.length / ROW);
  // What is selected must be in sight.
  const need = Math.max(selected?.[0] ?? 0, lit?.[0] ?? 0);
  const shown = all || need >= ROWS_AT_FIRST * ROW ? rows : Math.min(rows, ROWS_AT_FIRST);
  const at = Math.min(cursor, bytes.length - 1);

  useEffect(() => {
    if (selected) setCursor(selected[0]);
  }, [selected?.[0]]);

  const byteOf = (e: Event): number | undefined => {
    const i = (e.target as HTMLElement).dataset?.i;
    return i === undefined ? undefined : Number(i);
  };
  const onKeyDown = (e: KeyboardEvent): void => {
    const moves: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: ROW, ArrowUp: -ROW };
    const step = moves[e.key];
    if (step !== undefined) {
      const to = Math.max(0, Math.min(bytes.length - 1, at + step));
      if (to >= shown * ROW) setAll(true);
      setCursor(to);
      props.onHover?.(to);
    } else if (e.key === "Enter" || e.key === " ") props.onPick?.(at);
    else if (e.key === "Home") setCursor(0);
    else return;
    e.preventDefault();
    e.stopPropagation();
  };

  const body: ComponentChildren[] = [];
  for (let row = 0; row < shown; row++) {
    const cells: ComponentChildren[] = [];
    const ascii: ComponentChildren[] = [];
    for (let i = row * ROW; i < Math.min(bytes.length, row * ROW + ROW); i++) {
      const mark = marks?.get(i);
      const cls = `${mark ?? ""}${within(lit, i) ? " lit" : ""}${within(selected, i) ? " sel" : ""}${i === at ? " cur" : ""}`;
      const text = bytes[i].toString(16).padStart(2, "0");
      cells.push(
        <span
          key={i}
          role="gridcell"
          id={`${id}-${i}`}
          data-i={i}
          class={cls || undefined}
          aria-selected={within(selected, i) || undefined}
          title={mark ? `${mark} byte ${i}` : undefined}
        >
          {text}
        </span>,
      );
      const code = bytes[i];
      ascii.push(
        <span key={i} data-i={i} class={cls || undefined}>
          {code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : "·"}
        </span>,
      );
    }
    body.push(
      <div key={row} role="row" class="hex-row">
        <span class="hex-off" aria-hidden="true">
          {(row * ROW).toString(16).padStart(4, "0")}
        </span>
        <span class="hex-bytes" role="presentation">
          {cells}
        </span>
        <span class="hex-ascii" aria-hidden="true">
          {ascii}
        </span>
      </div>,
    );
  }
  return (
    <div class="hex" data-testid={props.testid}>
      <div
        ref={grid}
        class="hex-grid mono"
        role="grid"
        aria-label={props.label}
        aria-activedescendant={bytes.length > 0 ? `${id}-${at}` : undefined}
        tabIndex={0}
        onKeyDown={onKeyDown}
        onPointerOver={(e) => props.onHover?.(byteOf(e))}
        onPointerLeave={() => props.onHover?.(undefined)}
        onClick={(e) => {
          const i = byteOf(e);
          if (i === undefined) return;
          setCursor(i);
          props.onPick?.(i);
        }}
      >
        {body}
      </div>
      {shown < rows ? (
        <button type="button" class="link" onClick={() => setAll(true)}>
          Show all {bytes.length} bytes
        </button>
      ) : null}
    </div>
  );
}
