/** Kernel maps behind the interface that control plane and tools use of tables; per-CPU values are summed. */
import { closeSync, readFileSync } from "node:fs";
import { LabError } from "../errors.ts";
import { rdLe32, wrLe32 } from "../tables/layout.ts";
import { BPF_ANY, type MapErrno, MapError, type TableStore } from "../tables/map.ts";
import { TABLE_NAMES, TABLES, type TableDef, type TableName } from "../tables/schema.ts";
import type { TableStores } from "../tables/tables.ts";
import {
  BpfError,
  batchCount,
  E2BIG,
  EEXIST,
  EINVAL,
  ENOENT,
  MAP_TYPES,
  mapCreate,
  mapDelete,
  mapInfo,
  mapLookup,
  mapNextKey,
  mapReadBatch,
  mapUpdate,
  noBatch,
  objGet,
} from "./bpf.ts";
import { mapTypeName } from "./cheader.ts";
import { type Memory, memory } from "./libc.ts";

let cpus: number | undefined;

/** Number of possible CPUs: the values that a per-CPU element has. */
function possibleCpus(): number {
  cpus ??= readFileSync("/sys/devices/system/cpu/possible", "utf8")
    .trim()
    .split(",")
    .reduce((max, range) => Math.max(max, Number(range.split("-").at(-1)) + 1), 1);
  return cpus;
}

const MAP_ERRNOS: Readonly<Record<number, MapErrno>> = {
  [ENOENT]: "ENOENT",
  [E2BIG]: "E2BIG",
  [EEXIST]: "EEXIST",
  [EINVAL]: "EINVAL",
};

/** Elements that one batch call reads. */
const BATCH = 1024;

/** One of the schema's tables in the kernel. */
export class KernelMap implements TableStore {
  readonly def: TableDef;
  readonly fd: number;
  readonly maxEntries: number;
  /** Bytes of a value as bpf(2) sees it: all CPUs' values, each rounded up to 8, for per-CPU maps. */
  readonly rawSize: number;
  private readonly key: Memory;
  private readonly next: Memory;
  private readonly value: Memory;
  private readonly cursor: Memory = memory(16);
  private batchKeys: Memory | undefined;
  private batchValues: Memory | undefined;

  /** Takes over an open map. Throws LabError ERR_MAP_LAYOUT when it is not of the schema's layout. */
  constructor(def: TableDef, fd: number) {
    const info = mapInfo(fd);
    if (info.type !== MAP_TYPES[mapTypeName(def)] || info.keySize !== def.key.size || info.valueSize !== def.value.size)
      throw new LabError("ERR_MAP_LAYOUT", `the pinned map ${def.name} is not of this version's type and layout`, {
        hint: "Detach and load the programs again with this version of guelab.",
      });
    this.def = def;
    this.fd = fd;
    this.maxEntries = info.maxEntries;
    this.rawSize = def.perCpu ? ((def.value.size + 7) & ~7) * possibleCpus() : def.value.size;
    this.key = memory(def.key.size);
    this.next = memory(def.key.size);
    this.value = memory(this.rawSize);
  }

  lookup(key: Uint8Array): Uint8Array | undefined {
    this.putKey(key);
    const ret = mapLookup(this.fd, this.key.addr, this.value.addr);
    if (ret === -ENOENT) return undefined;
    this.check(ret);
    return this.fromRaw(this.value.bytes, 0);
  }

  update(key: Uint8Array, value: Uint8Array, flags = BPF_ANY): void {
    if (value.length !== this.def.value.size) throw new MapError(this.def.name, "EINVAL");
    this.putKey(key);
    // A per-CPU value is written as the first CPU's: the sum is what readers see.
    this.value.bytes.fill(0);
    this.value.bytes.set(value);
    this.check(mapUpdate(this.fd, this.key.addr, this.value.addr, flags));
  }

  delete(key: Uint8Array): boolean {
    this.putKey(key);
    const ret = mapDelete(this.fd, this.key.addr);
    if (ret === -ENOENT) return false;
    this.check(ret);
    return true;
  }

  entries(): [Uint8Array, Uint8Array][] {
    try {
      return this.readBatches(false);
    } catch (err) {
      if (!noBatch(err)) throw err;
      return this.walk();
    }
  }

