/**
 * A difference at a hook as a packet vector (docs/vectors.md): the tables as they were in front of the hook, the frame, and what
 * the reference makes of it. It runs on the reference and, with BPF_PROG_TEST_RUN, on the programs.
 */
import type { JsonObject } from "../dataplane/vector-check.ts";
import { TABLE_TEXT, tablesToText } from "../dataplane/vector-text.ts";
import type { HookRecord, TableBytes } from "../lab/linux/hook-record.ts";
import { REASON_NAMES, TC_ACT_REDIRECT, TC_ACT_SHOT } from "../tables/reasons.ts";
import type { TableStores } from "../tables/tables.ts";
import { toHex } from "../wire/bytes.ts";
import { formatMac } from "../wire/ethernet.ts";
import { formatIpv4 } from "../wire/ipv4.ts";
import { type HookEvent, HookReplay, isHook, type ReferenceRun } from "./hooks-replay.ts";

/** Counters are shown by a frame's own: `want` and `want_after`. */
const COUNTERS = ["stats", "reasons"];

/** The vector of a run that differs, with the events before it as they were taken. */
export function hookVector(taken: readonly HookEvent[], run: HookRecord): string | undefined {
  const replay = new HookReplay();
  for (const event of taken) {
    if (event === run) {
      const tables = tablesBefore(replay.tables);
      const made = replay.apply(event)?.reference;
      return made && vectorText(run, tables, made);
    }
    replay.apply(event);
  }
  return undefined;
}

/** The vector of the last run that changed, in the reference, a row which is another in the real tables; undefined if none did. */
export function rowVector(taken: readonly HookEvent[], real: TableBytes): string | undefined {
  const replay = new HookReplay();
  for (const event of taken) replay.apply(event);
  for (const text of Object.values(TABLE_TEXT)) {
    if (COUNTERS.includes(nameOf(text.table))) continue;
    const theirs = new Map(real[text.table].map(([key, value]) => [toHex(key), toHex(value)]));
    for (const [key, value] of replay.tables[text.table].entries()) {
      if (theirs.get(toHex(key)) === toHex(value)) continue;
      const found = lastChange(taken, text.table, key);
      if (found === undefined) continue;
      return vectorText(found.run, found.tables, found.made, {
        [nameOf(text.table)]: { [text.formatKey(key)]: found.value && text.formatValue(found.value) },
      } as JsonObject);
    }
  }
  return undefined;
}

type RowTable = (typeof TABLE_TEXT)[keyof typeof TABLE_TEXT]["table"];

const nameOf = (table: RowTable): string =>
  Object.entries(TABLE_TEXT).find(([, text]) => text.table === table)?.[0] as string;

interface Change {
  run: HookRecord;
  tables: JsonObject;
  made: ReferenceRun;
  value: Uint8Array;
}

function lastChange(taken: readonly HookEvent[], table: RowTable, key: Uint8Array): Change | undefined {
  const at = lastChangeIndex(taken, table, key);
  if (at < 0) return undefined;
  const replay = new HookReplay();
  for (const event of taken.slice(0, at)) replay.apply(event);
  const tables = tablesBefore(replay.tables);
  const run = taken[at] as HookRecord;
  const made = replay.run(run);
  return { run, tables, made, value: replay.tables[table].lookup(key) as Uint8Array };
}

function lastChangeIndex(taken: readonly HookEvent[], table: RowTable, key: Uint8Array): number {
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

function vectorText(run: HookRecord, tables: JsonObject, made: ReferenceRun, wantAfter?: JsonObject): string {
  const { before, hook } = run;
  const { verdict, result, fib } = made;
  const want: JsonObject = {
    verdict: verdict === TC_ACT_SHOT ? "drop" : verdict === TC_ACT_REDIRECT ? "redirect" : "pass",
    reason: REASON_NAMES[result.reason],
    out: verdict === TC_ACT_SHOT ? null : toHex(made.after.frame),
  };
  if (verdict === TC_ACT_REDIRECT) want.redirect = { ifindex: result.redirectIfindex, ingress: result.redirectIngress };
  const packet: JsonObject = { hook, ifindex: before.ifindex, in: toHex(before.frame), want };
  if (before.gsoSize !== 0) packet.gso_size = before.gsoSize;
  if (before.vlan !== 0) packet.vlan = before.vlan & 0xffff;
  if (fib !== undefined)
    tables.fib = {
      [formatIpv4(fib.daddr)]:
        fib.rc === 0 ? { ifindex: fib.ifindex, smac: formatMac(fib.smac), dmac: formatMac(fib.dmac) } : { rc: fib.rc },
    };
  const name = `${run.host}/${run.nic} ${hook} at ${(run.timeNs / 1e9).toFixed(6)} s`;
  return JSON.stringify({ name, tables, packets: [packet], ...(wantAfter && { want_after: wantAfter }) });
}
