/**
 * What the hooks of a lab's hosts did, and what was written to their tables meanwhile: enough to run every packet through
 * another data path again, in the same order and with the same tables (src/diff/hooks.ts). Times are CLOCK_MONOTONIC in ns, one
 * clock for the programs and for this process, unless said otherwise.
 */
import type { FibHelper, HookResult, Verdict } from "../../dataplane/datapath.ts";
import { LabError } from "../../errors.ts";
import type { TableStore } from "../../tables/map.ts";
import { TABLE_NAMES, TABLES, type TableDef, type TableName } from "../../tables/schema.ts";
import type { TableStores } from "../../tables/tables.ts";

/** A frame at one end of a hook, with what the kernel keeps beside it. */
export interface HookFrame {
  /** MAC header first. Never written to after it was recorded. */
  readonly frame: Uint8Array;
  readonly ifindex: number;
  readonly mark: number;
  readonly gsoSize: number;
  /** The VLAN tag beside the frame: TCI with 0x10000 set; 0 = none. */
  readonly vlan: number;
}

/** One run of a hook. */
export interface HookRecord {
  /** Since the lab came up, ns, as `PacketRecord.timeNs`. */
  readonly timeNs: number;
  /** When it began and ended. */
  readonly startNs: number;
  readonly endNs: number;
  readonly host: string;
  readonly nic: string;
  readonly hook: "ingress" | "egress";
  readonly before: HookFrame;
  /** Of a packet that was dropped: as it was then. */
  readonly after: HookFrame;
  readonly verdict: Verdict;
  /** Why, by which entry, whereto, and what the FIB answered. */
  readonly result: HookResult;
}

/** One write to a table by the control plane; it took effect between `startNs` and `endNs`. */
export interface TableWrite {
  readonly startNs: number;
  readonly endNs: number;
  readonly table: TableName;
  readonly op: "update" | "delete" | "clear";
  readonly key?: Uint8Array;
  readonly value?: Uint8Array;
  readonly flags?: number;
  /** The rows that it meets, as they were in front of it: one or none, all of a `clear`; absent where nobody looked. */
  readonly met?: TableRows;
  /** The table refused it. */
  readonly failed: boolean;
}

export type TableRows = readonly (readonly [key: Uint8Array, value: Uint8Array])[];

/** A host's tables by bytes. */
export type TableBytes = Readonly<Record<TableName, TableRows>>;

/** One host from its coming up until it goes, or until now. */
export interface HostHistory {
  readonly host: string;
  /** In the order in which they began. */
  readonly hooks: readonly HookRecord[];
  /** In the order in which they were made. */
  readonly writes: readonly TableWrite[];
  /** As they are behind the last hook and the last write. */
  readonly tables: TableBytes;
  /** The host's routes and neighbours at that time. */
  readonly fib?: FibHelper;
}

/** What a host's data path hands over, but for the host's name. */
export type HookRun = Omit<HookRecord, "timeNs" | "host">;

/** What a data path records into. */
export interface HookSink {
  hook(run: HookRun): void;
  /** A write that the data path itself made, just now. */
  wrote(write: Omit<TableWrite, "startNs" | "endNs">): void;
}

/** The monotonic clock in ns. */
export const monotonicNs = (): number => Number(process.hrtime.bigint());

/** So often are the tables read again while packets come in between. */
const SNAPSHOTS = 1000;

export class HostRecorder implements HookSink {
  readonly host: string;
  /** The host's tables, whose writes are recorded. */
  readonly stores: TableStores;
  readonly hooks: HookRecord[] = [];
  readonly writes: TableWrite[] = [];
  private readonly inner: TableStores;
  private readonly epochNs: number;

  /** `epochNs`: when the lab's time began. */
  constructor(host: string, inner: TableStores, epochNs: number) {
    this.host = host;
    this.inner = inner;
    this.epochNs = epochNs;
    const stores = {} as Record<TableName, TableStore>;
    for (const name of TABLE_NAMES) stores[name] = new WatchedStore(inner[name], this.writes);
    this.stores = stores;
  }

  hook(run: HookRun): void {
    this.hooks.push({ timeNs: run.startNs - this.epochNs, host: this.host, ...run });
  }

  wrote(write: Omit<TableWrite, "startNs" | "endNs">): void {
    const now = monotonicNs();
    this.writes.push({ startNs: now, endNs: now, ...write });
  }

  /**
   * What happened so far. `read` hands over the latest runs; `loaded`: whether the host has tables. Throws LabError ERR_HOOK_BUSY
   * when packets come without a pause.
   */
  history(read: () => void, loaded: boolean, fib?: FibHelper): HostHistory {
    const { host, hooks, writes } = this;
    for (let i = 0; i < SNAPSHOTS; i++) {
      read();
      const seen = hooks.length;
      const tables = loaded ? tableBytes(this.inner) : NO_TABLES;
      read();
      if (hooks.length === seen) return { host, hooks: [...hooks], writes: [...writes], tables, fib };
    }
    throw new LabError("ERR_HOOK_BUSY", `the tables of ${host} cannot be read between two packets`, {
      hint: "End the traffic before the end of the scenario.",
    });
  }
}

const NO_TABLES: TableBytes = Object.fromEntries(TABLE_NAMES.map((name) => [name, []])) as never;

const tableBytes = (stores: TableStores): TableBytes =>
  Object.fromEntries(TABLE_NAMES.map((name) => [name, stores[name].entries()])) as never;

/** A table that notes what is written to it, and when. */
class WatchedStore implements TableStore {
  readonly def: TableDef;
  private readonly inner: TableStore;
  private readonly log: TableWrite[];

  constructor(inner: TableStore, log: TableWrite[]) {
    this.def = inner.def;
    this.inner = inner;
    this.log = log;
  }

  lookup(key: Uint8Array): Uint8Array | undefined {
    return this.inner.lookup(key);
  }

  update(key: Uint8Array, value: Uint8Array, flags?: number): void {
    const what = { op: "update", key: key.slice(), value: value.slice(), flags } as const;
    this.note(what, () => this.inner.update(key, value, flags));
  }

  delete(key: Uint8Array): boolean {
    return this.note({ op: "delete", key: key.slice() }, () => this.inner.delete(key));
  }

  entries(): [Uint8Array, Uint8Array][] {
    return this.inner.entries();
  }

  clear(): void {
    this.note({ op: "clear" }, () => this.inner.clear());
  }

  private note<T>(what: Pick<TableWrite, "op" | "key" | "value" | "flags">, write: () => T): T {
    // Tables are loaded when they are first needed, which is not part of the write.
    this.inner.lookup(FIRST_KEY[this.def.name as TableName]);
    const startNs = monotonicNs();
    const met = what.key === undefined ? this.inner.entries() : this.row(what.key);
    let failed = true;
    try {
      const result = write();
      failed = false;
      return result;
    } finally {
      this.log.push({ startNs, endNs: monotonicNs(), table: this.def.name as TableName, met, failed, ...what });
    }
  }

  private row(key: Uint8Array): TableRows {
    const value = this.inner.lookup(key);
    return value === undefined ? [] : [[key.slice(), value]];
  }
}

const FIRST_KEY = Object.fromEntries(
  TABLE_NAMES.map((name) => [name, new Uint8Array(TABLES[name].key.size)]),
) as Record<TableName, Uint8Array>;
