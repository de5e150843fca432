/**
 * Dragging a fault onto a link of the drawing, by mouse, pen or finger: pointer events, since the browser's own dragging does
 * not reach touch screens. Links are the elements with `data-link="HOST/NIC"` that the drawing marks.
 */
import { signal } from "@preact/signals";

/** What is being dragged and where the pointer is; undefined when nothing is. */
export const dragged = signal<{ label: string; x: number; y: number; link: string } | undefined>(undefined);

/** A link within so many pixels of the pointer is meant. */
const NEAR_PX = 28;
/** Less movement than this is a click. */
const CLICK_PX = 6;

/** Begins a drag from a chip; `drop` is called with the link that it ends on. */
export function beginDrag(down: PointerEvent, label: string, drop: (link: string) => void): void {
  if (down.button !== 0) return;
  const chip = down.currentTarget as HTMLElement;
  chip.setPointerCapture(down.pointerId);
  const end = new AbortController();
  const options = { signal: end.signal };
  const move = (e: PointerEvent): void => {
    const far = Math.hypot(e.clientX - down.clientX, e.clientY - down.clientY);
    if (dragged.value === undefined && far < CLICK_PX) return;
    point({ label, x: e.clientX, y: e.clientY, link: linkAt(e.clientX, e.clientY) });
  };
  const stop = (): void => {
    end.abort();
    point(undefined);
  };
  chip.addEventListener("pointermove", move, options);
  chip.addEventListener(
    "pointerup",
    () => {
      const link = dragged.value?.link;
      stop();
      if (link) drop(link);
    },
    options,
  );
  chip.addEventListener("pointercancel", stop, options);
  addEventListener("keydown", (e) => e.key === "Escape" && stop(), options);
}

/** Marks the link under the pointer in the drawing. */
function point(next: (typeof dragged)["value"]): void {
  for (const el of document.querySelectorAll("[data-link].drop-target")) el.classList.remove("drop-target");
  if (next?.link) document.querySelector(`[data-link="${CSS.escape(next.link)}"]`)?.classList.add("drop-target");
  dragged.value = next;
}

function linkAt(x: number, y: number): string {
  let best = "";
  let nearest = NEAR_PX;
  for (const el of document.querySelectorAll<SVGLineElement>("line[data-link]")) {
    const m = el.getScreenCTM();
    if (!m) continue;
    const at = (px: number, py: number): [number, number] => [m.a * px + m.c * py + m.e, m.b * px + m.d * py + m.f];
    const [x1, y1] = at(el.x1.baseVal.value, el.y1.baseVal.value);
    const [x2, y2] = at(el.x2.baseVal.value, el.y2.baseVal.value);
    const length2 = (x2 - x1) ** 2 + (y2 - y1) ** 2;
    const t = length2 === 0 ? 0 : Math.max(0, Math.min(1, ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length2));
    const distance = Math.hypot(x - x1 - t * (x2 - x1), y - y1 - t * (y2 - y1));
    if (distance < nearest) {
      nearest = distance;
      best = el.dataset.link ?? "";
    }
  }
  return best;
}
