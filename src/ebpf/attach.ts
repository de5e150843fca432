/**
 * Attaching to TC hooks (tc-bpf(8), clsact), and the record of what is attached: a symbolic link in the instance's directory
 * on bpffs, written before the filter is made. It lives as long as the pins do, so a killed run can always be cleaned.
 */
import {
  closeSync,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  unlinkSync,
} from "node:fs";
import { join } from "node:path";
import { LabError } from "../errors.ts";
import { progId } from "./bpf.ts";
import { HOOK_NAMES, type HookName } from "./build.ts";
import { run, tryRun } from "./exec.ts";
import { attachDir, type Instance, listInstances, openProgram, progPath, unloadInstance } from "./load.ts";

/** Preference and handle of guelab's filter on a hook. */
const PREF = "49152";
const HANDLE = "0x1";

/** A network namespace: a path such as /run/netns/NAME or /proc/PID/ns/net; undefined = our own. */
export type NetnsPath = string | undefined;

export interface Attachment {
  /** Path of the namespace, empty for the one that `guelab` ran in. */
  netns: string;
  /** Identity of the namespace: a path may come to mean another one. */
  inode: number;
  dev: string;
  hook: HookName;
  /** guelab made the clsact qdisc, so it goes with the last filter. */
  clsact: boolean;
}

interface TcFilter {
  kind?: string;
  pref?: number;
  options?: { handle?: string; bpf_name?: string; prog?: { id?: number; name?: string } };
}

function tcArgs(netns: NetnsPath, args: readonly string[]): [program: string, args: string[]] {
  return netns === undefined || netns === "" ? ["tc", [...args]] : ["nsenter", [`--net=${netns}`, "--", "tc", ...args]];
}

function tc(netns: NetnsPath, args: readonly string[]): string {
  const [program, all] = tcArgs(netns, args);
  return run("ERR_TC", program, all);
}

function tcJson<T>(netns: NetnsPath, args: readonly string[]): T[] {
  const [program, all] = tcArgs(netns, ["-j", ...args]);
  const r = tryRun(program, all);
  // An interface that is gone has no filters.
  if (r.status !== 0 || r.stdout.trim() === "") return [];
  return JSON.parse(r.stdout) as T[];
}

/** The program on guelab's place of a hook: its id, or undefined. */
function attachedProgram(netns: NetnsPath, dev: string, hook: HookName): { id: number; name: string } | undefined {
  for (const f of tcJson<TcFilter>(netns, ["filter", "show", "dev", dev, hook])) {
    const { options } = f;
    if (f.kind === "bpf" && String(f.pref) === PREF && options?.handle === HANDLE && options.prog?.id !== undefined)
      return { id: options.prog.id, name: options.prog.name ?? options.bpf_name ?? "?" };
  }
  return undefined;
}

const hasClsact = (netns: NetnsPath, dev: string): boolean =>
  tcJson<{ kind?: string }>(netns, ["qdisc", "show", "dev", dev]).some((q) => q.kind === "clsact");

function programId(instance: Instance, hook: HookName): number {
  const fd = openProgram(instance, hook);
  try {
    return progId(fd);
  } finally {
    closeSync(fd);
  }
}

function netnsInode(netns: NetnsPath): number {
  try {
    return statSync(netns || "/proc/self/ns/net").ino;
  } catch {
    return 0;
  }
}

/**
 * Attaches both programs, or those named, to an interface; what is attached already stays. Throws LabError ERR_NO_DEVICE,
 * ERR_ATTACHED (another program is in this place) and ERR_TC.
 */
export function attach(
  instance: Instance,
  dev: string,
  netns?: NetnsPath,
  hooks: readonly HookName[] = HOOK_NAMES,
): void {
  const inode = netnsInode(netns);
  if (inode === 0)
    throw new LabError("ERR_NO_NETNS", `there is no network namespace ${netns}`, {
      hint: "Give a path such as /run/netns/NAME or /proc/PID/ns/net.",
    });
  const [program, args] = tcArgs(netns, ["qdisc", "show", "dev", dev]);
  if (tryRun(program, args).status !== 0)
    throw new LabError("ERR_NO_DEVICE", `there is no interface '${dev}'`, { hint: "List them: ip link show" });
  const own = HOOK_NAMES.map((h) => programId(instance, h));
  for (const hook of hooks) {
    const there = attachedProgram(netns, dev, hook);
    if (there && !own.includes(there.id))
      throw new LabError("ERR_ATTACHED", `another program is attached to ${dev} ${hook}: ${there.name}`, {
        hint: "Detach it first: `guelab bpf show` says whose it is.",
      });
  }
  for (const hook of hooks) {
    const clsact = !hasClsact(netns, dev) || madeClsact(instance, inode, dev);
    record(instance, { netns: netns ?? "", inode, dev, hook, clsact });
    if (!hasClsact(netns, dev)) tc(netns, ["qdisc", "add", "dev", dev, "clsact"]);
    if (attachedProgram(netns, dev, hook)?.id !== programId(instance, hook)) {
      const filter = ["dev", dev, hook, "pref", PREF, "handle", HANDLE, "bpf", "da"];
      tc(netns, ["filter", "replace", ...filter, "object-pinned", progPath(instance, hook)]);
    }
  }
}

