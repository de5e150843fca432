/** Loaded instances as the kernel has them: what is pinned, the programs and how often they ran, the maps' sizes. */
import { closeSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "../errors.ts";
import { TABLE_NAMES, TABLES, type TableName } from "../tables/schema.ts";
import { BpfError, ENOENT, mapInfo, objGet } from "./bpf.ts";
import { HOOK_NAMES, type HookName } from "./build.ts";
import { tryRun } from "./exec.ts";
import { type Instance, isLoaded, type MapSizes, mapsDir, progPath, requireBpf } from "./load.ts";

/** Throws LabError where eBPF cannot be used: no root, no bpf(2). */
export function requireRoot(): void {
  if (process.geteuid?.() !== 0)
    throw new LabError("ERR_NO_BPF", "loading and watching eBPF programs needs root", { hint: "Run it with sudo." });
  requireBpf();
}

export interface ProgramState {
  readonly id: number;
  readonly tag: string;
  /** How often it ran and for how long, while the kernel counts that; undefined = it never counted. */
  readonly runs?: number;
  readonly runNs?: number;
}

export interface InstanceState {
  readonly instance: Instance;
  /** False when a killed run left it half-loaded. */
  readonly whole: boolean;
  readonly programs: Readonly<Partial<Record<HookName, ProgramState>>>;
  /** Maximum entries of the maps that are pinned. */
  readonly sizes: MapSizes;
}

export function inspectInstance(instance: Instance): InstanceState {
  const programs: Partial<Record<HookName, ProgramState>> = {};
  for (const hook of HOOK_NAMES) {
    const state = existsSync(progPath(instance, hook)) ? inspectProgram(progPath(instance, hook)) : undefined;
    if (state) programs[hook] = state;
  }
  return { instance, whole: isLoaded(instance), programs, sizes: mapSizes(instance) };
}

function inspectProgram(pinned: string): ProgramState | undefined {
  const r = tryRun("bpftool", ["-j", "prog", "show", "pinned", pinned]);
  if (r.status !== 0) return undefined;
  const p: { id: number; tag: string; run_cnt?: number; run_time_ns?: number } = JSON.parse(r.stdout);
  return { id: p.id, tag: p.tag, runs: p.run_cnt, runNs: p.run_time_ns };
}

/** True when the kernel counts the runs of programs: sysctl kernel.bpf_stats_enabled. */
export function statsEnabled(): boolean {
  try {
    return readFileSync("/proc/sys/kernel/bpf_stats_enabled", "utf8").trim() === "1";
  } catch {
    return false;
  }
}

function mapSizes(instance: Instance): MapSizes {
  const sizes: MapSizes = {};
  for (const table of TABLE_NAMES) {
    let fd: number;
    try {
      fd = objGet(join(mapsDir(instance), table));
    } catch (err) {
      if (err instanceof BpfError && err.errno === ENOENT) continue;
      throw err;
    }
    sizes[table] = mapInfo(fd).maxEntries;
    closeSync(fd);
  }
  return sizes;
}

/** Throws LabError ERR_SIZES when an instance was loaded before with other sizes than those asked for now. */
export function requireSizes(instance: Instance, wanted: MapSizes): void {
  const sizes = mapSizes(instance);
  for (const [table, entries] of Object.entries(wanted)) {
    const has = sizes[table as TableName];
    if (has !== entries)
      throw new LabError(
        "ERR_SIZES",
        `instance '${instance.name}' is loaded with room for ${has} entries in ${table}`,
        {
          hint: `Remove it first: guelab bpf detach --all --instance ${instance.name}`,
        },
      );
  }
}

/** `SESSION=1048576,CONFIG=16`. Throws LabError ERR_SIZES. */
export function parseSizes(text: string): MapSizes {
  const sizes: MapSizes = {};
  for (const part of text.split(",")) {
    const m = /^([A-Za-z]+)=(\d{1,8})$/.exec(part.trim());
    const table = m?.[1].toUpperCase() as TableName;
    if (!m || Number(m[2]) === 0 || !Object.hasOwn(TABLES, table))
      throw new LabError("ERR_SIZES", `'${part}' is not TABLE=ENTRIES`, {
        hint: `Such as SESSION=1048576; the tables are ${RESIZABLE.join(", ")}.`,
      });
    if (!RESIZABLE.includes(table))
      throw new LabError("ERR_SIZES", `the size of ${table} is fixed`, {
        hint: `These can be chosen: ${RESIZABLE.join(", ")}.`,
      });
    sizes[table] = Number(m[2]);
  }
  return sizes;
}

const RESIZABLE = TABLE_NAMES.filter((name) => TABLES[name].kind !== "array");
