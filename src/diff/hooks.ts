/**
 * Level a, hook by hook: every frame that entered a hook of a real host enters the reference's, in the same order and with the same
 * tables. Verdict, reason, deciding entry, redirect, frame, mark, segment size and VLAN tag must be equal; and at the end every row
 * of every table.
 */
import type { FibParams } from "../dataplane/datapath.ts";
import { BPF_FIB_LKUP_RET_NO_NEIGH, BPF_FIB_LKUP_RET_SUCCESS } from "../dataplane/datapath.ts";
import { TABLE_TEXT } from "../dataplane/vector-text.ts";
import type { HookRecord, HostHistory, TableBytes, TableRows, TableWrite } from "../lab/linux/hook-record.ts";
import { TABLE_NAMES, TABLES, type TableName } from "../tables/schema.ts";
import { toHex } from "../wire/bytes.ts";
import { formatIpv4 } from "../wire/ipv4.ts";
import { eventsOf, HookReplay, isHook, type Mismatch, type ReferenceRun } from "./hooks-replay.ts";
import { HOOK_RULES, type HookRule } from "./hooks-rules.ts";
import { hookVector, type RowPlace, rowVector, type VectorPair } from "./hooks-vector.ts";
import { diffPacket, fieldDifferences } from "./pair.ts";
import { RuleCounter } from "./rules.ts";
import { type Difference, KEPT_DIFFERENCES, type LevelReport, type RowDifference } from "./types.ts";

export const HOOKS_TITLE = "hook by hook";

/** Compares what the hooks of all hosts did (`LinuxLab.histories`) with what the reference does. */
export function compareHooks(histories: readonly HostHistory[]): LevelReport {
  const rules = new RuleCounter<HookRule>(HOOK_RULES);
  const found = histories.map((history) => compareHost(history, rules));
  const differences = found
    .flatMap((f) => f.differences)
    .sort((a, b) => (a.timeNs ?? Infinity) - (b.timeNs ?? Infinity));
  const first = differences[0];
  const vectors = found.find((f) => f.differences.includes(first))?.vector(first);
  const sum = (of: (h: HostHistory) => number): number => histories.reduce((total, h) => total + of(h), 0);
  return {
    level: "a",
    title: HOOKS_TITLE,
    verdict: differences.length === 0 ? "equal" : "different",
    why: "",
    counts: [
      { name: "hosts", count: histories.filter((h) => h.hooks.length > 0).length },
      { name: "hook runs", count: sum((h) => h.hooks.length) },
      { name: "bytes in", count: sum((h) => h.hooks.reduce((n, r) => n + r.before.frame.length, 0)) },
      { name: "writes to tables", count: sum((h) => h.writes.length) },
      { name: "rows at the end", count: sum((h) => TABLE_NAMES.reduce((n, name) => n + h.tables[name].length, 0)) },
    ],
    rules: rules.report(),
    differenceCount: differences.length,
    first,
    differences: differences.slice(0, KEPT_DIFFERENCES),
    ...(vectors && { vector: vectors.reference, vectorReal: vectors.real }),
  };
}

interface HostComparison {
  differences: Difference[];
  /** Of one of the differences. */
  vector(difference: Difference): VectorPair | undefined;
}

function compareHost(history: HostHistory, rules: RuleCounter<HookRule>): HostComparison {
  const replay = new HookReplay();
  const differences: Difference[] = [];
  const events = new Map<Difference, Mismatch>();
  replay.onLookup = (run, made) => {
    const what = lookupProblem(history, made, rules);
    if (what !== undefined) differences.push(hookDifference(run, { event: run, what: [what], reference: made }));
  };
  const taken = replay.applyAll(
    eventsOf(history),
    (event, mismatch) => {
      if (mismatch === undefined) return;
      const difference = isHook(event)
        ? hookDifference(event, mismatch)
        : writeDifference(history.host, event, mismatch);
      differences.push(difference);
      events.set(difference, mismatch);
    },
    rules,
  );
  const ours = tableBytes(replay);
  const rows = rowDifferences(history.host, history.tables, ours);
  const atEnd: Difference | undefined =
    rows.length === 0
      ? undefined
      : {
          where: history.host,
          what: `rows of its tables are not the same at the end: ${rows.length}`,
          fields: [],
          rows,
          notes: [],
        };
  if (atEnd !== undefined) differences.push(atEnd);
  return {
    differences,
    vector(difference) {
      const mismatch = events.get(difference);
      if (mismatch === undefined)
        return difference === atEnd
          ? rowVector(
              taken,
              TABLE_NAMES.flatMap((table) => placesOf(table, history.tables[table], ours[table])),
            )
          : undefined;
      const { event } = mismatch;
      if (isHook(event)) return hookVector(taken, event);
      return rowVector(
        taken.slice(0, taken.indexOf(event)),
        placesOf(event.table, event.met ?? [], mismatch.rows ?? []),
      );
    },
  };
}

