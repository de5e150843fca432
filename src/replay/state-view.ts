/** Tables and flows at an event as rows of text, and what changed with it. */
import { fieldNames, type TableRow, tableRow } from "../scenario/table-rows.ts";
import { REASON, type ReasonName } from "../tables/reasons.ts";
import { TABLE_NAMES, TABLES, type TableName } from "../tables/schema.ts";
import { createTables, type Tables } from "../tables/tables.ts";
import { compareFlows, FLOW_COLUMNS, flowExpires, flowRow } from "./flow.ts";
import type { Journal, JournalTable, RowHistory, TableHistory } from "./journal.ts";
import { isCounter } from "./table-writer.ts";
import type { HostState, RowChange, StateRow, StateTable, StateView } from "./types.ts";

/** Rows of one table that are shown; those that changed are among them in any case. */
const MAX_ROWS = 1000;
const FLOW_DOC = "connection tracking: original tuple -> reply tuple";

/** Rows as text by value number, which belongs to one row only: most of them stay from event to event. */
const TEXTS = new WeakMap<Journal, Map<number, TableRow>>();
const MAX_TEXTS = 100_000;

function cachedRow(journal: Journal, row: RowHistory, value: number): TableRow {
  let texts = TEXTS.get(journal);
  if (texts === undefined || texts.size >= MAX_TEXTS) TEXTS.set(journal, (texts = new Map()));
  let text = texts.get(value);
  if (text === undefined)
    texts.set(value, (text = tableRow(row.table.name as TableName, row.key, journal.values.get(value))));
  return text;
}

/** A row that a journal's value number stands for; undefined for none, and for a flow whose time is up. */
function rowAt(journal: Journal, row: RowHistory, value: number, nowNs: number): TableRow | undefined {
  if (value === 0) return undefined;
  if (row.table.name !== "conntrack") return cachedRow(journal, row, value);
  const bytes = journal.values.get(value);
  return flowExpires(bytes) <= nowNs ? undefined : flowRow(bytes, nowNs);
}

/** All tables of one host that have rows, or lost one, right after event `index`; of each at most `most` rows, and those that changed. */
export function stateView(journal: Journal, host: string, index: number, nowNs: number, most = MAX_ROWS): StateView {
  const tables: StateTable[] = [];
  for (const name of [...TABLE_NAMES, "conntrack"] as JournalTable[]) {
    const history = journal.hosts.get(host)?.get(name);
    const table = history && tableView(journal, history, index, nowNs, most);
    if (table && table.rows.length + table.removed.length > 0) tables.push(table);
  }
  return { host, index, timeNs: nowNs, tables };
}

/** Tables of which a host's size is told. */
const SIZED = ["TUNNEL", "SESSION", "conntrack"] as const satisfies readonly JournalTable[];

/** A host's tables in numbers: none of their rows becomes text for it. */
export function hostState(journal: Journal, host: string, index: number, nowNs: number): HostState {
  const tables = journal.hosts.get(host);
  const sizes: Partial<Record<JournalTable, number>> = {};
  for (const name of SIZED) {
    let n = 0;
    for (const row of tables?.get(name)?.rows ?? []) if (isThere(journal, row, row.at(index), nowNs)) n++;
    if (n > 0) sizes[name] = n;
  }
  const changes = journal.changesAt(index).filter(({ table }) => table.host === host && !isCounter(table.name));
  return { host, sizes, changes: changes.length };
}

/** Whether a row is there with this value: a flow whose time is up is not. */
function isThere(journal: Journal, row: RowHistory, value: number, nowNs: number): boolean {
  return value !== 0 && (row.table.name !== "conntrack" || flowExpires(journal.values.get(value)) > nowNs);
}

function tableView(journal: Journal, table: TableHistory, index: number, nowNs: number, most: number): StateTable {
  const { name } = table;
  const columns = name === "conntrack" ? FLOW_COLUMNS : fieldNames(name);
  const out: StateTable = {
    name,
    doc: name === "conntrack" ? FLOW_DOC : TABLES[name].doc,
    columns,
    rows: [],
    removed: [],
    total: 0,
  };
  const cellsOf = (row: TableRow): string[] => columns.map((c) => row.fields[c]);
  for (const row of name === "conntrack" ? flowsInOrder(journal, table, index) : inOrder(table)) {
    const changed = row.changedAt(index);
    const value = row.at(index);
    if (value === 0 && !changed) continue;
    if (!changed && out.rows.length >= most) {
      if (isThere(journal, row, value, nowNs)) out.total++;
      continue;
    }
    const now = rowAt(journal, row, value, nowNs);
    const was = changed ? rowAt(journal, row, row.at(index - 1), nowNs) : undefined;
    if (was && was.key !== now?.key) out.removed.push({ key: was.key, cells: cellsOf(was) });
    if (now === undefined || (name === "REASON" && now.fields.count === "0")) continue;
    out.total++;
    out.rows.push(stateRow(now, was?.key === now.key ? was : undefined, changed, cellsOf));
  }
  return out;
}

