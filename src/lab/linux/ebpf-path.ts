/**
 * A host's tables in the kernel, loaded with the programs when they are first needed: a host without True Ingress has none.
 */
import { closeSync } from "node:fs";
import { join } from "node:path";
import { type Attachment, attach, detach } from "../../ebpf/attach.ts";
import { objGet } from "../../ebpf/bpf.ts";
import { buildRecorded, type Objects } from "../../ebpf/build.ts";
import { EVENTS_NAME } from "../../ebpf/event.ts";
import { HookTrace } from "../../ebpf/hook-trace.ts";
import { type Instance, instanceTables, loadInstance, mapsDir, unloadInstance } from "../../ebpf/load.ts";
import { closeTables, type KernelTables } from "../../ebpf/maps.ts";
import { RingReader } from "../../ebpf/ringbuf.ts";
import type { TableStore } from "../../tables/map.ts";
import { TABLE_NAMES, TABLES, type TableDef, type TableName } from "../../tables/schema.ts";
import type { TableStores } from "../../tables/tables.ts";
import type { HostDataPath } from "./data-path.ts";
import type { HookSink } from "./hook-record.ts";

export class EbpfPath implements HostDataPath {
  readonly stores: TableStores;
  private readonly name: string;
  private readonly netns: string;
  private instance: Instance | undefined;
  private maps: KernelTables | undefined;
  private events: RingReader | undefined;
  private sink: HookSink | undefined;
  /** Programs that record. */
  private objects: Objects | undefined;
  private trace: HookTrace | undefined;
  private readonly attached = new Map<string, Attachment>();
  /** Names of all interfaces that ever had programs, by their number. */
  private readonly names = new Map<number, string>();

  /** `name`: of the instance; `netns`: path of the host's network namespace. */
  constructor(name: string, netns: string) {
    this.name = name;
    this.netns = netns;
    const stores = {} as Record<TableName, TableStore>;
    for (const table of TABLE_NAMES) stores[table] = new LazyStore(TABLES[table], () => this.open()[table]);
    this.stores = stores;
  }

  get loaded(): boolean {
    return this.maps !== undefined;
  }

  attach(nic: string): void {
    this.open();
    const at = attach(this.instance as Instance, { netns: this.netns, nic });
    this.attached.set(nic, at);
    this.names.set(at.ifindex, nic);
  }

  nicOf = (ifindex: number): string | undefined => this.names.get(ifindex);

  readEvents(each: (record: Uint8Array) => void): void {
    this.events?.read(each);
  }

  get nics(): string[] {
    return [...this.attached.keys()];
  }

  detach(nic: string): void {
    const at = this.attached.get(nic);
    if (at !== undefined) detach(at, () => this.noteForgotten(at.ifindex));
    this.attached.delete(nic);
  }

  /** With an interface's programs its rows go: what they were is known to a record only. */
  private noteForgotten(ifindex: number): void {
    for (const table of ["CONFIG", "STATS"] as const) {
      const key = TABLES[table].key.encode({ value: ifindex });
      const value = this.sink && this.stores[table].lookup(key);
      this.sink?.wrote({ table, op: "delete", key, met: value ? [[key, value]] : [], failed: false });
    }
  }

  record(sink: HookSink, source?: string): void {
    this.sink = sink;
    this.objects = buildRecorded({ source });
  }

  readHooks(): void {
    this.trace?.read((run) => this.sink?.hook({ nic: this.nicOf(run.before.ifindex) ?? "", ...run }));
  }

  close(): void {
    this.events?.close();
    this.trace?.close();
    this.events = this.trace = undefined;
    if (this.maps !== undefined) closeTables(this.maps);
    if (this.instance !== undefined) unloadInstance(this.instance);
    this.maps = undefined;
    this.instance = undefined;
  }

  private open(): KernelTables {
    if (this.maps === undefined) {
      const recorded = this.objects !== undefined;
      this.instance = loadInstance(this.name, { objects: this.objects, recorded });
      if (recorded) this.trace = new HookTrace(mapsDir(this.instance));
      const fd = objGet(join(mapsDir(this.instance), EVENTS_NAME));
      this.events = new RingReader(fd);
      closeSync(fd);
      this.maps = instanceTables(this.instance);
    }
    return this.maps;
  }
}

class LazyStore implements TableStore {
  readonly def: TableDef;
  private readonly open: () => TableStore;

  constructor(def: TableDef, open: () => TableStore) {
    this.def = def;
    this.open = open;
  }

  lookup(key: Uint8Array): Uint8Array | undefined {
    return this.open().lookup(key);
  }
  update(key: Uint8Array, value: Uint8Array, flags?: number): void {
    this.open().update(key, value, flags);
  }
  delete(key: Uint8Array): boolean {
    return this.open().delete(key);
  }
  entries(): [Uint8Array, Uint8Array][] {
    return this.open().entries();
  }
  clear(): void {
    this.open().clear();
  }
}
