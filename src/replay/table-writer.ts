/** Writes one host's tables and flows into the journal: what was touched since the last event is compared and kept. */
import type { Conntrack } from "../dataplane/conntrack.ts";
import { rdLe32, wrLe32 } from "../tables/layout.ts";
import { TABLE_NAMES, type TableName } from "../tables/schema.ts";
import type { Tables } from "../tables/tables.ts";
import { rd32, wr32 } from "../wire/bytes.ts";
import { encodeFlow, FLOW_LASTING, FLOW_SIZE, flowConfirmed } from "./flow.ts";
import type { Journal, RowHistory, TableHistory } from "./journal.ts";
import { type MapWatcher, type WatchedMap, watchedTables } from "./watched-map.ts";

/** Rows of one table by key, and by the entry that held them last. */
interface Shelf {
  map: WatchedMap;
  history: TableHistory;
  byKey: Map<string, RowHistory>;
  byEntry: (RowHistory | undefined)[];
  touched: number[];
  /** Keys that have gone; undefined among them: any may have. */
  gone: Uint8Array[];
  rescan: boolean;
}

/** Counters change with every packet: a change of theirs is none to speak of. */
export const isCounter = (name: string): boolean => name === "STATS" || name === "REASON";

export class TableWriter implements MapWatcher {
  readonly host: string;
  /** True when rows were written outside of a hook; `since` is when. */
  dirty = false;
  since = 0;
  /** While a hook runs, its writes are its own. */
  inHook = false;
  private readonly journal: Journal;
  private readonly now: () => number;
  private readonly onDirty: (writer: TableWriter) => void;
  private readonly shelves = new Map<TableName, Shelf>();
  private conntrack: Conntrack | undefined;
  private readonly flows: (RowHistory | undefined)[] = [];
  private readonly touchedFlows: number[] = [];
  private readonly flowBytes = new Uint8Array(FLOW_SIZE);
  private readonly flowView = new DataView(this.flowBytes.buffer);

  /** `onDirty` hears when rows are written outside of a hook, once until the next flush. */
  constructor(host: string, journal: Journal, now: () => number, onDirty: (writer: TableWriter) => void = () => {}) {
    this.host = host;
    this.journal = journal;
    this.now = now;
    this.onDirty = onDirty;
  }

  /** New, empty tables for the host; the rows of earlier ones have gone. */
  makeTables(): Tables {
    const tables = watchedTables(this);
    for (const name of TABLE_NAMES) {
      const map = tables[name] as WatchedMap;
      const old = this.shelves.get(name);
      const history = old?.history ?? this.journal.table(this.host, name);
      const byKey = old?.byKey ?? new Map<string, RowHistory>();
      const rescan = name !== "REASON";
      this.shelves.set(name, { map, history, byKey, byEntry: [], touched: [], gone: [], rescan });
    }
    this.note();
    return tables;
  }

  /** From now on the host's flows are these; every one is compared at the next flush. */
  watchFlows(ct: Conntrack): void {
    this.conntrack = ct;
    for (let i = 0; i < Math.max(ct.table.slots, this.flows.length); i++) this.touchedFlows.push(i);
    ct.listener = (_event, flow) => {
      this.touchedFlows.push(flow);
      this.note();
    };
  }

  /** A packet's flow was looked at. */
  touchFlow(flow: number): void {
    if (flow >= 0) this.touchedFlows.push(flow);
  }

  looked(map: WatchedMap, entry: number): void {
    if (entry >= 0 && this.inHook) this.shelves.get(map.name)?.touched.push(entry);
  }

  wrote(map: WatchedMap, entry: number): void {
    this.shelves.get(map.name)?.touched.push(entry);
    this.note();
  }

  gone(map: WatchedMap, key: Uint8Array | undefined): void {
    const shelf = this.shelves.get(map.name);
    if (shelf === undefined) return;
    if (key === undefined) shelf.rescan = true;
    else shelf.gone.push(key);
    this.note();
  }

  private note(): void {
    if (this.inHook || this.dirty) return;
    this.dirty = true;
    this.since = this.now();
    this.onDirty(this);
  }

  /** Keeps what has changed, as the doing of event `index`. Returns how many rows changed, counters left out. */
  flush(index: number): number {
    this.dirty = false;
    let n = 0;
    for (const shelf of this.shelves.values()) {
      if (shelf.map.name === "REASON") this.flushReasons(shelf, index);
      else if (shelf.rescan || shelf.touched.length > 0 || shelf.gone.length > 0) {
        const changes = this.flushShelf(shelf, index);
        if (!isCounter(shelf.map.name)) n += changes;
      }
    }
    return n + (this.touchedFlows.length > 0 ? this.flushFlows(index) : 0);
  }