  /** Empties a hash, zeroes an array. */
  clear(): void {
    if (this.def.kind === "array") {
      const zero = new Uint8Array(this.def.value.size);
      for (let i = 0; i < this.maxEntries; i++) this.update(this.def.key.encode({ value: i }), zero);
      return;
    }
    try {
      this.readBatches(true);
    } catch (err) {
      if (!noBatch(err)) throw err;
      for (const [key] of this.walk()) this.delete(key);
    }
  }

  close(): void {
    closeSync(this.fd);
  }

  private readBatches(drain: boolean): [Uint8Array, Uint8Array][] {
    const size = Math.min(BATCH, this.maxEntries);
    this.batchKeys ??= memory(size * this.def.key.size);
    this.batchValues ??= memory(size * this.rawSize);
    const { batchKeys: keys, batchValues: values } = this;
    const out: [Uint8Array, Uint8Array][] = [];
    for (let first = true; ; first = false) {
      const last = mapReadBatch(this.fd, this.cursor, first, keys.addr, values.addr, size, drain);
      for (let i = 0; i < batchCount(); i++)
        out.push([
          keys.bytes.slice(i * this.def.key.size, (i + 1) * this.def.key.size),
          this.fromRaw(values.bytes, i * this.rawSize),
        ]);
      if (last) return out;
    }
  }

  private walk(): [Uint8Array, Uint8Array][] {
    const out: [Uint8Array, Uint8Array][] = [];
    let from = 0;
    while (mapNextKey(this.fd, from, this.next.addr) === 0) {
      this.key.bytes.set(this.next.bytes);
      from = this.key.addr;
      if (mapLookup(this.fd, this.key.addr, this.value.addr) === 0)
        out.push([this.key.bytes.slice(), this.fromRaw(this.value.bytes, 0)]);
    }
    return out;
  }

  private putKey(key: Uint8Array): void {
    if (key.length !== this.def.key.size) throw new MapError(this.def.name, "EINVAL");
    this.key.bytes.set(key);
  }

  /** A copy of a value of the schema's size; per-CPU counters (all u64) are added up. */
  private fromRaw(raw: Uint8Array, off: number): Uint8Array {
    return this.sumInPlace(raw, off).slice(off, off + this.def.value.size);
  }

  /** Adds all CPUs' counters of the raw value at `off` to the first CPU's; gives `raw`. */
  sumInPlace(raw: Uint8Array, off: number): Uint8Array {
    if (!this.def.perCpu) return raw;
    const size = this.def.value.size;
    for (let i = off; i < off + size; i += 8) {
      let lo = rdLe32(raw, i);
      let hi = rdLe32(raw, i + 4);
      for (let at = i + size; at < off + this.rawSize; at += size) {
        lo += rdLe32(raw, at);
        hi += rdLe32(raw, at + 4);
      }
      wrLe32(raw, i, lo % 0x100000000);
      wrLe32(raw, i + 4, hi + Math.floor(lo / 0x100000000));
    }
    return raw;
  }

  private check(ret: number): void {
    if (ret >= 0) return;
    const name = MAP_ERRNOS[-ret];
    throw name ? new MapError(this.def.name, name) : new BpfError(`map ${this.def.name}`, -ret);
  }
}

/** The kernel's tables of one loaded instance. */
export type KernelTables = Readonly<Record<TableName, KernelMap>>;

/** Creates the map of a table, not pinned; gives its file descriptor. */
export function createTableMap(def: TableDef, maxEntries = def.maxEntries): number {
  return mapCreate(MAP_TYPES[mapTypeName(def)], def.name, def.key.size, def.value.size, maxEntries);
}

/** Opens the maps pinned in a directory. Throws LabError ERR_PIN when they are not there. */
export function openTables(dir: string): KernelTables {
  const out = {} as Record<TableName, KernelMap>;
  for (const name of TABLE_NAMES) {
    try {
      out[name] = new KernelMap(TABLES[name], objGet(`${dir}/${name}`));
    } catch (err) {
      if (!(err instanceof BpfError) || err.errno !== ENOENT) throw err;
      throw new LabError("ERR_PIN", `there is no map ${name} in ${dir}`, {
        hint: "Give the pin directory of a loaded instance: `guelab bpf show` lists them.",
        cause: err,
      });
    }
  }
  return out satisfies TableStores;
}

export function closeTables(tables: KernelTables): void {
  for (const map of Object.values(tables)) map.close();
}
