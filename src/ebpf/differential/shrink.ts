/**
 * From a sequence that differs to a small one that still does: fewer packets, fewer rows, shorter frames, more zeros. Greedy
 * and repeated until nothing more goes.
 */
import type { Difference, Machine } from "./machine.ts";
import { type Case, type CasePacket, runCase } from "./sequence.ts";

/** The shortest frame that is tried: Ethernet and IPv4 headers, without which a test run cannot be built. */
const MIN_FRAME = 34;
/** Runs at most; a case is small long before. */
const MAX_RUNS = 20_000;

export interface Shrunk {
  case: Case;
  difference: Difference;
  runs: number;
}

/** The smallest case that still differs; undefined when `start` does not differ when it is run again. */
export function shrink(machine: Machine, start: Case): Shrunk | undefined {
  const first = runCase(machine, start);
  if (!first) return undefined;
  let best = start;
  let difference = first;
  let runs = 1;
  const attempt = (c: Case): boolean => {
    if (runs >= MAX_RUNS) return false;
    runs++;
    const found = runCase(machine, c);
    if (!found) return false;
    best = c;
    difference = found;
    return true;
  };

  if (first.packet >= 0) attempt({ ...best, packets: best.packets.slice(0, first.packet + 1) });
  for (let before = -1; before !== size(best) && runs < MAX_RUNS; ) {
    before = size(best);
    removeEach(best.packets, (packets) => attempt({ ...best, packets }));
    removeEach(best.rows, (rows) => attempt({ ...best, rows }));
    for (let i = 0; i < best.packets.length; i++) {
      shorten(best, i, attempt);
      simplify(best, i, attempt);
    }
    for (let i = 0; i < best.rows.length; i++) zeroRow(best, i, attempt);
  }
  return { case: best, difference, runs };

  function size(c: Case): number {
    let zeros = 0;
    for (const p of c.packets) for (const v of p.frame) if (v !== 0) zeros++;
    for (const r of c.rows) for (const v of r.value) if (v !== 0) zeros++;
    return c.packets.reduce((n, p) => n + p.frame.length, 0) * 4 + c.rows.length * 16 + zeros;
  }

  /** Tries without ever smaller pieces of a list. */
  function removeEach<T>(list: readonly T[], tryIt: (rest: T[]) => boolean): void {
    let items = [...list];
    for (let piece = Math.max(1, items.length >> 1); ; piece >>= 1) {
      for (let i = items.length - piece; i >= 0; i -= piece) {
        const rest = [...items.slice(0, i), ...items.slice(i + piece)];
        if (tryIt(rest)) items = rest;
      }
      if (piece === 1) return;
    }
  }

  function shorten(c: Case, i: number, tryIt: (c: Case) => boolean): void {
    for (let cut = c.packets[i].frame.length >> 1; cut > 0; cut >>= 1) {
      for (;;) {
        const p = best.packets[i];
        const len = p.frame.length - cut;
        if (len < MIN_FRAME || !tryIt(withPacket(best, i, { ...p, frame: p.frame.slice(0, len) }))) break;
      }
    }
  }

  /** Zeroes bytes one by one, and what stands beside the frame. */
  function simplify(c: Case, i: number, tryIt: (c: Case) => boolean): void {
    if (c.packets[i].gsoSize !== 0) tryIt(withPacket(best, i, { ...best.packets[i], gsoSize: 0 }));
    for (let at = 0; at < best.packets[i].frame.length; at++) {
      const p = best.packets[i];
      if (p.frame[at] === 0) continue;
      const frame = p.frame.slice();
      frame[at] = 0;
      tryIt(withPacket(best, i, { ...p, frame }));
    }
  }

  function zeroRow(c: Case, i: number, tryIt: (c: Case) => boolean): void {
    for (let at = 0; at < c.rows[i].value.length; at++) {
      const row = best.rows[i];
      if (row.value[at] === 0) continue;
      const value = row.value.slice();
      value[at] = 0;
      tryIt({ ...best, rows: best.rows.map((r, k) => (k === i ? { ...row, value } : r)) });
    }
  }
}

function withPacket(c: Case, i: number, packet: CasePacket): Case {
  return { ...c, packets: c.packets.map((p, k) => (k === i ? packet : p)) };
}
