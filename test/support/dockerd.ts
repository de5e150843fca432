/**
 * A docker daemon of the tests' own: in a network namespace of its own, with its data, state and socket below one temporary
 * folder. It is ended by its own number, and everything of it is removed.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** How long it may take to come up; on a busy machine it takes seconds. */
const PATIENCE_MS = 60_000;

export interface Dockerd {
  /** For DOCKER_HOST. */
  readonly host: string;
  readonly pid: number;
  /** Path of its network namespace. */
  readonly netns: string;
  close(): Promise<void>;
}

/** Starts it and waits until it answers. Throws with the end of its log. */
export async function startDockerd(): Promise<Dockerd> {
  const dir = mkdtempSync(join(tmpdir(), "guelab-dockerd-"));
  const host = `unix://${join(dir, "docker.sock")}`;
  const log = openSync(join(dir, "log"), "w");
  const args = ["--host", host, "--data-root", join(dir, "data"), "--exec-root", join(dir, "exec")];
  args.push("--pidfile", join(dir, "pid"), "--bridge", "none", "--userland-proxy=false");
  const child = spawn("unshare", ["--net", "dockerd", ...args], { stdio: ["ignore", log, log], env: daemonEnv() });
  closeSync(log);
  const ended = new Promise<void>((resolve) => {
    child.on("error", () => resolve());
    child.on("close", () => resolve());
  });
  try {
    await until(() => answers(host), child, dir);
  } catch (err) {
    await end(child, ended, dir);
    throw err;
  }
  const netns = `/proc/${child.pid}/ns/net`;
  // The namespace is the tests' own: bridges forward past iptables, as on a machine without br_netfilter.
  const inside = spawnSync("nsenter", [`--net=${netns}`, "sh", "-c", SETTINGS], { encoding: "utf8" });
  if (inside.status !== 0) {
    await end(child, ended, dir);
    throw new Error(inside.stderr);
  }
  return { host, pid: child.pid as number, netns, close: () => end(child, ended, dir) };
}

const SETTINGS = `ip link set lo up
f=/proc/sys/net/bridge/bridge-nf-call-iptables
[ ! -e $f ] || echo 0 > $f`;

const daemonEnv = (): NodeJS.ProcessEnv => ({ ...process.env, PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin` });

const answers = (host: string): boolean =>
  existsSync(host.slice("unix://".length)) && spawnSync("docker", ["--host", host, "version"]).status === 0;

async function until(check: () => boolean, child: ChildProcess, dir: string): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!check()) {
    if (child.pid === undefined || child.exitCode !== null || performance.now() > end)
      throw new Error(`dockerd does not come up:\n${tail(join(dir, "log"))}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const tail = (path: string): string => readFileSync(path, "utf8").trim().split("\n").slice(-8).join("\n");

/** It ends its containerd; what it mounted for containers is gone with them. */
async function end(child: ChildProcess, ended: Promise<void>, dir: string): Promise<void> {
  child.kill("SIGTERM");
  await ended;
  rmSync(dir, { recursive: true, force: true });
}
