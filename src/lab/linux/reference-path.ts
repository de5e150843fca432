/**
 * The reference at the NICs of a real host: its tables are the TypeScript twins, its hooks run where the host's TAP
 * interfaces are read and written (tap-net.ts), and its FIB is the host's own.
 */
import type { FibHelper, FibParams } from "../../dataplane/datapath.ts";
import { KernelFibHelper } from "../../dataplane/fib-helper.ts";
import { Reference } from "../../dataplane/reference.ts";
import type { Nic } from "../../sim/nic.ts";
import { createTables } from "../../tables/tables.ts";
import type { HostDataPath } from "./data-path.ts";
import type { HookSink } from "./hook-record.ts";
import { RecordedPath } from "./hook-recorded.ts";
import { KernelFib } from "./kernel-fib.ts";
import type { Namespace } from "./sys.ts";
import type { TapOwner } from "./tap-net.ts";

/** Looks up in what the kernel has, which is read again where it may have changed: a system call per packet would be half its cost. */
class LiveFib implements FibHelper {
  readonly kernel: KernelFib;
  /** The host was given packets since. */
  stale = true;
  private readonly helper: KernelFibHelper;

  constructor(ns: Namespace) {
    this.kernel = new KernelFib(ns);
    this.helper = new KernelFibHelper(this.kernel);
  }

  refresh(): void {
    this.kernel.refresh();
    this.stale = false;
  }

  fibLookup(p: FibParams): number {
    if (this.stale) this.refresh();
    return this.helper.fibLookup(p);
  }
}

export class ReferencePath implements HostDataPath, TapOwner {
  readonly stores = createTables();
  private readonly ns: Namespace;
  private readonly all: ReadonlyMap<string, Nic>;
  private path: Reference | undefined;
  private fib: LiveFib | undefined;
  private sink: HookSink | undefined;

  /** `nics`: the host's, by name. */
  constructor(ns: Namespace, nics: ReadonlyMap<string, Nic>) {
    this.ns = ns;
    this.all = nics;
  }

  get loaded(): boolean {
    return this.path !== undefined;
  }

  get nics(): string[] {
    return [...this.all.values()].filter((n) => n.dataPath !== undefined).map((n) => n.name);
  }

  attach(nic: string): void {
    this.fib ??= new LiveFib(this.ns);
    this.path ??= new Reference(this.stores, this.fib);
    this.all.get(nic)!.dataPath = this.sink === undefined ? this.path : new RecordedPath(nic, this.path, this.sink);
  }

  detach(nic: string): void {
    this.all.get(nic)!.dataPath = undefined;
  }

  nicOf = (ifindex: number): string | undefined => [...this.all.values()].find((n) => n.ifindex === ifindex)?.name;

  /** None: what the hooks say is recorded as they say it. */
  readEvents(): void {}

  record(sink: HookSink): void {
    this.sink = sink;
  }

  /** None are left: each run is handed over as it ends. */
  readHooks(): void {}

  /** An MTU may have been changed, too: packets that the hooks make longer are measured by it. */
  sync(): void {
    const { fib } = this;
    if (fib === undefined) return;
    fib.refresh();
    for (const nic of this.all.values()) nic.mtu = fib.kernel.mtu(nic.ifindex);
  }

  touched(): void {
    if (this.fib !== undefined) this.fib.stale = true;
  }

  close(): void {
    for (const nic of this.all.values()) nic.dataPath = undefined;
    this.fib?.kernel.close();
    this.path = this.fib = undefined;
  }
}
