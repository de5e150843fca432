/** Runs the standard tools (clang, bpftool, tc, ip): never through a shell, with errors that say what is missing. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "../errors.ts";

/** What provides a program, for the hint of its absence. */
const PACKAGES: Readonly<Record<string, [code: string, packages: string]>> = {
  clang: ["ERR_NO_CLANG", "clang llvm libbpf-dev"],
  bpftool: ["ERR_NO_BPFTOOL", "bpftool"],
  tc: ["ERR_NO_TC", "iproute2"],
  ip: ["ERR_NO_IP", "iproute2"],
  iptables: ["ERR_NO_PROGRAM", "iptables"],
  "iptables-restore": ["ERR_NO_PROGRAM", "iptables"],
  mount: ["ERR_NO_MOUNT", "mount"],
  nsenter: ["ERR_NO_NSENTER", "util-linux"],
};

export interface RunResult {
  status: number;
  stdout: string;
  stderr: string;
}

/** Programs that leave something in the kernel. A guelab that is killed takes them along, so that they add nothing later. */
const LEAVES_TRACES = new Set(["bpftool", "tc", "ip", "iptables", "iptables-restore", "nsenter"]);

/** Runs a program to its end. Throws LabError only when it is not installed. */
export function tryRun(program: string, args: readonly string[], input?: string): RunResult {
  const path = `${process.env.PATH ?? ""}:/usr/sbin:/sbin`;
  const env = { ...process.env, PATH: path, LC_ALL: "C" };
  const tied = LEAVES_TRACES.has(program) && [program, "setpriv"].every((p) => isOn(path, p));
  const [command, all] = tied ? ["setpriv", ["--pdeathsig", "KILL", program, ...args]] : [program, args];
  const r = spawnSync(command, all, { encoding: "utf8", env, input, maxBuffer: 64 << 20 });
  if (r.error) {
    const [code, packages] = PACKAGES[program] ?? ["ERR_NO_PROGRAM", program];
    throw new LabError(code, `${program} is not installed or cannot be run: ${r.error.message}`, {
      hint: `On Debian and Ubuntu: apt-get install ${packages}`,
      cause: r.error,
    });
  }
  return { status: r.status ?? 128, stdout: r.stdout, stderr: r.stderr };
}

const isOn = (path: string, program: string): boolean => path.split(":").some((dir) => existsSync(join(dir, program)));

/** Runs a program that must succeed; gives its standard output. Throws LabError `code` with what it printed. */
export function run(code: string, program: string, args: readonly string[], input?: string): string {
  const r = tryRun(program, args, input);
  if (r.status === 0) return r.stdout;
  const said = (r.stderr.trim() || r.stdout.trim()).split("\n").slice(-12).join("\n  ");
  throw new LabError(code, `${program} ${args.join(" ")} failed (exit code ${r.status}): ${said}`, {
    hint: /not permitted|permission denied/i.test(said) ? "eBPF needs root: run it with sudo." : undefined,
  });
}
