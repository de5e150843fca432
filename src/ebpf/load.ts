/**
 * Loading: the tables' maps are created in the sizes asked for and pinned, then bpftool loads both programs onto them. An
 * *instance* is a directory of its own on bpffs; nothing of guelab lies outside such directories.
 *
 *   /sys/fs/bpf/guelab-NAME/ingress, egress   the programs
 *   /sys/fs/bpf/guelab-NAME/maps/TABLE        the maps, EVENTS among them
 *   /sys/fs/bpf/guelab-NAME/at/INODE-IFINDEX  a symbolic link whose text says where the programs are attached
 */
import { closeSync, existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "../errors.ts";
import { TABLE_NAMES, TABLES, type TableName } from "../tables/schema.ts";
import { MAP_TYPES, mapCreate, objGet, objPin } from "./bpf.ts";
import { buildPrograms, HOOK_NAMES, type HookName, type Objects } from "./build.ts";
import { EVENTS_NAME, EVENTS_SIZE } from "./event.ts";
import { run } from "./exec.ts";
import { RECORDS_LOST_NAME, RECORDS_NAME, RECORDS_SIZE } from "./hook-event.ts";
import { createTableMap, type KernelTables, openTables } from "./maps.ts";

export const BPFFS = "/sys/fs/bpf";
const BPF_FS_MAGIC = 0xcafe4a11;
const PREFIX = "guelab-";

/** A loaded pair of programs with its tables. */
export interface Instance {
  readonly name: string;
  /** Pin directory. */
  readonly dir: string;
}

export type MapSizes = Partial<Record<TableName, number>>;

export const instanceOf = (name: string): Instance => ({ name, dir: join(BPFFS, `${PREFIX}${name}`) });
export const mapsDir = (instance: Instance): string => join(instance.dir, "maps");
export const progPath = (instance: Instance, hook: HookName): string => join(instance.dir, hook);
export const attachDir = (instance: Instance): string => join(instance.dir, "at");

/** Every instance of guelab on this machine, loaded whole or in part. */
export function listInstances(): Instance[] {
  if (!isBpffs()) return [];
  return readdirSync(BPFFS)
    .filter((f) => f.startsWith(PREFIX))
    .sort()
    .map((f) => instanceOf(f.slice(PREFIX.length)));
}

function isBpffs(): boolean {
  try {
    return statfsSync(BPFFS).type === BPF_FS_MAGIC;
  } catch {
    return false;
  }
}

/** Mounts bpffs at its usual place where it is not. */
export function ensureBpffs(): void {
  if (isBpffs()) return;
  if (process.getuid?.() !== 0)
    throw new LabError("ERR_NO_BPF", "loading eBPF programs needs root", { hint: "Run it with sudo." });
  run("ERR_BPFFS", "mount", ["-t", "bpf", "bpf", BPFFS]);
}

export interface LoadOptions {
  objects?: Objects;
  /** Maximum entries, where they differ from the schema's. */
  sizes?: MapSizes;
  /** `objects` are those of buildRecorded, which need maps of their own. */
  recorded?: boolean;
}

/** True when both programs and all maps are pinned. */
export function isLoaded(instance: Instance): boolean {
  const pins = [...HOOK_NAMES.map((h) => progPath(instance, h)), ...mapNames().map((m) => join(mapsDir(instance), m))];
  return pins.every((p) => existsSync(p));
}

const mapNames = (): string[] => [...TABLE_NAMES, EVENTS_NAME];

/**
 * Loads an instance; one that is loaded already stays as it is. What a killed run left half-loaded is removed first. Throws
 * LabError ERR_INSTANCE_NAME, ERR_BPF_LOAD and what building throws.
 */
export function loadInstance(name: string, options: LoadOptions = {}): Instance {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(name))
    throw new LabError("ERR_INSTANCE_NAME", `'${name}' cannot name an instance`, {
      hint: "Use letters, digits, - and _.",
    });
  const objects = options.objects ?? buildPrograms();
  ensureBpffs();
  const instance = instanceOf(name);
  if (isLoaded(instance)) return instance;
  unloadInstance(instance);
  try {
    mkdirSync(mapsDir(instance), { recursive: true });
    mkdirSync(attachDir(instance));
    const sizes = options.sizes ?? {};
    for (const table of TABLE_NAMES) pinNew(instance, table, createTableMap(TABLES[table], sizes[table]));
    pinNew(instance, EVENTS_NAME, mapCreate(MAP_TYPES.BPF_MAP_TYPE_RINGBUF, EVENTS_NAME, 0, 0, EVENTS_SIZE));
    const names = mapNames();
    if (options.recorded) {
      names.push(RECORDS_NAME, RECORDS_LOST_NAME);
      pinNew(instance, RECORDS_NAME, mapCreate(MAP_TYPES.BPF_MAP_TYPE_RINGBUF, RECORDS_NAME, 0, 0, RECORDS_SIZE));
      pinNew(instance, RECORDS_LOST_NAME, mapCreate(MAP_TYPES.BPF_MAP_TYPE_ARRAY, RECORDS_LOST_NAME, 4, 8, 1));
    }
    const maps = names.flatMap((m) => ["map", "name", m, "pinned", join(mapsDir(instance), m)]);
    for (const hook of HOOK_NAMES)
      run("ERR_BPF_LOAD", "bpftool", ["prog", "load", objects[hook], progPath(instance, hook), "type", "tc", ...maps]);
  } catch (err) {
    unloadInstance(instance);
    throw err;
  }
  return instance;
}

function pinNew(instance: Instance, name: string, fd: number): void {
  try {
    objPin(fd, join(mapsDir(instance), name));
  } finally {
    closeSync(fd);
  }
}

/** Removes an instance's pins; programs and maps go when nothing is attached any more. */
export function unloadInstance(instance: Instance): void {
  removePins(instance.dir);
}

function removePins(dir: string): void {
  // Again where someone pins at the same time: a tool of a killed run, in its last moments.
  while (existsSync(dir)) {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      const path = join(dir, entry.name);
      if (entry.isDirectory()) removePins(path);
      else rmSync(path, { force: true });
    }
    try {
      rmdirSync(dir);
    } catch (err) {
      if (!["ENOTEMPTY", "ENOENT"].includes((err as NodeJS.ErrnoException).code ?? "")) throw err;
    }
  }
}

/** The tables of a loaded instance. */
export const instanceTables = (instance: Instance): KernelTables => openTables(mapsDir(instance));

/** File descriptor of a loaded program. Throws LabError ERR_PIN. */
export function openProgram(instance: Instance, hook: HookName): number {
  if (!existsSync(progPath(instance, hook)))
    throw new LabError("ERR_PIN", `instance '${instance.name}' has no ${hook} program`, {
      hint: `Load it: guelab bpf load --instance ${instance.name}`,
    });
  return objGet(progPath(instance, hook));
}

/** Throws LabError when the kernel cannot run eBPF for us: no root, no bpf(2). */
export function requireBpf(): void {
  const fd = mapCreate(MAP_TYPES.BPF_MAP_TYPE_ARRAY, "guelab_probe", 4, 4, 1);
  closeSync(fd);
}
