/** Programs that some tests compare against: found on the PATH, or the test is skipped with a reason. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "vitest";
import { requirement } from "./require.ts";

/** Is the program on the PATH? */
export function hasTool(name: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${name}`]).status === 0;
}

/** `it`, skipped with the reason in its title where a program is missing (a failure when GUELAB_REQUIRE names it). */
export function itWith(tool: string, title: string, fn: () => void | Promise<void>): void {
  const lacks = requirement(tool, () => (hasTool(tool) ? undefined : `${tool} is not installed`));
  if (lacks === undefined) it(title, fn);
  else it.skip(`${title} (skipped: ${lacks})`, fn);
}

/** Writes bytes to a temporary file, hands over its path and removes it again. */
export function withFile<T>(name: string, bytes: Uint8Array, fn: (path: string) => T): T {
  const dir = mkdtempSync(join(tmpdir(), "guelab-test-"));
  try {
    const path = join(dir, name);
    writeFileSync(path, bytes);
    return fn(path);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** Runs a program; gives its stdout and stderr. Fails on an exit code other than 0. */
export function runTool(tool: string, args: string[]): { out: string; err: string } {
  const r = spawnSync(tool, args, {
    encoding: "utf8",
    env: { ...process.env, TZ: "UTC", LC_ALL: "C" },
    maxBuffer: 64 << 20,
  });
  if (r.status !== 0)
    throw new Error(`${tool} ${args.join(" ")}: ${r.error?.message ?? `exit code ${r.status}`}\n${r.stderr ?? ""}`);
  return { out: r.stdout, err: r.stderr };
}

/** tshark with every checksum validated; its complaint about running as root is not one about the file. */
export function tshark(path: string, args: string[] = []): { out: string; err: string } {
  const checks = ["ip", "tcp", "udp"].flatMap((p) => ["-o", `${p}.check_checksum:TRUE`]);
  const r = runTool("tshark", ["-r", path, "-n", ...checks, ...args]);
  return { out: r.out, err: r.err.replace(/^Running as user .*\n/m, "") };
}
