/**
 * Map twins that tell who uses which entry. The data path writes values in place, in entries that it has looked up; the
 * control plane writes by bytes. Both are seen here, so that nobody needs to compare whole tables.
 */
import { BpfMap } from "../tables/map.ts";
import { TABLE_NAMES, TABLES, type TableDef, type TableName } from "../tables/schema.ts";
import type { Tables } from "../tables/tables.ts";

export interface MapWatcher {
  /** A lookup by the data path: the entry, or -1; key words, signed, those beyond the key's length 0. */
  looked(map: WatchedMap, entry: number, w0: number, w1: number, w2: number, w3: number): void;
  /** An entry was made or written to. */
  wrote(map: WatchedMap, entry: number): void;
  /** Rows have gone: one by key, or any number of them where `key` is undefined. */
  gone(map: WatchedMap, key: Uint8Array | undefined): void;
}

export class WatchedMap extends BpfMap {
  readonly name: TableName;
  private readonly watcher: MapWatcher;
  /** Inside an update, whose own lookups are nobody's business. */
  private writing = false;

  constructor(name: TableName, watcher: MapWatcher) {
    const def: TableDef = TABLES[name];
    super(def);
    this.name = name;
    this.watcher = watcher;
  }

  override find1(w0: number): number {
    const e = super.find1(w0);
    if (!this.writing) this.watcher.looked(this, e, w0 | 0, 0, 0, 0);
    return e;
  }

  override find2(w0: number, w1: number): number {
    const e = super.find2(w0, w1);
    if (!this.writing) this.watcher.looked(this, e, w0 | 0, w1 | 0, 0, 0);
    return e;
  }

  override find4(w0: number, w1: number, w2: number, w3: number): number {
    const e = super.find4(w0, w1, w2, w3);
    if (!this.writing) this.watcher.looked(this, e, w0 | 0, w1 | 0, w2 | 0, w3 | 0);
    return e;
  }

  override upsert(w0: number, w1 = 0, w2 = 0, w3 = 0): number {
    const outer = this.writing;
    const full = this.size >= this.maxEntries;
    this.writing = true;
    const e = super.upsert(w0, w1, w2, w3);
    this.writing = outer;
    // A full LRU table may have thrown a row out, and does not say which.
    if (full && this.def.kind === "lru_hash") this.watcher.gone(this, undefined);
    if (e >= 0) this.watcher.wrote(this, e);
    return e;
  }

  override delete(key: Uint8Array): boolean {
    const deleted = super.delete(key);
    if (deleted) this.watcher.gone(this, key);
    return deleted;
  }

  override clear(): void {
    super.clear();
    this.watcher.gone(this, undefined);
  }
}

/** A host's tables, each of which tells `watcher`. */
export function watchedTables(watcher: MapWatcher): Tables {
  return Object.fromEntries(TABLE_NAMES.map((name) => [name, new WatchedMap(name, watcher)])) as unknown as Tables;
}
