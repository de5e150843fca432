/**
 * Network namespaces of the machine, and the standard tools run inside them. Only the network namespace is entered (nsenter
 * --net): `ip netns exec` also remounts /sys, and pinned programs would be out of sight.
 */
import { readdirSync, readlinkSync, statfsSync, statSync } from "node:fs";
import { LabError } from "../errors.ts";
import { didYouMean } from "../suggest.ts";
import { type RunResult, run, tryRun } from "./exec.ts";

/** Where `ip netns add` puts names. */
const NAMED_DIR = "/var/run/netns";
const OWN_PATH = "/proc/self/ns/net";
const NSFS_MAGIC = 0x6e736673;

export interface NetNs {
  /** As `--netns` takes it: a name, a path, or empty for the namespace of this process. */
  readonly name: string;
  readonly path: string;
  /** The kernel's number of it; another namespace may get it once this one is gone. */
  readonly inode: number;
  /** True for the namespace of this process. */
  readonly own: boolean;
}

const ownInode = (): number => statSync(OWN_PATH).ino;

/** The namespace of this process. */
const ownNetns = (): NetNs => ({ name: "", path: OWN_PATH, inode: ownInode(), own: true });

/** A namespace by name (`ip netns add NAME`) or path (/proc/PID/ns/net); empty is this process's. Throws ERR_NETNS. */
export function openNetns(name = ""): NetNs {
  if (name === "") return ownNetns();
  const path = name.includes("/") ? name : `${NAMED_DIR}/${name}`;
  const inode = netnsInode(path);
  if (inode === undefined)
    throw new LabError("ERR_NETNS", `there is no network namespace '${name}'`, {
      hint: didYouMean(name, namedNamespaces(), "Give a name that `ip netns list` shows, or a path: /proc/PID/ns/net"),
    });
  return { name, path, inode, own: inode === ownInode() };
}

/** False once the namespace cannot be entered by its path any more: it may go at any moment. */
export const isThere = (ns: NetNs): boolean => netnsInode(ns.path) === ns.inode;

/** Undefined where there is no network namespace at the path. */
function netnsInode(path: string): number | undefined {
  try {
    return statfsSync(path).type === NSFS_MAGIC ? statSync(path).ino : undefined;
  } catch {
    return undefined;
  }
}

function namedNamespaces(): string[] {
  try {
    return readdirSync(NAMED_DIR).sort();
  } catch {
    return [];
  }
}

/**
 * Every namespace that has a name or a process in it, this process's first. One that only an open file or a mount elsewhere
 * keeps alive cannot be found.
 */
export function listNetns(): NetNs[] {
  const own = ownNetns();
  const found = new Map<number, NetNs>([[own.inode, own]]);
  const add = (name: string, path: string): void => {
    const inode = netnsInode(path);
    if (inode !== undefined && !found.has(inode)) found.set(inode, { name, path, inode, own: false });
  };
  for (const name of namedNamespaces()) add(name, `${NAMED_DIR}/${name}`);
  const seen = new Set<string>();
  for (const pid of readdirSync("/proc").filter((f) => /^\d+$/.test(f))) {
    const path = `/proc/${pid}/ns/net`;
    try {
      const link = readlinkSync(path);
      if (seen.has(link)) continue;
      seen.add(link);
    } catch {
      continue; // The process has ended, or is not ours to look at.
    }
    add(path, path);
  }
  return [...found.values()];
}

const inside = (ns: NetNs, program: string, args: readonly string[]): [string, readonly string[]] =>
  ns.own ? [program, args] : ["nsenter", [`--net=${ns.path}`, "--", program, ...args]];

/** Runs a tool inside a namespace; it must succeed. Throws LabError `code` with what it printed. */
export const runIn = (ns: NetNs, code: string, program: string, args: readonly string[]): string =>
  run(code, ...inside(ns, program, args));

/** Runs a tool inside a namespace. */
export const tryRunIn = (ns: NetNs, program: string, args: readonly string[]): RunResult =>
  tryRun(...inside(ns, program, args));

/** A network interface as `ip link` shows it. */
export interface NetLink {
  name: string;
  ifindex: number;
  mtu: number;
  mac: string;
}

/** All interfaces of a namespace. */
export function listLinks(ns: NetNs): NetLink[] {
  const out = JSON.parse(runIn(ns, "ERR_IP", "ip", ["-j", "link", "show"]) || "[]");
  return out.map((l: { ifname: string; ifindex: number; mtu: number; address?: string }) => ({
    name: l.ifname,
    ifindex: l.ifindex,
    mtu: l.mtu,
    mac: l.address ?? "",
  }));
}

/** One interface by name. Throws ERR_NIC_UNKNOWN. */
export function findLink(ns: NetNs, nic: string): NetLink {
  const links = listLinks(ns);
  const link = links.find((l) => l.name === nic);
  if (link) return link;
  const names = links.map((l) => l.name);
  throw new LabError("ERR_NIC_UNKNOWN", `there is no interface ${nic}${ns.name && ` in namespace ${ns.name}`}`, {
    hint: didYouMean(nic, names, `Its interfaces are ${names.join(", ")}.`),
  });
}
