/**
 * Whose lab it is: the claim on a prefix, and the names of programs and tables, the same for namespaces and containers, so
 * that two labs of one prefix are refused whatever their hosts are.
 *
 *   /sys/fs/bpf/guelab-lab-PREFIX-HOST                   programs and tables
 *   /run/guelab/PREFIX                                   pid and start time of the process that has the lab
 *
 * A prefix holds no hyphen: so no prefix is the beginning of another lab's names.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { listInstances, unloadInstance } from "../../ebpf/load.ts";
import { LabError } from "../../errors.ts";
import { LIVE_DIR } from "../live/paths.ts";

/** `basic`; characters that a prefix cannot have become underscores. */
export const prefixOf = (name: string): string => name.replace(/[^A-Za-z0-9_]/g, "_").slice(0, 32) || "lab";

/** Of a namespace, a container or a docker network. */
export const labName = (prefix: string, name: string): string => `guelab-${prefix}-${name}`;
export const instanceName = (prefix: string, host: string): string => `lab-${prefix}-${host}`;

/** What only the kind of lab knows about a prefix. */
export interface Claimed {
  /** Removes what a lab of the prefix made, whose process has ended. */
  removeLeft(): void;
  /** Throws LabError ERR_NAME_TAKEN where something has a name that the lab will use. */
  refuseTaken(): void;
}

/**
 * Claims a prefix for this process; what a lab of a process that has ended left behind is removed. Throws LabError ERR_LAB_UP,
 * ERR_NAME_TAKEN, ERR_PREFIX.
 */
export function claimPrefix(prefix: string, kind: Claimed): void {
  if (!/^[A-Za-z0-9_]{1,32}$/.test(prefix))
    throw new LabError("ERR_PREFIX", `'${prefix}' cannot be a prefix of names`, {
      hint: "Use up to 32 letters, digits and underscores.",
    });
  const path = join(LIVE_DIR, prefix);
  mkdirSync(LIVE_DIR, { recursive: true });
  const owner = readClaim(path);
  if (owner !== undefined) {
    if (isAlive(owner))
      throw new LabError("ERR_LAB_UP", `a lab '${prefix}' is up already, process ${owner.split(" ")[0]} has it`, {
        hint: "Wait for its end, or give this one another name with --prefix.",
      });
    kind.removeLeft();
  }
  kind.refuseTaken();
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

/** Removes every pin of a lab. */
export function removePinsOf(prefix: string): void {
  for (const instance of listInstances())
    if (instance.name.startsWith(instanceName(prefix, ""))) unloadInstance(instance);
}

/** Has a lab of the prefix ever been claimed and not removed? Its process may have ended. */
export const isClaimed = (prefix: string): boolean => readClaim(join(LIVE_DIR, prefix)) !== undefined;

export const removeClaim = (prefix: string): void => rmSync(join(LIVE_DIR, prefix), { force: true });

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

/** A process that has ended stays a zombie until its parent has asked for its exit code. */
function isAlive(owner: string): boolean {
  const pid = Number(owner.split(" ")[0]);
  try {
    return identity(pid) === owner && !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
