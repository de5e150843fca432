/**
 * Attaching: both programs of an instance at a NIC's clsact qdisc, and the NIC's CONFIG. Every step may be the last one (a
 * kill), and may be made again. What is attached where is read from the kernel: tc's filters and the records on bpffs.
 */
import { closeSync } from "node:fs";
import { LabError } from "../errors.ts";
import { RX_DNAT, RX_FWD, RX_GUE, TABLES, TX_PROXY } from "../tables/schema.ts";
import { type TypedTable, typed } from "../tables/typed.ts";
import { BpfError, ENOENT, objGet, progId } from "./bpf.ts";
import { HOOK_NAMES, type HookName } from "./build.ts";
import { addClsact, clsactNics, ownFilter, putFilter, removeEmptyClsact, removeFilter } from "./filters.ts";
import {
  type Instance,
  instanceOf,
  isLoaded,
  listInstances,
  mapsDir,
  openProgram,
  progPath,
  unloadInstance,
} from "./load.ts";
import { KernelMap } from "./maps.ts";
import { findLink, isThere, listLinks, listNetns, type NetLink, type NetNs, openNetns } from "./nsenter.ts";
import { type AttachRecord, readRecords, removeRecord, writeRecord } from "./record.ts";

/** Flags of a NIC that is attached for the first time and has no others given: a node that only decapsulates. */
const DEFAULT_RX = RX_GUE;
const DEFAULT_TX = 0;

export interface AttachOptions {
  nic: string;
  /** Network namespace by name or path; default: this process's. */
  netns?: string;
  /** CONFIG's flags; default: as they are, gue and 0 at first. */
  rx?: number;
  tx?: number;
  /** Bytes, 0 = unchecked; default: the NIC's. */
  mtu?: number;
}

/** Where an instance's programs are, or were on their way to. */
export interface Attachment {
  /** Undefined when the programs' pins are gone. */
  readonly instance?: string;
  /** Undefined when the namespace or the interface is gone and only the record is left. */
  readonly ns?: NetNs;
  /** Name or path of the namespace; empty for this process's. */
  readonly netns: string;
  readonly nic: string;
  readonly ifindex: number;
  /** Ids of guelab's programs at the hooks. */
  readonly hooks: Readonly<Partial<Record<HookName, number>>>;
  readonly record?: AttachRecord;
}

/**
 * Attaches both hooks and writes CONFIG; on a NIC that has them it changes what differs. Throws LabError ERR_NOT_LOADED,
 * ERR_NETNS, ERR_NIC_UNKNOWN, ERR_NIC_TAKEN, ERR_INSTANCE_NETNS, ERR_FLAGS, ERR_FILTER_TAKEN, ERR_TC, ERR_TC_QDISC.
 */
export function attach(instance: Instance, options: AttachOptions): Attachment {
  if (!isLoaded(instance))
    throw new LabError("ERR_NOT_LOADED", `instance '${instance.name}' is not loaded`, {
      hint: `Load it: guelab bpf load --instance ${instance.name}`,
    });
  const ns = openNetns(options.netns);
  const link = findLink(ns, options.nic);
  refuseConflicts(instance, ns, link);
  const config = openConfig(instance);
  try {
    const old = config.table.get({ value: link.ifindex });
    const rx = (options.rx ?? old?.rx ?? DEFAULT_RX) >>> 0;
    const tx = (options.tx ?? old?.tx ?? DEFAULT_TX) >>> 0;
    refuseFlags(rx, tx);
    const record = noteQdisc(instance, ns, link);
    config.table.set({ value: link.ifindex }, { rx, tx, mtu: options.mtu ?? link.mtu });
    for (const hook of HOOK_NAMES) putFilter(ns, link.name, hook, progPath(instance, hook));
    return { instance: instance.name, ns, ...place(ns, link), hooks: hooksOf(ns, link.name), record };
  } finally {
    config.close();
  }
}

const place = (ns: NetNs, link: NetLink) => ({ netns: ns.name, nic: link.name, ifindex: link.ifindex });

