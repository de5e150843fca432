/** Namespaces, interfaces and instances that a test makes, under names of its own, and removes again. */
import { randomBytes } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { detachAll } from "../../src/ebpf/attach.ts";
import { run } from "../../src/ebpf/exec.ts";
import { type Instance, type LoadOptions, loadInstance } from "../../src/ebpf/load.ts";
import { findLink, type NetNs, openNetns, runIn } from "../../src/ebpf/nsenter.ts";
import { insideNetns } from "./sockets.ts";

export class TestNet {
  private readonly prefix = `gl${randomBytes(3).toString("hex")}`;
  private readonly namespaces: string[] = [];
  private readonly instances: string[] = [];

  /** A namespace with lo up and no IPv6, whose own packets would disturb. */
  namespace(name: string): NetNs {
    const full = `${this.prefix}${name}`;
    run("ERR_IP", "ip", ["netns", "add", full]);
    this.namespaces.push(full);
    const ns = openNetns(full);
    for (const conf of ["all", "default"]) sysctl(ns, `ipv6/conf/${conf}/disable_ipv6`, 1);
    ip(ns, "link set lo up");
    return ns;
  }

  load(name: string, options: LoadOptions = {}): Instance {
    const instance = loadInstance(this.instanceName(name), options);
    this.instances.push(instance.name);
    return instance;
  }

  /** A name that only this test uses; removed by `close` whether it was loaded or not. */
  instanceName(name: string): string {
    const full = `${this.prefix}-${name}`;
    if (!this.instances.includes(full)) this.instances.push(full);
    return full;
  }

  /** Removes everything, also where one thing cannot be removed. */
  close(): void {
    const failed: unknown[] = [];
    const attempt = (fn: () => void): void => {
      try {
        fn();
      } catch (err) {
        failed.push(err);
      }
    };
    for (const name of this.instances) attempt(() => detachAll(name));
    for (const name of this.namespaces) attempt(() => run("ERR_IP", "ip", ["netns", "del", name]));
    if (failed.length > 0) throw failed[0];
  }
}

/** `ip` inside a namespace; `args` are words between blanks. */
export const ip = (ns: NetNs, args: string): string => runIn(ns, "ERR_IP", "ip", args.split(" "));
export const tc = (ns: NetNs, args: string): string => runIn(ns, "ERR_TC", "tc", args.split(" "));

/** Sets net.* in a namespace, where this kernel has it: `ipv4/ip_forward`. */
export function sysctl(ns: NetNs, name: string, value: number): void {
  insideNetns(ns.path, () => {
    if (existsSync(`/proc/sys/net/${name}`)) writeFileSync(`/proc/sys/net/${name}`, String(value));
  });
}

export interface VethEnd {
  ns: NetNs;
  nic: string;
  index?: number;
  mac?: string;
}

/** A pair of interfaces, both up. The kernel takes an index for the first end only. */
export function veth(a: VethEnd, b: VethEnd, mtu = 1500): void {
  const end = (e: VethEnd) =>
    `${e.nic} netns ${e.ns.name} mtu ${mtu}${e.index ? ` index ${e.index}` : ""}${e.mac ? ` address ${e.mac}` : ""}`;
  ip(a.ns, `link add ${end(a)} type veth peer name ${end(b)}`);
  for (const e of [a, b]) ip(e.ns, `link set ${e.nic} up`);
}

export const ifindexOf = (ns: NetNs, nic: string): number => findLink(ns, nic).ifindex;
