/** Runs the standard tools (clang, bpftool, tc, ip): never through a shell, with errors that say what is missing. */
import { spawnSync } from "node:child_process";
import { LabError } from "../errors.ts";

/** What provides a program, for the hint of its absence. */
const PACKAGES: Readonly<Record<string, [code: string, packages: string]>> = {
  clang: ["ERR_NO_CLANG", "clang llvm libbpf-dev"],
  bpftool: ["ERR_NO_BPFTOOL", "bpftool"],
  tc: ["ERR_NO_TC", "iproute2"],
  ip: ["ERR_NO_IP", "iproute2"],
  mount: ["ERR_NO_MOUNT", "mount"],
  nsenter: ["ERR_NO_NSENTER", "util-linux"],
};

export interface RunResult {
  status: number;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end. Throws LabError only when it is not installed. */
export function tryRun(program: string, args: readonly string[], input?: string): RunResult {
  const env = { ...process.env, PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin`, LC_ALL: "C" };
  const r = spawnSync(program, args, { encoding: "utf8", env, input, maxBuffer: 64 << 20 });
  if (r.error) {
    const [code, packages] = PACKAGES[program] ?? ["ERR_NO_PROGRAM", program];
    throw new LabError(code, `${program} is not installed or cannot be run: ${r.error.message}`, {
      hint: `On Debian and Ubuntu: apt-get install ${packages}`,
      cause: r.error,
    });
  }
  return { status: r.status ?? 128, stdout: r.stdout, stderr: r.stderr };
}

/** Runs a program that must succeed; gives its standard output. Throws LabError `code` with what it printed. */
export function run(code: string, program: string, args: readonly string[], input?: string): string {
  const r = tryRun(program, args, input);
  if (r.status === 0) return r.stdout;
  const said = (r.stderr.trim() || r.stdout.trim()).split("\n").slice(-12).join("\n  ");
  throw new LabError(code, `${program} ${args.join(" ")} failed (exit code ${r.status}): ${said}`, {
    hint: /not permitted|permission denied/i.test(said) ? "eBPF needs root: run it with sudo." : undefined,
  });
}
