/**
 * The eBPF programs as a data path, one BPF_PROG_TEST_RUN per packet: they run in the kernel, on its maps, with its
 * checksums and its FIB, but on no wire. What was decided comes back in the skb's cb[] (bpf/include/verdict.h).
 */
import { closeSync } from "node:fs";
import { join } from "node:path";
import type { DataPath, HookResult, Verdict } from "../dataplane/datapath.ts";
import type { Skb } from "../dataplane/skb.ts";
import type { FibRow } from "../dataplane/vector.ts";
import type { VectorTarget } from "../dataplane/vector-run.ts";
import { LabError } from "../errors.ts";
import { ETH_HLEN } from "../wire/ethernet.ts";
import { IPV4_DADDR } from "../wire/ipv4.ts";
import { CTX_CB, CTX_GSO_SIZE, CTX_IFINDEX, CTX_MARK, ENODEV, errnoName, objGet, TestRun } from "./bpf.ts";
import { HOOK_NAMES, type HookName, type Objects } from "./build.ts";
import { readCb } from "./cb.ts";
import { EVENTS_NAME } from "./event.ts";
import { requireRoot } from "./instance.ts";
import { instanceTables, loadInstance, type MapSizes, mapsDir, openProgram, unloadInstance } from "./load.ts";
import { closeTables, type KernelTables } from "./maps.ts";
import { TestNamespace } from "./netns.ts";
import { RingReader } from "./ringbuf.ts";

/** The longest frame that BPF_PROG_TEST_RUN takes: a page of 4096 bytes without head room (64) and tail room (320). */
const TEST_RUN_MAX = 3_712;

/** The tables that the programs write. */
const WRITTEN = ["TUNNEL", "SESSION", "STATS", "REASON"] as const;
/** `HookResult.fib` where no lookup was made. */
const NO_LOOKUP = -1;

export class EbpfDataPath implements DataPath {
  readonly last: HookResult = {
    reason: 0,
    redirectIfindex: 0,
    redirectIngress: false,
    tunnel: -1,
    group: -1,
    service: -1,
    fib: -1,
  };
  private readonly test = new TestRun();
  private readonly ingressFd: number;
  private readonly egressFd: number;
  private readonly namespace: TestNamespace;
  private readonly tables: KernelTables;

  constructor(ingressFd: number, egressFd: number, namespace: TestNamespace, tables: KernelTables) {
    this.ingressFd = ingressFd;
    this.egressFd = egressFd;
    this.namespace = namespace;
    this.tables = tables;
  }

  ingress(skb: Skb): Verdict {
    return this.run(this.ingressFd, skb);
  }

  egress(skb: Skb): Verdict {
    return this.run(this.egressFd, skb);
  }

  private run(fd: number, skb: Skb): Verdict {
    if (skb.vlan !== 0) refuse("a packet with a VLAN tag beside the frame");
    if (skb.ifindex === 0) refuse("a packet without an interface");
    if (skb.len < ETH_HLEN) refuse(`a frame of ${skb.len} bytes`);
    if (skb.len > TEST_RUN_MAX) refuse(`a frame of more than ${TEST_RUN_MAX} bytes`);
    const t = this.test;
    t.frame.bytes.set(skb.buf.subarray(skb.head, skb.end));
    t.ctx.view.setUint32(CTX_MARK, skb.mark, true);
    t.ctx.view.setUint32(CTX_IFINDEX, skb.ifindex, true);
    t.ctx.view.setUint32(CTX_GSO_SIZE, skb.gsoSize, true);
    if (this.namespace.needsPrepare) this.prepare(fd, skb.len);
    this.runOnce(fd, skb.len);
    skb.setFrame(t.out.bytes.subarray(0, t.outLen));
    skb.mark = t.ctxOut.view.getUint32(CTX_MARK, true);
    skb.gsoSize = t.ctxOut.view.getUint32(CTX_GSO_SIZE, true);
    readCb(t.ctxOut.view, CTX_CB, this.last);
    return t.retval;
  }

  private runOnce(fd: number, len: number): void {
    const t = this.test;
    let ret = t.run(fd, len);
    if (ret === -ENODEV) {
      this.namespace.ensureDevice(t.ctx.view.getUint32(CTX_IFINDEX, true));
      ret = t.run(fd, len);
    }
    if (ret < 0) refuse(`this packet of ${len} bytes (${errnoName(-ret)})`);
  }

  /** Runs the packet to see whom it asks the FIB for, takes the run back, and has the namespace ready for that. */
  private prepare(fd: number, len: number): void {
    const t = this.test;
    const written = WRITTEN.map((name) => ({ table: this.tables[name], entries: this.tables[name].entries() }));
    this.runOnce(fd, len);
    for (const { table, entries } of written) {
      table.clear();
      for (const [key, value] of entries) table.update(key, value);
    }
    readCb(t.ctxOut.view, CTX_CB, this.last);
    if (this.last.fib !== NO_LOOKUP) this.namespace.prepare(t.out.view.getUint32(ETH_HLEN + IPV4_DADDR));
  }
}

function refuse(what: string): never {
  throw new LabError("ERR_TEST_RUN", `BPF_PROG_TEST_RUN cannot build ${what}`, {
    hint: "Run this vector on the reference data path; test/kernel shows such packets on real interfaces.",
  });
}

/** The programs with tables and a FIB of their own, for vectors. */
export interface TestDataPath extends VectorTarget {
  readonly tables: KernelTables;
  readonly dataPath: EbpfDataPath;
  readonly namespace: TestNamespace;
  /** File descriptors of the programs. */
  readonly fds: Readonly<Record<HookName, number>>;
  /** The events of the dump flag. */
  readonly events: RingReader;
  /** Removes everything that was made; the calling thread goes back to its own network namespace. */
  close(): void;
}

export interface TestDataPathOptions {
  objects?: Objects;
  sizes?: MapSizes;
}

/**
 * Loads the programs under a name of their own. The calling thread is in a private network namespace until `close`. Throws
 * LabError with what is missing.
 */
export function openTestDataPath(options: TestDataPathOptions = {}): TestDataPath {
  requireRoot();
  const instance = loadInstance(`test-${process.pid}-${nextNumber++}`, options);
  const open: number[] = [];
  try {
    const tables = instanceTables(instance);
    for (const hook of HOOK_NAMES) open.push(openProgram(instance, hook));
    const fds = { ingress: open[0], egress: open[1] };
    const eventsFd = objGet(join(mapsDir(instance), EVENTS_NAME));
    open.push(eventsFd);
    const events = new RingReader(eventsFd);
    const namespace = new TestNamespace();
    return {
      tables,
      dataPath: new EbpfDataPath(fds.ingress, fds.egress, namespace, tables),
      namespace,
      fds,
      events,
      setFib: (rows: readonly FibRow[]) => namespace.setFib(rows),
      close() {
        namespace.close();
        events.close();
        for (const fd of open) closeSync(fd);
        closeTables(tables);
      },
    };
  } catch (err) {
    for (const fd of open) closeSync(fd);
    throw err;
  } finally {
    // The descriptors hold programs and maps: without pins, nothing is left behind however this process ends.
    unloadInstance(instance);
  }
}

let nextNumber = 0;
