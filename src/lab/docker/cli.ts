/**
 * The docker CLI as a child process, its arguments never through a shell. Which daemon it talks to is the environment's
 * matter: DOCKER_HOST, DOCKER_CONTEXT.
 *
 * What changes something for a lab carries a mark in its environment. A guelab that is killed leaves such children behind, and
 * a daemon finishes what it was asked for: who cleans up waits for their end first, so that nothing comes after.
 */
import { spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { LabError } from "../../errors.ts";

/** Label of everything that a lab makes; its value is the lab's prefix. */
export const LAB_LABEL = "guelab.lab";
const MARK = "GUELAB_DOCKER_LAB";
/** How long the daemon may take for one request. */
const PATIENCE_MS = 60_000;
const POLL_MS = 5;

export interface DockerResult {
  status: number;
  stdout: string;
  stderr: string;
}

const notInstalled = (cause: Error): LabError =>
  new LabError("ERR_NO_DOCKER", `docker is not installed or cannot be run: ${cause.message}`, {
    hint: "On Debian and Ubuntu: apt-get install docker.io",
    cause,
  });

/** Runs the CLI to its end. Throws LabError ERR_NO_DOCKER when it is not installed. */
export function tryDocker(args: readonly string[]): DockerResult {
  const r = spawnSync("docker", args, { encoding: "utf8", timeout: PATIENCE_MS, maxBuffer: 16 << 20 });
  if (r.error && (r.error as NodeJS.ErrnoException).code !== "ETIMEDOUT") throw notInstalled(r.error);
  const late = r.error ? `no answer of the daemon within ${PATIENCE_MS / 1000} s` : "";
  return { status: r.status ?? 128, stdout: r.stdout, stderr: r.stderr || late };
}

/** Runs the CLI, which must succeed; gives its standard output. Throws LabError ERR_NO_DOCKER, ERR_DOCKER. */
export function docker(args: readonly string[]): string {
  const r = tryDocker(args);
  if (r.status !== 0) throw refused(args, r.stderr);
  return r.stdout;
}

/** Like `docker`, for a lab and beside others. */
export function dockerFor(prefix: string, args: readonly string[]): Promise<string> {
  // In a process group of its own: Ctrl-C is for guelab, which then removes what this one makes.
  const child = spawn("docker", args, {
    detached: true,
    env: { ...process.env, [MARK]: prefix },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.on("error", (err) => reject(notInstalled(err)));
    child.on("close", (status) => (status === 0 ? resolve(stdout) : reject(refused(args, stderr))));
  });
}

/** Waits until no docker of a lab runs any more; nothing else happens meanwhile. Throws LabError ERR_DOCKER. */
export function settled(prefix: string): void {
  const end = performance.now() + PATIENCE_MS;
  const cell = new Int32Array(new SharedArrayBuffer(4));
  while (running(prefix)) {
    if (performance.now() > end)
      throw new LabError("ERR_DOCKER", `a docker command of the lab '${prefix}' does not end`, {
        hint: "See what the daemon does; the next lab of that prefix removes what is left.",
      });
    Atomics.wait(cell, 0, 0, POLL_MS);
  }
}

function running(prefix: string): boolean {
  return readdirSync("/proc").some((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      // Empty for a process that has ended.
      return `\0${readFileSync(`/proc/${pid}/environ`, "latin1")}`.includes(`\0${MARK}=${prefix}\0`);
    } catch {
      return false;
    }
  });
}

/** What docker said, without its advice to read its help. */
function refused(args: readonly string[], stderr: string): LabError {
  const said = stderr
    .split("\n")
    .filter((l) => l.trim() !== "" && !/^(See 'docker|Run 'docker|WARNING:)/.test(l))
    .join("\n  ");
  const verb = args.slice(
    0,
    args.findIndex((a, i) => i > 0 && !/^[a-z]+$/.test(a)),
  );
  const taken = /already in use|already exists/.test(said);
  const subnet = /Pool overlaps/.test(said);
  const code = taken ? "ERR_NAME_TAKEN" : subnet ? "ERR_SUBNET_TAKEN" : "ERR_DOCKER";
  return new LabError(code, `docker ${verb.join(" ")} failed: ${said}`, { hint: adviceOn(said) });
}

function adviceOn(said: string): string | undefined {
  if (/Cannot connect|permission denied.*docker|Is the docker daemon running/i.test(said))
    return "Start the daemon, or name it in DOCKER_HOST.";
  if (/operation not permitted|cgroup|capabilit|sysctl/i.test(said))
    return "The daemon's container runtime may not do this on this machine; --lab netns needs no containers.";
  return undefined;
}
