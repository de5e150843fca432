/** Runs a display filter over a recording's columns; what a text is, is decided once per text, not once per event. */

import { REASON_NAMES, REASONS } from "../tables/reasons.ts";
import { formatIpv4 } from "../wire/ipv4.ts";
import type { EventLog } from "./event-log.ts";
import { KIND, SIDE_IN, VERDICTS } from "./event-log.ts";
import { type Facts, PROTO_BITS } from "./facts.ts";
import type { FilterNode, FilterOp } from "./filter.ts";
import { EVENT_KINDS } from "./types.ts";

/** What a filter looks at. */
export interface FilterSubject {
  log: EventLog;
  facts: Facts;
  /** A frame in one line, in lower case. */
  frameText(frame: number): string;
}

export type EventTest = (index: number) => boolean;
type Compare = Extract<FilterNode, { op: "compare" }>;

export function compileFilter(node: FilterNode, on: FilterSubject): EventTest {
  switch (node.op) {
    case "all":
      return () => true;
    case "not": {
      const inner = compileFilter(node.node, on);
      return (i) => !inner(i);
    }
    case "and":
    case "or": {
      const [left, right] = [compileFilter(node.left, on), compileFilter(node.right, on)];
      return node.op === "and" ? (i) => left(i) && right(i) : (i) => left(i) || right(i);
    }
    case "compare":
      return compileCompare(node, on);
  }
}

/** Events that the filter lets through, in order. */
export function filterEvents(test: EventTest, length: number): Int32Array {
  const out = new Int32Array(length);
  let n = 0;
  for (let i = 0; i < length; i++) if (test(i)) out[n++] = i;
  return out.slice(0, n);
}

/** Whether a text is the one asked for. */
function textTest({ cmp, text }: Compare): (value: string) => boolean {
  if (cmp === "~") return (v) => v.toLowerCase().includes(text);
  return cmp === "==" ? (v) => v.toLowerCase() === text : (v) => v.toLowerCase() !== text;
}

function numberTest({ cmp, lo, hi }: Compare): (value: number) => boolean {
  const tests: Record<FilterOp, (v: number) => boolean> = {
    "==": (v) => v >= lo && v <= hi,
    "!=": (v) => v < lo || v > hi,
    "<": (v) => v < lo,
    "<=": (v) => v <= hi,
    ">": (v) => v > hi,
    ">=": (v) => v >= lo,
    "~": () => false,
  };
  return tests[cmp];
}

/** The answer for each text of a small set, found when first asked for. */
function byNumber(answer: (n: number) => boolean): EventTest {
  const known: (boolean | undefined)[] = [];
  return (n) => (known[n] ??= answer(n));
}

function compileCompare(node: Compare, on: FilterSubject): EventTest {
  const { log, facts } = on;
  const { strings } = log;
  const is = textTest(node);
  const num = numberTest(node);
  /** A field that events without it do not match, whichever way it is compared. */
  const some =
    (column: ArrayLike<number>, test: EventTest): EventTest =>
    (i) =>
      column[i] > 0 && test(column[i]);
  switch (node.field) {
    case "host": {
      const place = byNumber((n) => is(strings.get(n).split("/")[0]));
      return some(log.place.data, place);
    }
    case "nic": {
      const whole = node.text.includes("/");
      const place = byNumber((n) => {
        const slash = strings.get(n).indexOf("/");
        return slash >= 0 && is(whole ? strings.get(n) : strings.get(n).slice(slash + 1));
      });
      return some(log.place.data, place);
    }
    case "kind":
      return (i) => is(EVENT_KINDS[log.kind.data[i]]);
    case "dir":
      return (i) => log.kind.data[i] === KIND.packet && is(log.side.data[i] === SIDE_IN ? "in" : "out");
    case "hook":
      return (i) => log.kind.data[i] === KIND.hook && is(log.side.data[i] === SIDE_IN ? "ingress" : "egress");
    case "verdict":
      return (i) => log.verdict.data[i] > 0 && is(VERDICTS[log.verdict.data[i]] as string);
    case "reason": {
      const slot = byNumber((n) => is(REASON_NAMES[n] ?? String(n)));
      const text = byNumber((n) => is(strings.get(n)));
      const kind = log.kind.data;
      const reason = log.reason.data;
      return (i) => (kind[i] === KIND.hook ? slot(reason[i]) : kind[i] === KIND.drop && text(reason[i]));
    }
    case "where": {
      const text = byNumber((n) => is(strings.get(n)));
      return (i) => (log.kind.data[i] === KIND.drop || log.kind.data[i] === KIND.nat) && text(log.where.data[i]);
    }
    case "proto":
      return compileProto(node, on);
    case "src":
    case "dst":
    case "ip":
      return compileEndpoint(node, on);
    case "port":
      return overFrames(on, (f) => [0, 1, 2, 3].some((k) => facts.port(f, k) > 0 && num(facts.port(f, k))));
    case "tunnel":
      return orFrame(on, log.tunnel.data, num, (f) => facts.tunnel(f));
    case "group":
      return orFrame(on, log.group.data, num, (f) => facts.group(f));
    case "service":
      return orFrame(on, log.service.data, num, (f) => facts.service(f));
    case "length":
      return overFrames(on, (f) => num(log.frames.length(f)));
    case "time":
      return (i) => num(log.time.data[i] / 1e9);
    case "index":
      return num;
    case "journey":
      return (i) => log.journey.data[i] > 0 && num(log.journey.data[i]);
    case "changes":
      return (i) => num(log.changes.data[i]);
    case "step": {
      const { cmp, text } = node;
      const step = byNumber((n) => {
        const id = strings.get(n);
        return cmp === "~" ? is(id) : (id === text || id.startsWith(`${text}.`)) === (cmp === "==");
      });
      return some(log.step.data, step);
    }
    case "text":
      return compileText(node, on);
  }
}

