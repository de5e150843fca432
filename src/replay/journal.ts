/**
 * The journal of tables: every row that a table or conntrack ever had, with its values by event. The state after any event
 * is each row's last value up to it, found by bisection: no keyframes, no replaying.
 */
import type { TableName } from "../tables/schema.ts";
import { BytesStore } from "./bytes-store.ts";
import { type Column, int32, lastAtMost } from "./columns.ts";

export type JournalTable = TableName | "conntrack";

/** A row's life. Value number 0: the row is not there. Events are in order; -1 is what was there at the start. */
export class RowHistory {
  readonly table: TableHistory;
  readonly key: Uint8Array;
  readonly events = int32();
  readonly values = int32();

  constructor(table: TableHistory, key: Uint8Array) {
    this.table = table;
    this.key = key;
  }

  /** Number of the value after event `index`. */
  at(index: number): number {
    const i = lastAtMost(this.events.data, this.events.length, index);
    return i < 0 ? 0 : this.values.data[i];
  }

  get last(): number {
    return this.values.length === 0 ? 0 : this.values.data[this.values.length - 1];
  }

  /** True when it changed with this very event. */
  changedAt(index: number): boolean {
    const i = lastAtMost(this.events.data, this.events.length, index);
    return i >= 0 && this.events.data[i] === index;
  }
}

export class TableHistory {
  readonly host: string;
  readonly name: JournalTable;
  readonly rows: RowHistory[] = [];

  constructor(host: string, name: JournalTable) {
    this.host = host;
    this.name = name;
  }
}

export class Journal {
  readonly values = new BytesStore();
  /** By host, then by table. */
  readonly hosts = new Map<string, Map<JournalTable, TableHistory>>();
  /** Rows by number, in the order of their first appearance. */
  private readonly rows: RowHistory[] = [];
  private readonly numbers = new Map<RowHistory, number>();
  /** Rows that changed, event after event, and for each event where its rows start. */
  private readonly changed: Column<Int32Array> = int32();
  private readonly starts: Column<Int32Array> = int32();

  table(host: string, name: JournalTable): TableHistory {
    let tables = this.hosts.get(host);
    if (tables === undefined) this.hosts.set(host, (tables = new Map()));
    let table = tables.get(name);
    if (table === undefined) tables.set(name, (table = new TableHistory(host, name)));
    return table;
  }

  row(table: TableHistory, key: Uint8Array): RowHistory {
    const row = new RowHistory(table, key);
    table.rows.push(row);
    this.numbers.set(row, this.rows.push(row) - 1);
    return row;
  }

  /**
   * Notes what `row` is from event `index` on: `bytes[start, end)`, or nothing where `bytes` is undefined. False where that is what
   * it was. Events come in order.
   */
  set(row: RowHistory, index: number, bytes: Uint8Array | undefined, start = 0, end = bytes?.length ?? 0): boolean {
    const { last } = row;
    if (bytes === undefined ? last === 0 : this.values.same(last, bytes, start, end)) return false;
    const value = bytes === undefined ? 0 : this.values.add(bytes, start, end);
    const n = row.events.length;
    if (n > 0 && row.events.data[n - 1] === index) {
      row.values.data[n - 1] = value;
      return true;
    }
    row.events.push(index);
    row.values.push(value);
    if (index >= 0) {
      this.seal(index);
      this.changed.push(this.numbers.get(row) as number);
    }
    return true;
  }

  /** Rows that changed with an event. */
  changesAt(index: number): RowHistory[] {
    if (index >= this.starts.length) return [];
    const from = this.starts.data[index];
    const to = index + 1 < this.starts.length ? this.starts.data[index + 1] : this.changed.length;
    return Array.from(this.changed.data.subarray(from, to), (n) => this.rows[n]);
  }

  /** Events up to and including this one have their start. */
  private seal(index: number): void {
    while (this.starts.length <= index) this.starts.push(this.changed.length);
  }

  get bytes(): number {
    const rows = this.rows.reduce((sum, r) => sum + r.events.bytes + r.values.bytes, 0);
    return this.values.bytes + rows + this.changed.bytes + this.starts.bytes;
  }
}
