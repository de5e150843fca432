/** Running tools and reading settings inside a host's namespace. */
import { readFileSync, writeFileSync } from "node:fs";
import { run, tryRun } from "../../ebpf/exec.ts";
import type { Namespace } from "./sys.ts";

/** Runs a tool inside a namespace; it must succeed. Throws LabError `code` with what it printed. */
export const runInside = (ns: Namespace, code: string, program: string, args: readonly string[], input?: string) =>
  ns.enter(() => run(code, ...ns.command(program, args), input));

/** Runs a tool inside a namespace. */
export const tryInside = (ns: Namespace, program: string, args: readonly string[]) =>
  ns.enter(() => tryRun(...ns.command(program, args)));

export const ipBatch = (ns: Namespace, lines: readonly string[]): string =>
  runInside(ns, "ERR_IP", "ip", ["-batch", "-"], lines.map((l) => `${l}\n`).join(""));

/** Reads or writes a setting of the namespace that the thread is in. */
export const readSysctl = (name: string): string => readFileSync(sysctlPath(name), "utf8").trim();
export const writeSysctl = (name: string, value: string): void => writeFileSync(sysctlPath(name), value);
const sysctlPath = (name: string): string => `/proc/sys/${name.replaceAll(".", "/")}`;

/** Of a setting that not every kernel has. */
export function trySysctl(name: string, value: string): void {
  try {
    writeSysctl(name, value);
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== "ENOENT") throw err;
  }
}