/** True for events with a frame, before or after the event, that `test` holds for. */
function overFrames({ log }: FilterSubject, test: (frame: number) => boolean): EventTest {
  const [before, after] = [log.frame.data, log.after.data];
  return (i) => (before[i] > 0 && test(before[i])) || (after[i] > 0 && test(after[i]));
}

/** A number that the event itself has, or its frames' headers; -1 is none. */
function orFrame(
  on: FilterSubject,
  column: ArrayLike<number>,
  num: (v: number) => boolean,
  ofFrame: (frame: number) => number,
): EventTest {
  const frames = overFrames(on, (f) => {
    const v = ofFrame(f);
    return v >= 0 && num(v);
  });
  return (i) => (column[i] >= 0 ? num(column[i]) : frames(i));
}

function compileProto(node: Compare, on: FilterSubject): EventTest {
  const is = textTest({ ...node, cmp: node.cmp === "!=" ? "==" : node.cmp });
  let bits = 0;
  for (const [name, bit] of Object.entries(PROTO_BITS)) if (is(name)) bits |= bit;
  const has = overFrames(on, (f) => (on.facts.protosOf(f) & bits) !== 0);
  return node.cmp === "!=" ? (i) => on.log.frame.data[i] > 0 && !has(i) : has;
}

function compileEndpoint(node: Compare, on: FilterSubject): EventTest {
  const { facts, log } = on;
  const ends = node.field === "src" ? [0, 2] : node.field === "dst" ? [1, 3] : [0, 1, 2, 3];
  const { lo, port, cmp, text } = node;
  const has = overFrames(on, (f) =>
    ends.some((k) => {
      const addr = facts.addr(f, k);
      if (addr === 0) return false;
      if (cmp === "~") return `${formatIpv4(addr)}:${facts.port(f, k)}`.includes(text);
      return addr === lo && (port < 0 || facts.port(f, k) === port);
    }),
  );
  return cmp === "!=" ? (i) => log.frame.data[i] > 0 && !has(i) : has;
}

/** What a row shows is looked through part by part: each place, frame and reason only once. */
function compileText(node: Compare, on: FilterSubject): EventTest {
  const { log } = on;
  const is = textTest({ ...node, cmp: node.cmp === "!=" ? "==" : node.cmp });
  const text = byNumber((n) => is(log.strings.get(n)));
  const frame = byNumber((f) => is(on.frameText(f)));
  const reason = byNumber((n) => is(REASON_NAMES[n] ?? "") || is(REASONS[REASON_NAMES[n]]?.text ?? ""));
  const id = /^\d+$/.test(node.text) ? Number(node.text) : -2;
  const has: EventTest = (i) => {
    const kind = log.kind.data[i];
    const after = log.after.data[i];
    return (
      text(log.place.data[i]) ||
      (log.frame.data[i] > 0 && frame(log.frame.data[i])) ||
      (after > 0 && frame(after)) ||
      (kind === KIND.hook ? reason(log.reason.data[i]) || log.tunnel.data[i] === id : text(log.reason.data[i])) ||
      is(EVENT_KINDS[kind])
    );
  };
  return node.cmp === "!=" ? (i) => !has(i) : has;
}