/** What is not as the routes at the end say. */
function lookupProblem(history: HostHistory, made: ReferenceRun, rules: RuleCounter<HookRule>): string | undefined {
  const then = made.fib;
  if (then === undefined || history.fib === undefined) return undefined;
  const now: FibParams = { ...then, ifindex: made.after.ifindex };
  const rc = history.fib.fibLookup(now);
  if (rc !== then.rc) {
    const moment = [rc, then.rc].every((r) => r === BPF_FIB_LKUP_RET_SUCCESS || r === BPF_FIB_LKUP_RET_NO_NEIGH);
    if (!moment) return `the FIB answered ${then.rc} of ${formatIpv4(then.daddr)}, and answers ${rc} now`;
    rules.use("fib-moment");
    return undefined;
  }
  if (rc !== BPF_FIB_LKUP_RET_SUCCESS || (now.dmac === then.dmac && now.smac === then.smac)) return undefined;
  return `the MAC addresses are not those of the way to ${formatIpv4(then.daddr)}`;
}

function hookDifference(run: HookRecord, { what, reference }: Mismatch): Difference {
  const { timeNs, before, after } = run;
  const ours = reference!.after.frame;
  return {
    where: `${run.host}/${run.nic} ${run.hook}`,
    what: what.join("; "),
    timeNs,
    input: diffPacket(timeNs, before.frame),
    real: diffPacket(timeNs, after.frame),
    reference: diffPacket(timeNs, ours),
    fields: fieldDifferences(after.frame, ours),
    rows: [],
    notes: what,
  };
}

function writeDifference(host: string, write: TableWrite, { what, rows }: Mismatch): Difference {
  const real = { ...NO_ROWS, [write.table]: write.met ?? [] };
  const ours = { ...NO_ROWS, [write.table]: rows ?? [] };
  return { where: host, what: what.join("; "), fields: [], rows: rowDifferences(host, real, ours), notes: [] };
}

const NO_ROWS = Object.fromEntries(TABLE_NAMES.map((name) => [name, []])) as unknown as TableBytes;

const tableBytes = ({ tables }: HookReplay): TableBytes =>
  Object.fromEntries(TABLE_NAMES.map((name) => [name, tables[name].entries()])) as never;

/** Rows of one table by key, in hex; counters that never counted left out, as rows that are absent. */
const byKey = (table: TableName, rows: TableRows): Map<string, Uint8Array> =>
  new Map(
    rows
      .filter(([, value]) => TABLES[table].kind !== "array" || value.some((b) => b !== 0))
      .map(([key, value]) => [toHex(key), value]),
  );

/** Keys whose rows differ. */
function placesOf(table: TableName, real: TableRows, ours: TableRows): RowPlace[] {
  const theirs = byKey(table, real);
  const mine = byKey(table, ours);
  const keys = new Map([...real, ...ours].map(([key]) => [toHex(key), key]));
  const text = (value: Uint8Array | undefined): string => (value === undefined ? "" : toHex(value));
  return [...keys].filter(([hex]) => text(theirs.get(hex)) !== text(mine.get(hex))).map(([, key]) => ({ table, key }));
}

/** Rows that differ, as people read them. */
function rowDifferences(host: string, real: TableBytes, ours: TableBytes): RowDifference[] {
  return TABLE_NAMES.flatMap((table) => {
    const text = Object.values(TABLE_TEXT).find((t) => t.table === table);
    const valueText = (v: Uint8Array): string =>
      text ? JSON.stringify(text.formatValue(v)) : String(TABLES.EPOCH.value.decode(v).value);
    const theirs = byKey(table, real[table]);
    const mine = byKey(table, ours[table]);
    return placesOf(table, real[table], ours[table]).map(({ key }) => {
      const [a, b] = [theirs.get(toHex(key)), mine.get(toHex(key))];
      const row: RowDifference = { host, table, key: text ? text.formatKey(key) : "" };
      if (a) row.real = valueText(a);
      if (b) row.reference = valueText(b);
      return row;
    });
  });
}
