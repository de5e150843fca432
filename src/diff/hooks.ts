/**
 * Level a, hook by hook: every frame that entered a hook of a real host enters the reference's, in the same order and with the same
 * tables. Verdict, reason, deciding entry, redirect, frame, mark, segment size and VLAN tag must be equal; and at the end every row
 * of every table.
 */
import type { FibParams } from "../dataplane/datapath.ts";
import { BPF_FIB_LKUP_RET_NO_NEIGH, BPF_FIB_LKUP_RET_SUCCESS } from "../dataplane/datapath.ts";
import { TABLE_TEXT } from "../dataplane/vector-text.ts";
import type { HookRecord, HostHistory, TableBytes } from "../lab/linux/hook-record.ts";
import { TABLE_NAMES, TABLES, type TableName } from "../tables/schema.ts";
import { toHex } from "../wire/bytes.ts";
import { formatIpv4 } from "../wire/ipv4.ts";
import { eventsOf, type HookEvent, HookReplay, isHook, type Mismatch, type ReferenceRun } from "./hooks-replay.ts";
import { HOOK_RULES, type HookRule } from "./hooks-rules.ts";
import { hookVector, rowVector } from "./hooks-vector.ts";
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
    vector: found.find((f) => f.differences.includes(first))?.vector(first),
  };
}

interface HostComparison {
  differences: Difference[];
  /** Of one of the differences. */
  vector(difference: Difference): string | undefined;
}

function compareHost(history: HostHistory, rules: RuleCounter<HookRule>): HostComparison {
  const replay = new HookReplay();
  const differences: Difference[] = [];
  const events = new Map<Difference, HookEvent>();
  replay.onLookup = (run, made) => {
    const what = lookupProblem(history, made, rules);
    if (what !== undefined) differences.push(hookDifference(run, { event: run, what: [what], reference: made }));
  };
  const taken = replay.applyAll(
    eventsOf(history),
    (event, mismatch) => {
      if (mismatch === undefined) return;
      const difference = isHook(event) ? hookDifference(event, mismatch) : writeDifference(history.host, mismatch);
      differences.push(difference);
      events.set(difference, event);
    },
    rules,
  );
  const rows = rowDifferences(history.host, history.tables, tableBytes(replay));
  const atEnd: Difference | undefined =
    rows.length === 0
      ? undefined
      : {
          where: history.host,
          what: `${rows.length} rows of its tables differ at the end`,
          fields: [],
          rows,
          notes: [],
        };
  if (atEnd !== undefined) differences.push(atEnd);
  return {
    differences,
    vector(difference) {
      const event = events.get(difference);
      if (event !== undefined) return isHook(event) ? hookVector(taken, event) : undefined;
      return difference === atEnd ? rowVector(taken, history.tables) : undefined;
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

const writeDifference = (host: string, { what }: Mismatch): Difference => ({
  where: host,
  what: what.join("; "),
  fields: [],
  rows: [],
  notes: [],
});

const tableBytes = ({ tables }: HookReplay): TableBytes =>
  Object.fromEntries(TABLE_NAMES.map((name) => [name, tables[name].entries()])) as never;

type Rows = TableBytes[TableName];

/** Rows that differ; absent rows and counters that never counted are the same. */
export function rowDifferences(host: string, real: TableBytes, ours: TableBytes): RowDifference[] {
  return TABLE_NAMES.flatMap((table) => {
    const text = Object.values(TABLE_TEXT).find((t) => t.table === table);
    const valueText = (v: Uint8Array): string =>
      text ? JSON.stringify(text.formatValue(v)) : String(TABLES.EPOCH.value.decode(v).value);
    const byKey = (rows: Rows): Map<string, Uint8Array> =>
      new Map(
        rows
          .filter(([, value]) => TABLES[table].kind !== "array" || value.some((b) => b !== 0))
          .map(([key, value]) => [toHex(key), value]),
      );
    const theirs = byKey(real[table]);
    const mine = byKey(ours[table]);
    const keys = new Map([...real[table], ...ours[table]].map(([key]) => [toHex(key), key]));
    const out: RowDifference[] = [];
    for (const [hex, key] of keys) {
      const a = theirs.get(hex);
      const b = mine.get(hex);
      if (a === b || (a && b && toHex(a) === toHex(b))) continue;
      const row: RowDifference = { host, table, key: text ? text.formatKey(key) : "" };
      if (a) row.real = valueText(a);
      if (b) row.reference = valueText(b);
      out.push(row);
    }
    return out;
  });
}
