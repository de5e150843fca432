/**
 * A difference at a hook as a packet vector (docs/vectors.md): the tables as they were in front of the hook, the frame, and what
 * the reference makes of it. It runs on the reference and, with BPF_PROG_TEST_RUN, on the programs.
 */
import type { JsonObject } from "../dataplane/vector-check.ts";
import { TABLE_TEXT, tablesToText } from "../dataplane/vector-text.ts";
import type { HookRecord } from "../lab/linux/hook-record.ts";
import { REASON_NAMES, TC_ACT_REDIRECT, TC_ACT_SHOT } from "../tables/reasons.ts";
import type { TableName } from "../tables/schema.ts";
import type { TableStores } from "../tables/tables.ts";
import { toHex } from "../wire/bytes.ts";
import { formatMac } from "../wire/ethernet.ts";
import { formatIpv4 } from "../wire/ipv4.ts";
import { type HookEvent, HookReplay, isHook, type ReferenceRun } from "./hooks-replay.ts";

/** Counters are shown by a frame's own: `want` and `want_after`. */
const COUNTERS = ["stats", "reasons"];

/** One vector, with what the reference makes of its packets (`want`), and with what the real hooks made. */
export interface VectorPair {
  reference: string;
  real: string;
}

/** The vector of a run that differs, with the events before it as they were taken. */
export function hookVector(taken: readonly HookEvent[], run: HookRecord): VectorPair | undefined {
  const replay = new HookReplay();
  for (const event of taken) {
    if (event === run) {
      const tables = tablesBefore(replay.tables);
      const made = replay.apply(event)?.reference;
      return made && vectorPair([{ run, made }], tables);
    }
    replay.apply(event);
  }
  return undefined;
}

/** A row by its table and key. */
export interface RowPlace {
  table: TableName;
  key: Uint8Array;
}

/**
 * The vector of the last run that changed, in the reference, one of these rows, and of those of the same service behind it up to
 * the next write of the control plane: one of them did something else. Undefined where no run of `taken` changed one.
 */
export function rowVector(taken: readonly HookEvent[], rows: readonly RowPlace[]): VectorPair | undefined {
  for (const { table, key } of rows) {
    const text = Object.values(TABLE_TEXT).find((t) => t.table === table);
    if (text === undefined || COUNTERS.includes(nameOf(text.table))) continue;
    const at = lastChange(taken, text.table, key);
    if (at < 0) continue;
    const replay = new HookReplay();
    for (const event of taken.slice(0, at)) replay.apply(event);
    const tables = tablesBefore(replay.tables);
    const steps: Step[] = [];
    for (const run of runsFrom(taken, at)) {
      const made = replay.run(run);
      const [first] = steps;
      if (first === undefined || sameService(first.made, made)) steps.push({ run, made });
      if (steps.length === MAX_PACKETS) break;
    }
    const value = replay.tables[text.table].lookup(key);
    if (value !== undefined)
      return vectorPair(steps, tables, { [nameOf(text.table)]: { [text.formatKey(key)]: text.formatValue(value) } });
  }
  return undefined;
}

/** One packet of a vector. */
interface Step {
  run: HookRecord;
  made: ReferenceRun;
}

const MAX_PACKETS = 32;

const sameService = (a: ReferenceRun, b: ReferenceRun): boolean =>
  a.result.group === b.result.group && a.result.service === b.result.service;

function runsFrom(taken: readonly HookEvent[], at: number): HookRecord[] {
  const write = taken.findIndex((event, i) => i > at && !isHook(event));
  return taken.slice(at, write < 0 ? undefined : write).filter(isHook);
}

type RowTable = (typeof TABLE_TEXT)[keyof typeof TABLE_TEXT]["table"];

const nameOf = (table: RowTable): string =>
  Object.entries(TABLE_TEXT).find(([, text]) => text.table === table)?.[0] as string;

/** Index of the last run that changed a row; -1 where none did. */
function lastChange(taken: readonly HookEvent[], table: RowTable, key: Uint8Array): number {
  const replay = new HookReplay();
  let last = -1;
  let value = "";
  for (const [i, event] of taken.entries()) {
    replay.apply(event);
    const now = replay.tables[table].lookup(key);
    const text = now === undefined ? "" : toHex(now);
    if (text !== value && text !== "" && isHook(event)) last = i;
    value = text;
  }
  return last;
}

function tablesBefore(stores: TableStores): JsonObject {
  const tables = tablesToText(stores);
  for (const name of COUNTERS) delete tables[name];
  return Object.fromEntries(
    Object.entries(tables).filter(([, rows]) =>
      typeof rows === "number" ? rows > 0 : Object.keys(rows as JsonObject).length > 0,
    ),
  );
}

function vectorPair(steps: readonly Step[], tables: JsonObject, wantAfter?: JsonObject): VectorPair {
  const [{ run }] = steps;
  const fib = Object.assign({}, ...steps.map((step) => fibOf(step.made)));
  const name = `${run.host}/${run.nic} ${run.hook} at ${(run.timeNs / 1e9).toFixed(6)} s`;
  const all = Object.keys(fib).length > 0 ? { ...tables, fib } : tables;
  const text = (packets: JsonObject[], more = {}): string => JSON.stringify({ name, tables: all, packets, ...more });
  return {
    reference: text(
      steps.map(({ run, made }) => ({ ...packetOf(run), want: resultOf(made) })),
      wantAfter && { want_after: wantAfter },
    ),
    real: text(steps.map(({ run }) => ({ ...packetOf(run), ...resultOf(run) }))),
  };
}

function resultOf({ verdict, result, after }: Pick<HookRecord, "verdict" | "result" | "after">): JsonObject {
  const want: JsonObject = {
    verdict: verdict === TC_ACT_SHOT ? "drop" : verdict === TC_ACT_REDIRECT ? "redirect" : "pass",
    reason: REASON_NAMES[result.reason],
    out: verdict === TC_ACT_SHOT ? null : toHex(after.frame),
  };
  if (verdict === TC_ACT_REDIRECT) want.redirect = { ifindex: result.redirectIfindex, ingress: result.redirectIngress };
  return want;
}

function packetOf({ before, hook }: HookRecord): JsonObject {
  const packet: JsonObject = { hook, ifindex: before.ifindex, in: toHex(before.frame) };
  if (before.gsoSize !== 0) packet.gso_size = before.gsoSize;
  if (before.vlan !== 0) packet.vlan = before.vlan & 0xffff;
  return packet;
}

function fibOf({ fib }: ReferenceRun): JsonObject {
  if (fib === undefined) return {};
  const { daddr, rc, ifindex, smac, dmac } = fib;
  return {
    [formatIpv4(daddr)]: rc === 0 ? { ifindex, smac: formatMac(smac), dmac: formatMac(dmac) } : { rc },
  };
}