/** Makes sure that there is a clsact qdisc; the record says whose it is before it comes into being. */
function noteQdisc(instance: Instance, ns: NetNs, link: NetLink): AttachRecord {
  const known = readRecords(instance).find((r) => r.inode === ns.inode && r.ifindex === link.ifindex);
  const present = clsactNics(ns).has(link.name);
  const base = { inode: ns.inode, netns: ns.name, nic: link.name, ifindex: link.ifindex, mac: link.mac };
  const record = { ...base, clsact: !present || (known?.mac === link.mac && known.clsact) };
  writeRecord(instance, record);
  if (present || addClsact(ns, link.name)) return record;
  // Someone else was faster.
  const theirs = { ...base, clsact: false };
  writeRecord(instance, theirs);
  return theirs;
}

function refuseConflicts(instance: Instance, ns: NetNs, link: NetLink): void {
  const owners = programOwners();
  for (const id of Object.values(hooksOf(ns, link.name))) {
    const owner = owners.get(id);
    if (owner !== undefined && owner !== instance.name)
      throw new LabError("ERR_NIC_TAKEN", `${link.name} is attached to instance '${owner}' already`, {
        hint: `Detach it first: guelab bpf detach ${link.name}${ns.name && ` --netns ${ns.name}`}`,
      });
  }
  // Tables are those of one host: interface indices of two namespaces would be mixed up.
  const elsewhere = readRecords(instance).find((r) => r.inode !== ns.inode && liveNs(r));
  if (elsewhere)
    throw new LabError(
      "ERR_INSTANCE_NETNS",
      `instance '${instance.name}' is attached to ${elsewhere.nic} in ${elsewhere.netns || "another namespace"}`,
      { hint: "An instance holds one host's tables: load another for this namespace, with --instance NAME." },
    );
}

// Ingress fwd bypasses netfilter: a proxy that leaves translation to iptables would forward untranslated.
function refuseFlags(rx: number, tx: number): void {
  if (rx & RX_FWD && rx & RX_GUE && !(rx & RX_DNAT) && tx & TX_PROXY)
    throw new LabError("ERR_FLAGS", "ingress fwd bypasses netfilter, which this proxy leaves the translation to", {
      hint: "Add the ingress flag dnat (2) and the egress flag snat (2), or leave fwd (4) out.",
    });
}

/**
 * Removes an attachment: its filters, the clsact qdisc if guelab added it and it is empty, CONFIG, STATS, the record. `off` is called
 * when no packet meets the programs any more, and the tables are still there.
 */
export function detach(at: Attachment, off: () => void = () => {}): void {
  const { ns } = at;
  if (ns)
    unlessGone(ns, () => {
      for (const hook of HOOK_NAMES) removeFilter(ns, at.nic, hook);
      if (at.record?.clsact) removeEmptyClsact(ns, at.nic);
    });
  off();
  if (at.instance === undefined) return;
  const instance = instanceOf(at.instance);
  forget(instance, at.ifindex);
  if (at.record) removeRecord(instance, at.record.inode, at.record.ifindex);
}

/** Removes everything that guelab made, of one instance or of all; gives what was attached and the instances. */
export function detachAll(only?: string): { detached: Attachment[]; unloaded: Instance[] } {
  const detached = listAttachments().filter((at) => only === undefined || at.instance === only);
  for (const at of detached) detach(at);
  const unloaded = listInstances().filter((i) => only === undefined || i.name === only);
  for (const instance of unloaded) unloadInstance(instance);
  return { detached, unloaded };
}

/** Everything of guelab's at any NIC of the machine, from tc and from the records. */
export function listAttachments(): Attachment[] {
  const owners = programOwners();
  const records = listInstances().flatMap((i) => readRecords(i).map((record) => ({ instance: i.name, record })));
  const spaces = listNetns();
  for (const { record } of records) {
    const ns = spaces.some((s) => s.inode === record.inode) ? undefined : liveNs(record);
    if (ns) spaces.push(ns);
  }
  const out = spaces.flatMap((ns) => unlessGone(ns, () => attachmentsIn(ns, owners, records)) ?? []);
  for (const { instance, record } of records)
    if (!out.some((at) => at.record === record))
      out.push({ instance, netns: record.netns, nic: record.nic, ifindex: record.ifindex, hooks: {}, record });
  return out;
}

