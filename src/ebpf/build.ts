/** Compiles bpf/*.bpf.c with clang, as bpf/Makefile does. Objects are kept in a cache by the hash of their sources. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { LabError } from "../errors.ts";
import { tryRun } from "./exec.ts";

/** The programs: file stem, and name of the function that is attached. */
export const PROGRAMS = { ingress: "guelab_ingress", egress: "guelab_egress" } as const;
export type HookName = keyof typeof PROGRAMS;
export const HOOK_NAMES = Object.keys(PROGRAMS) as HookName[];

export type Objects = Readonly<Record<HookName, string>>;

/** bpf/ of this package; src/ebpf, dist/ebpf and dist/bin lie equally deep. */
export const BPF_DIR = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "bpf");

const ARCH: Readonly<Record<string, string>> = { x64: "x86_64", arm64: "aarch64", riscv64: "riscv64" };

export interface BuildOptions {
  /** Where the sources are; default: those of this package. */
  source?: string;
  /** Where the objects go; default: a cache directory of their own. */
  out?: string;
}

/** Compiles both programs if need be; gives the objects' paths. Throws LabError ERR_NO_CLANG, ERR_NO_BPF_HEADERS, ERR_BPF_BUILD. */
export function buildPrograms(options: BuildOptions = {}): Objects {
  const source = options.source ?? BPF_DIR;
  const out = options.out ?? join(cacheDir(), `bpf-${sourceHash(source)}`);
  const objects = { ingress: join(out, "ingress.bpf.o"), egress: join(out, "egress.bpf.o") };
  const cached = options.out === undefined && HOOK_NAMES.every((hook) => existsSync(objects[hook]));
  if (cached) return objects;
  mkdirSync(out, { recursive: true });
  for (const hook of HOOK_NAMES) compile(join(source, `${hook}.bpf.c`), objects[hook]);
  return objects;
}

/**
 * Compiles both programs as bpf/record.bpf.c has them, which records what they do. Otherwise as buildPrograms.
 */
export function buildRecorded(options: BuildOptions = {}): Objects {
  const source = options.source ?? BPF_DIR;
  const out = options.out ?? join(cacheDir(), `bpf-${sourceHash(source)}`);
  const objects = { ingress: join(out, "record-ingress.bpf.o"), egress: join(out, "record-egress.bpf.o") };
  if (options.out === undefined && HOOK_NAMES.every((hook) => existsSync(objects[hook]))) return objects;
  mkdirSync(out, { recursive: true });
  const file = join(source, "record.bpf.c");
  compile(file, objects.ingress);
  compile(file, objects.egress, ["-DRECORD_EGRESS"]);
  return objects;
}

function cacheDir(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "guelab");
}

function sourceHash(source: string): string {
  const hash = createHash("sha256");
  const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((f) => /\.[ch]$/.test(f));
  for (const file of files.sort()) hash.update(`${file}\0`).update(readFileSync(join(source, file)));
  return hash.digest("hex").slice(0, 16);
}

function compile(source: string, object: string, defines: readonly string[] = []): void {
  const include = `/usr/include/${ARCH[process.arch] ?? process.arch}-linux-gnu`;
  const flags = ["-O2", "-g", "-Wall", "-Wextra", "-Werror", "-target", "bpf", `-I${include}`, ...defines];
  // Renamed into place: another process never sees half an object.
  const partial = `${object}.${process.pid}`;
  const r = tryRun("clang", [...flags, "-c", source, "-o", partial]);
  if (r.status !== 0) {
    const missing = /'((?:bpf|linux|asm)\/[^']+)' file not found/.exec(r.stderr);
    if (missing)
      throw new LabError("ERR_NO_BPF_HEADERS", `clang does not find the header ${missing[1]}`, {
        hint: "On Debian and Ubuntu: apt-get install libbpf-dev linux-libc-dev",
      });
    throw new LabError("ERR_BPF_BUILD", `clang refused ${source}:\n  ${r.stderr.trim().split("\n").join("\n  ")}`);
  }
  renameSync(partial, object);
}