  private flushShelf(shelf: Shelf, index: number): number {
    const { map } = shelf;
    let n = 0;
    if (shelf.rescan) {
      shelf.rescan = false;
      shelf.touched.length = 0;
      for (const e of map.slots()) shelf.touched.push(e);
      for (const row of shelf.byKey.values())
        if (row.last !== 0 && map.lookup(row.key) === undefined && this.journal.set(row, index, undefined)) n++;
    }
    for (const key of shelf.gone)
      if (map.lookup(key) === undefined) {
        const row = shelf.byKey.get(String(wordsOf(map, key)));
        if (row !== undefined && this.journal.set(row, index, undefined)) n++;
      }
    shelf.gone.length = 0;
    const { touched } = shelf;
    for (let i = 0; i < touched.length; i++) {
      const e = touched[i];
      if (i > 0 && touched[i - 1] === e) continue;
      const row = this.rowOf(shelf, e);
      const off = map.valueOffset(e);
      if (row !== undefined && this.journal.set(row, index, map.values, off, off + map.valueSize)) n++;
    }
    touched.length = 0;
    return n;
  }

  /** The row that entry `e` holds; undefined where it holds none any more. */
  private rowOf(shelf: Shelf, e: number): RowHistory | undefined {
    const { map, byEntry, byKey } = shelf;
    const cached = byEntry[e];
    if (cached !== undefined && sameKey(map, e, cached.key)) {
      // An entry that was freed keeps its key; whether it is in use only a lookup can tell.
      return shelf.rescan || map.lookup(cached.key) !== undefined ? cached : undefined;
    }
    const key = keyOf(map, e);
    if (map.lookup(key) === undefined) return undefined;
    const text = String(wordsOf(map, key));
    let row = byKey.get(text);
    if (row === undefined) {
      row = this.journal.row(shelf.history, key);
      byKey.set(text, row);
    }
    byEntry[e] = row;
    return row;
  }

  /** The hooks count in place: the whole array is compared, eight bytes a slot. */
  private flushReasons(shelf: Shelf, index: number): void {
    const { map, byEntry } = shelf;
    const { values, valueSize } = map;
    for (let e = 0; e < map.size; e++) {
      const off = e * valueSize;
      let row = byEntry[e];
      if (row === undefined) {
        if (values[off] === 0 && values[off + 1] === 0 && values[off + 2] === 0) continue;
        const key = keyOf(map, e);
        row = shelf.byKey.get(String(e)) ?? this.journal.row(shelf.history, key);
        shelf.byKey.set(String(e), row);
        byEntry[e] = row;
      }
      this.journal.set(row, index, values, off, off + valueSize);
    }
  }

  private flushFlows(index: number): number {
    const ct = this.conntrack;
    let n = 0;
    if (ct !== undefined)
      for (const flow of this.touchedFlows) {
        const row = this.flows[flow];
        if (!flowConfirmed(ct, flow)) {
          if (row !== undefined && this.journal.set(row, index, undefined)) n++;
          continue;
        }
        encodeFlow(ct, flow, this.flowView);
        const known = row ?? this.newFlow(flow);
        const lasting = !this.lastsAs(known);
        if (this.journal.set(known, index, this.flowBytes) && lasting) n++;
      }
    this.touchedFlows.length = 0;
    return n;
  }

  /** True where only the flow's time of expiry is new. */
  private lastsAs(row: RowHistory): boolean {
    const old = row.last;
    if (old === 0) return false;
    const bytes = this.journal.values.get(old);
    for (let i = 0; i < FLOW_LASTING; i++) if (bytes[i] !== this.flowBytes[i]) return false;
    return true;
  }

  private newFlow(flow: number): RowHistory {
    const key = new Uint8Array(4);
    wr32(key, 0, flow);
    return (this.flows[flow] = this.journal.row(this.journal.table(this.host, "conntrack"), key));
  }
}

/** A key that is one number of the machine's own order, as interfaces and tunnel ids are. */
const isNative = (map: WatchedMap): boolean => "value" in map.def.key.fields;

function wordsOf(map: WatchedMap, key: Uint8Array): number[] {
  const rd = isNative(map) ? rdLe32 : rd32;
  return Array.from({ length: key.length / 4 }, (_, i) => rd(key, i * 4));
}

function keyOf(map: WatchedMap, e: number): Uint8Array {
  const key = new Uint8Array(map.def.key.size);
  const wr = isNative(map) ? wrLe32 : wr32;
  for (let i = 0; i < key.length / 4; i++) wr(key, i * 4, map.keyWord(e, i));
  return key;
}

function sameKey(map: WatchedMap, e: number, key: Uint8Array): boolean {
  const rd = isNative(map) ? rdLe32 : rd32;
  for (let i = 0; i < key.length / 4; i++) if (rd(key, i * 4) !== map.keyWord(e, i)) return false;
  return true;
}
