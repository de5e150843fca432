/**
 * What the hooks of all hosts of a lab did, over all its lives. While it records, the process and its children run on one CPU: the
 * hooks of a host then follow each other, and control plane and packets alternate.
 */
import { KernelFibHelper } from "../../dataplane/fib-helper.ts";
import type { TableStores } from "../../tables/tables.ts";
import { OneCpu } from "./affinity.ts";
import type { HostDataPath } from "./data-path.ts";
import { type HookRecord, type HostHistory, HostRecorder } from "./hook-record.ts";
import { KernelFib } from "./kernel-fib.ts";
import type { Namespace } from "./sys.ts";

/** Often enough that a ring is never full: 32 MiB are 50 ms of frames of 64 KiB, recorded twice at 2.5 Gbit/s. */
const DRAIN_MS = 5;

interface Watched {
  readonly recorder: HostRecorder;
  readonly ns: Namespace;
  readonly dataPath: HostDataPath;
}

export class HookLog {
  private readonly epochNs: number;
  private readonly source: string | undefined;
  private readonly finished: HostHistory[] = [];
  private hosts: Watched[] = [];
  private timer: NodeJS.Timeout | undefined;
  private cpu: OneCpu | undefined;
  private failure: unknown;

  /** `epochNs`: when the lab's time began, on the monotonic clock. `source`: folder of the programs' sources. */
  constructor(epochNs: number, source?: string) {
    this.epochNs = epochNs;
    this.source = source;
  }

  /** Records what a new host's hooks do; gives the host's tables, through which they are to be written. */
  watch(host: string, ns: Namespace, dataPath: HostDataPath): TableStores {
    const recorder = new HostRecorder(host, dataPath.stores, this.epochNs);
    dataPath.record(recorder, this.source);
    this.cpu ??= new OneCpu();
    this.hosts.push({ recorder, ns, dataPath });
    this.timer ??= setInterval(() => this.drainUnasked(), DRAIN_MS).unref();
    return recorder.stores;
  }

  hooks(): readonly HookRecord[] {
    this.drain();
    const all = [...this.finished, ...this.hosts.map((h) => h.recorder)].flatMap((h) => h.hooks);
    return all.sort((a, b) => a.startNs - b.startNs);
  }

  /** Every host that was ever there; those of now as they are. Throws LabError ERR_HOOK_LOST, ERR_HOOK_BUSY. */
  histories(): readonly HostHistory[] {
    this.drain();
    return [...this.finished, ...this.hosts.map((h) => historyOf(h))];
  }

  /** The hosts are about to go. What goes wrong is told to who asks for it. */
  finish(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.cpu?.release();
    this.cpu = undefined;
    try {
      if (this.failure === undefined) for (const host of this.hosts) this.finished.push(historyOf(host));
    } catch (err) {
      this.failure = err;
    }
    this.hosts = [];
  }

  private drain(): void {
    if (this.failure !== undefined) throw this.failure;
    for (const { dataPath } of this.hosts) dataPath.readHooks();
  }

  private drainUnasked(): void {
    try {
      this.drain();
    } catch (err) {
      this.failure ??= err;
    }
  }
}

function historyOf({ recorder, ns, dataPath }: Watched): HostHistory {
  const kernel = new KernelFib(ns);
  try {
    kernel.refresh();
    return recorder.history(() => dataPath.readHooks(), dataPath.loaded, new KernelFibHelper(kernel));
  } finally {
    kernel.close();
  }
}