function stateRow(
  now: TableRow,
  was: TableRow | undefined,
  marked: boolean,
  cellsOf: (r: TableRow) => string[],
): StateRow {
  const cells = cellsOf(now);
  const old = was && cellsOf(was);
  const changed = cells.flatMap((cell, i) => (marked && (old === undefined || old[i] !== cell) ? [i] : []));
  return { key: now.key, cells, mark: !marked ? "" : was === undefined ? "new" : "changed", changed };
}

/** Flows that are there after an event or went with it, by their original tuples. Their slots have no order. */
function flowsInOrder(journal: Journal, table: TableHistory, index: number): RowHistory[] {
  const found: { row: RowHistory; value: Uint8Array }[] = [];
  for (const row of table.rows) {
    const value = row.at(index) || (row.changedAt(index) ? row.at(index - 1) : 0);
    if (value !== 0) found.push({ row, value: journal.values.get(value) });
  }
  return found.sort((a, b) => compareFlows(a.value, b.value)).map(({ row }) => row);
}

/** Rows in the order of their keys, found anew only when there are more of them. */
const ORDERS = new WeakMap<TableHistory, RowHistory[]>();

function inOrder(table: TableHistory): readonly RowHistory[] {
  const known = ORDERS.get(table);
  if (known?.length === table.rows.length) return known;
  const order = (key: string): number => REASON[key as ReasonName];
  const name = table.name as TableName;
  const blank = new Uint8Array(TABLES[name].value.size);
  const keyed = table.rows.map((row) => ({ row, key: tableRow(name, row.key, blank).key }));
  keyed.sort(name === "REASON" ? (a, b) => order(a.key) - order(b.key) : (a, b) => compareKeys(a.key, b.key));
  const rows = keyed.map(({ row }) => row);
  ORDERS.set(table, rows);
  return rows;
}

let collator: ((a: string, b: string) => number) | undefined;
function compareKeys(a: string, b: string): number {
  collator ??= new Intl.Collator("en", { numeric: true }).compare;
  return collator(a, b);
}

/** What changed with event `index`, counters last. */
export function rowChanges(journal: Journal, index: number, nowNs: number): RowChange[] {
  const out = journal.changesAt(index).flatMap((row) => {
    const was = rowAt(journal, row, row.at(index - 1), nowNs);
    const now = rowAt(journal, row, row.at(index), nowNs);
    const { host, name: table } = row.table;
    // A slot of conntrack that another flow took over, or a flow that ran out before.
    if (was && now && was.key !== now.key)
      return [change(host, table, was, undefined), change(host, table, undefined, now)];
    return was === undefined && now === undefined ? [] : [change(host, table, was, now)];
  });
  return out.sort((a, b) => Number(isCounter(a.table)) - Number(isCounter(b.table)));
}

function change(host: string, table: JournalTable, was: TableRow | undefined, now: TableRow | undefined): RowChange {
  const key = (now ?? was)?.key ?? "";
  const parts = Object.entries((now ?? was)?.fields ?? {}).flatMap(([f, v]) => {
    if (now === undefined) return [];
    if (was === undefined) return [`${f} ${v}`];
    return was.fields[f] === v ? [] : [`${f} ${was.fields[f]} -> ${v}`];
  });
  const text = now === undefined ? "removed" : was === undefined ? `added: ${parts.join(", ")}` : parts.join(", ");
  return { host, table, key, before: was?.fields, after: now?.fields, text };
}

/** A host's tables as they were right after event `index`, for the data path to run on. */
export function tablesAt(journal: Journal, host: string, index: number): Tables {
  const tables = createTables();
  for (const name of TABLE_NAMES)
    for (const row of journal.hosts.get(host)?.get(name)?.rows ?? []) {
      const value = row.at(index);
      if (value !== 0) tables[name].update(row.key, journal.values.get(value));
    }
  return tables;
}