interface NotedRecord {
  instance: string;
  record: AttachRecord;
}

/** What is guelab's in one namespace. */
function attachmentsIn(ns: NetNs, owners: ReadonlyMap<number, string>, records: readonly NotedRecord[]): Attachment[] {
  const nics = clsactNics(ns);
  const noted = records.filter(({ record }) => record.inode === ns.inode);
  if (nics.size === 0 && noted.length === 0) return [];
  return listLinks(ns).flatMap((link) => {
    const hooks = nics.has(link.name) ? hooksOf(ns, link.name) : {};
    const ids = Object.values(hooks);
    const note = noted.find(
      ({ record: r, instance }) =>
        r.ifindex === link.ifindex && (r.mac === link.mac || ids.some((id) => owners.get(id) === instance)),
    );
    if (ids.length === 0 && !note) return [];
    const instance = ids.map((id) => owners.get(id)).find((name) => name !== undefined) ?? note?.instance;
    return [{ instance, ns, ...place(ns, link), hooks, record: note?.record }];
  });
}

/** What `fn` gives; undefined when it failed because the namespace went away meanwhile. */
function unlessGone<T>(ns: NetNs, fn: () => T): T | undefined {
  try {
    return fn();
  } catch (err) {
    if (isThere(ns)) throw err;
    return undefined;
  }
}

/** The namespace of a record, if it is still there under its name. */
function liveNs(record: AttachRecord): NetNs | undefined {
  try {
    const ns = openNetns(record.netns);
    return ns.inode === record.inode ? ns : undefined;
  } catch {
    return undefined;
  }
}

function hooksOf(ns: NetNs, nic: string): Partial<Record<HookName, number>> {
  const hooks: Partial<Record<HookName, number>> = {};
  for (const hook of HOOK_NAMES) {
    const filter = ownFilter(ns, nic, hook);
    if (filter) hooks[hook] = filter.progId;
  }
  return hooks;
}

/** Name of the instance that a program belongs to, by the program's id. */
function programOwners(): Map<number, string> {
  const owners = new Map<number, string>();
  for (const instance of listInstances())
    for (const hook of HOOK_NAMES) {
      const id = programId(instance, hook);
      if (id !== undefined) owners.set(id, instance.name);
    }
  return owners;
}

/** Kernel-wide id of a pinned program; undefined when it is not there. */
function programId(instance: Instance, hook: HookName): number | undefined {
  let fd: number;
  try {
    fd = openProgram(instance, hook);
  } catch (err) {
    if (isGone(err)) return undefined;
    throw err;
  }
  try {
    return progId(fd);
  } finally {
    closeSync(fd);
  }
}

const isGone = (err: unknown): boolean =>
  err instanceof LabError && (err.code === "ERR_PIN" || (err instanceof BpfError && err.errno === ENOENT));

type ConfigTable = TypedTable<typeof TABLES.CONFIG.key.fields, typeof TABLES.CONFIG.value.fields>;

function openConfig(instance: Instance): { table: ConfigTable; close(): void } {
  const map = new KernelMap(TABLES.CONFIG, objGet(`${mapsDir(instance)}/CONFIG`));
  return { table: typed(TABLES.CONFIG, map), close: () => map.close() };
}

/** Deletes CONFIG and STATS of an interface; maps of another version or not yet made have nothing of ours to delete. */
function forget(instance: Instance, ifindex: number): void {
  for (const def of [TABLES.CONFIG, TABLES.STATS]) {
    let map: KernelMap;
    try {
      map = new KernelMap(def, objGet(`${mapsDir(instance)}/${def.name}`));
    } catch (err) {
      if (isGone(err) || (err instanceof LabError && err.code === "ERR_MAP_LAYOUT")) continue;
      throw err;
    }
    map.delete(def.key.encode({ value: ifindex }));
    map.close();
  }
}
