/**
 * Whose lab it is: names of its namespaces and pins, and the claim on a prefix. What a lab left behind is found from the
 * names alone, so that a killed run is cleaned up by the next one.
 *
 *   /run/netns/guelab-PREFIX-HOST, guelab-PREFIX-netN    hosts, and networks with their gateways
 *   /sys/fs/bpf/guelab-lab-PREFIX-HOST                   programs and tables
 *   /run/guelab/PREFIX                                   pid and start time of the process that has the lab
 *
 * A prefix holds no hyphen: so no prefix is the beginning of another lab's names.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../ebpf/exec.ts";
import { listInstances, unloadInstance } from "../../ebpf/load.ts";
import { LabError } from "../../errors.ts";

const NETNS_DIR = "/run/netns";
const CLAIM_DIR = "/run/guelab";

/** `basic`; characters that a prefix cannot have become underscores. */
export const prefixOf = (name: string): string => name.replace(/[^A-Za-z0-9_]/g, "_").slice(0, 32) || "lab";

export const namespaceName = (prefix: string, host: string): string => `guelab-${prefix}-${host}`;
export const namespacePath = (name: string): string => join(NETNS_DIR, name);
export const instanceName = (prefix: string, host: string): string => `lab-${prefix}-${host}`;

/** Namespaces that carry the prefix. */
export function labNamespaces(prefix: string): string[] {
  try {
    return readdirSync(NETNS_DIR).filter((f) => f.startsWith(namespaceName(prefix, "")));
  } catch {
    return [];
  }
}

/**
 * Claims a prefix for this process; what a lab of a process that has ended left behind is removed. Throws LabError ERR_LAB_UP,
 * ERR_NAME_TAKEN, ERR_PREFIX.
 */
export function claim(prefix: string): void {
  if (!/^[A-Za-z0-9_]{1,32}$/.test(prefix))
    throw new LabError("ERR_PREFIX", `'${prefix}' cannot be a prefix of names`, {
      hint: "Use up to 32 letters, digits and underscores.",
    });
  const path = join(CLAIM_DIR, prefix);
  mkdirSync(CLAIM_DIR, { recursive: true });
  const owner = readClaim(path);
  if (owner !== undefined) {
    if (isAlive(owner))
      throw new LabError("ERR_LAB_UP", `a lab '${prefix}' is up already, process ${owner.split(" ")[0]} has it`, {
        hint: "Wait for its end, or give this one another name with --prefix.",
      });
    removeLab(prefix);
  }
  const taken = labNamespaces(prefix);
  if (taken.length > 0)
    throw new LabError("ERR_NAME_TAKEN", `the namespace ${taken[0]} exists, and is of no lab that is known here`, {
      hint: `Give another name with --prefix, or remove it: ip netns del ${taken[0]}`,
    });
  try {
    writeFileSync(path, identity(process.pid), { flag: "wx" });
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== "EEXIST") throw err;
    throw new LabError("ERR_LAB_UP", `a lab '${prefix}' is coming up just now`, {
      hint: "Wait for its end, or give this one another name with --prefix.",
      cause: err,
    });
  }
}

/** Removes every namespace (with its links) and every pin of a lab, and the claim. */
export function removeLab(prefix: string): void {
  for (const instance of listInstances())
    if (instance.name.startsWith(instanceName(prefix, ""))) unloadInstance(instance);
  const names = labNamespaces(prefix);
  if (names.length > 0) run("ERR_IP", "ip", ["-force", "-batch", "-"], names.map((n) => `netns del ${n}\n`).join(""));
  rmSync(join(CLAIM_DIR, prefix), { force: true });
}

function readClaim(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** A process by number and start time: numbers are used again. */
function identity(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name in parentheses may hold anything; the start time is the 20th field behind it.
  return `${pid} ${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]}`;
}

function isAlive(owner: string): boolean {
  try {
    return identity(Number(owner.split(" ")[0])) === owner;
  } catch {
    return false;
  }
}