function madeClsact(instance: Instance, inode: number, dev: string): boolean {
  return listAttachments(instance).some(({ at }) => at.inode === inode && at.dev === dev && at.clsact);
}

/** Writes an attachment down unless it is there already. */
function record(instance: Instance, at: Attachment): void {
  const all = listAttachments(instance);
  if (all.some(({ at: a }) => a.inode === at.inode && a.dev === at.dev && a.hook === at.hook)) return;
  const used = new Set(all.map(({ path }) => path));
  let n = 0;
  while (used.has(join(attachDir(instance), String(n)))) n++;
  symlinkSync(JSON.stringify(at), join(attachDir(instance), String(n)));
}

/** What an instance has attached, by its record. */
export function listAttachments(instance: Instance): { path: string; at: Attachment }[] {
  const dir = attachDir(instance);
  if (!existsSync(dir)) return [];
  return readdirSync(dir).map((name) => {
    const path = join(dir, name);
    return { path, at: JSON.parse(readlinkSync(path)) as Attachment };
  });
}

/** True when the filter is where the record says. */
export function isAttached(instance: Instance, at: Attachment): boolean {
  const netns = reach(at);
  return netns !== undefined && attachedProgram(netns, at.dev, at.hook)?.id === programId(instance, at.hook);
}

/** The path by which the recorded namespace can be entered now ("" = our own); undefined when it is gone. */
function reach(at: Attachment): string | undefined {
  if (netnsInode(undefined) === at.inode) return "";
  if (at.netns !== "" && netnsInode(at.netns) === at.inode) return at.netns;
  return at.netns === "" ? findNetns(at.inode) : undefined;
}

/** A process that is in the namespace, where it was recorded without a path. */
function findNetns(inode: number): string | undefined {
  for (const pid of readdirSync("/proc")) {
    if (!/^\d+$/.test(pid)) continue;
    const path = `/proc/${pid}/ns/net`;
    if (existsSync(path) && netnsInode(path) === inode) return path;
  }
  return undefined;
}

/** Detaches from one interface, or from all; gives what was detached. Filters of others stay. */
export function detach(instance: Instance, dev?: string, hooks: readonly HookName[] = HOOK_NAMES): Attachment[] {
  const gone: Attachment[] = [];
  for (const { path, at } of listAttachments(instance)) {
    if ((dev !== undefined && at.dev !== dev) || !hooks.includes(at.hook)) continue;
    const netns = reach(at);
    if (netns !== undefined) {
      if (existsSync(progPath(instance, at.hook)) && isAttached(instance, at))
        tc(netns, ["filter", "del", "dev", at.dev, at.hook, "pref", PREF, "handle", HANDLE, "bpf"]);
      if (at.clsact && hasClsact(netns, at.dev) && unused(netns, at.dev))
        tc(netns, ["qdisc", "del", "dev", at.dev, "clsact"]);
    }
    unlinkSync(path);
    gone.push(at);
  }
  return gone;
}

const unused = (netns: NetnsPath, dev: string): boolean =>
  HOOK_NAMES.every((hook) => tcJson(netns, ["filter", "show", "dev", dev, hook]).length === 0);

/** Detaches and unloads every instance on this machine: all that guelab made. */
export function detachAll(): { instance: Instance; attachments: Attachment[] }[] {
  return listInstances().map((instance) => {
    const attachments = detach(instance);
    unloadInstance(instance);
    return { instance, attachments };
  });
}

/** True when the process that made a test instance (`test-PID-N`) is still running. */
export function ownerAlive(instance: Instance): boolean {
  const pid = /^test-(\d+)-\d+$/.exec(instance.name)?.[1];
  if (pid === undefined) return true;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").length > 0;
  } catch {
    return false;
  }
}
