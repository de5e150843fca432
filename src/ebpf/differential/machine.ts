/**
 * The two data paths side by side, with tables of the same sizes: filled alike, driven with the same packets, compared
 * after every packet and after every sequence.
 */

import type { HookResult } from "../../dataplane/datapath.ts";
import { Reference } from "../../dataplane/reference.ts";
import { Skb } from "../../dataplane/skb.ts";
import { LabError } from "../../errors.ts";
import { rdLe32 } from "../../tables/layout.ts";
import { BPF_ANY, type BpfMap } from "../../tables/map.ts";
import { REASON_NAMES, TC_ACT_SHOT } from "../../tables/reasons.ts";
import { TABLE_NAMES, TABLES, type TableName } from "../../tables/schema.ts";
import { createTables, type Tables } from "../../tables/tables.ts";
import { rd32 } from "../../wire/bytes.ts";
import {
  batchCount,
  CTX_CB,
  CTX_GSO_SIZE,
  CTX_IFINDEX,
  errnoName,
  mapReadBatch,
  mapUpdateBatch,
  TestRun,
} from "../bpf.ts";
import type { Objects } from "../build.ts";
import { readCb } from "../cb.ts";
import { type Memory, memory } from "../libc.ts";
import { openTestDataPath, type TestDataPath } from "../testrun.ts";
import { ExpectedEvents } from "./events.ts";
import type { Rows } from "./state.ts";
import { buildUniverse, UniverseFib } from "./universe.ts";

/** Small tables: a reset walks all their buckets. SESSION has room to spare, so that its LRU never evicts. */
const SIZES: Partial<Record<TableName, number>> = {
  CONFIG: 64,
  TUNNEL: 64,
  DECAP: 64,
  ENCAP: 64,
  SESSION: 1024,
  VERIFY: 64,
  DNAT: 64,
  SNAT: 64,
  STATS: 64,
};

/** Where the two differ: `packet` -1 is the tables after the last one. */
export interface Difference {
  packet: number;
  what: string;
  /** What the reference and what the kernel said. */
  reference: string;
  kernel: string;
}

/** Reads one table of the kernel into memory, with or without emptying it. */
class Snapshot {
  readonly keys: Memory;
  readonly values: Memory;
  readonly cursor: Memory = memory(16);
  readonly max: number;
  count = 0;

  constructor(max: number, keySize: number, rawSize: number) {
    this.max = max;
    this.keys = memory(max * keySize);
    this.values = memory(max * rawSize);
  }

  take(fd: number, drain: boolean): void {
    mapReadBatch(fd, this.cursor, true, this.keys.addr, this.values.addr, this.max, drain);
    this.count = batchCount();
  }
}

export class Machine {
  readonly tables: Tables = createTables(SIZES);
  readonly skb = new Skb(4096);
  readonly reference: Reference;
  /** Packets by reason and notes, of the reference; filled by `settle`. */
  readonly reasonCounts = new Float64Array(TABLES.REASON.maxEntries);
  private readonly target: TestDataPath;
  private readonly test = new TestRun();
  private readonly events = new ExpectedEvents();
  /** The reference's dump flag was set for the last packet. */
  private dumped = false;
  private readonly kernelLast: HookResult;
  private readonly snapshots: Record<TableName, Snapshot>;
  private readonly oldReasons: Float64Array;
  /** The kernel keeps counting: what it had before the sequence. */
  private readonly lastReasons: Float64Array;

  constructor(objects?: Objects) {
    this.target = openTestDataPath({ objects, sizes: SIZES });
    try {
      buildUniverse(this.target.namespace);
    } catch (err) {
      this.target.close();
      throw err;
    }
    this.reference = new Reference(this.tables, new UniverseFib(this.skb));
    this.reference.onDump = () => {
      this.dumped = true;
    };
    this.kernelLast = { ...this.reference.last };
    const kernel = this.target.tables;
    this.snapshots = Object.fromEntries(
      TABLE_NAMES.map((t) => [t, new Snapshot(kernel[t].maxEntries, TABLES[t].key.size, kernel[t].rawSize)]),
    ) as Record<TableName, Snapshot>;
    this.oldReasons = new Float64Array(TABLES.REASON.maxEntries);
    this.lastReasons = new Float64Array(TABLES.REASON.maxEntries);
    this.readReasons(this.lastReasons);
  }

  close(): void {
    this.target.close();
  }

  /** Adds rows to a table of both. */
  fill(rows: Rows): void {
    if (rows.count === 0) return;
    mapUpdateBatch(this.target.tables[rows.table].fd, rows.keys.addr, rows.values.addr, rows.count);
    const twin = this.tables[rows.table];
    for (let i = 0; i < rows.count; i++)
      twin.update(
        rows.keys.bytes.subarray(i * rows.keySize, (i + 1) * rows.keySize),
        rows.values.bytes.subarray(i * rows.valueSize, (i + 1) * rows.valueSize),
      );
  }

  /** Sets one row in both. */
  set(table: TableName, key: Uint8Array, value: Uint8Array): void {
    this.target.tables[table].update(key, value, BPF_ANY);
    this.tables[table].update(key, value, BPF_ANY);
  }

  /**
   * Sends a frame through a hook of both. Gives the first difference, or undefined. A packet that the kernel cannot build
   * is an error: what is sent must be runnable.
   */
  send(ingress: boolean, ifindex: number, gsoSize: number, frame: Uint8Array, len: number): Difference | undefined {
    const { skb, test: t, target } = this;
    skb.reset(len);
    for (let i = 0; i < len; i++) {
      const v = frame[i];
      skb.buf[skb.head + i] = v;
      t.frame.bytes[i] = v;
    }
    skb.ifindex = ifindex;
    skb.gsoSize = gsoSize;
    this.dumped = false;
    const verdict = ingress ? this.reference.ingress(skb) : this.reference.egress(skb);
    if (this.dumped) {
      const { reason } = this.reference.last;
      this.events.note(ingress, ifindex, reason, verdict, frame, len, skb.buf, skb.head, skb.end - skb.head);
    }

    t.ctx.view.setUint32(CTX_IFINDEX, ifindex, true);
    t.ctx.view.setUint32(CTX_GSO_SIZE, gsoSize, true);
    const ret = t.run(ingress ? target.fds.ingress : target.fds.egress, len);
    if (ret < 0)
      throw new LabError("ERR_TEST_RUN", `BPF_PROG_TEST_RUN refused a frame of ${len} bytes: ${errnoName(-ret)}`);
    return this.compare(verdict);
  }

  private compare(verdict: number): Difference | undefined {
    const { skb, test: t } = this;
    const want = this.reference.last;
    const reason = t.ctxOut.view.getUint32(CTX_CB, true) - 1;
    if (reason !== want.reason) return differs("reason", reasonName(want.reason), reasonName(reason));
    if (t.retval !== verdict) return differs("verdict", String(verdict), String(t.retval));
    const got = this.kernelLast;
    readCb(t.ctxOut.view, CTX_CB, got);
    if (
      verdict !== TC_ACT_SHOT &&
      (want.redirectIfindex !== got.redirectIfindex || want.redirectIngress !== got.redirectIngress)
    )
      return differs("redirect", redirectText(want), redirectText(got));
    if (want.tunnel !== got.tunnel || want.group !== got.group || want.service !== got.service || want.fib !== got.fib)
      return differs("entry or FIB result", entryText(want), entryText(got));
    const len = skb.end - skb.head;
    if (len !== t.outLen) return differs("length of the frame", String(len), String(t.outLen));
    const { buf, head } = skb;
    const out = t.out.bytes;
    for (let i = 0; i < len; i++)
      if (buf[head + i] !== out[i]) return differs(`byte ${i} of the frame`, hex2(buf[head + i]), hex2(out[i]));
    return undefined;
  }

  /** Compares all tables, counters included, then empties them. */
  settle(): Difference | undefined {
    let found: Difference | undefined;
    for (const name of TABLE_NAMES) {
      if (name === "REASON") continue;
      const diff = this.settleTable(name);
      found ??= diff;
    }
    const diff = this.settleReasons();
    const event = this.events.settle(this.target.events);
    return found ?? diff ?? (event && { packet: -1, ...event });
  }

  private settleTable(name: TableName): Difference | undefined {
    const kernel = this.target.tables[name];
    const twin = this.tables[name];
    const s = this.snapshots[name];
    const isArray = twin.def.kind === "array";
    s.take(kernel.fd, !isArray);
    let diff: Difference | undefined;
    if (s.count !== twin.size) diff = tableDiffers(`rows in ${name}`, String(twin.size), String(s.count));
    const { keySize, valueSize } = sizesOf(name);
    for (let i = 0; i < s.count && !diff; i++) {
      const e = findKey(twin, s.keys.bytes, i * keySize);
      if (e < 0) {
        diff = tableDiffers(`${name} ${hex(s.keys.bytes, i * keySize, keySize)}`, "absent", "present");
        break;
      }
      const from = twin.valueOffset(e);
      const values = kernel.sumInPlace(s.values.bytes, i * kernel.rawSize);
      for (let j = 0; j < valueSize; j++)
        if (values[i * kernel.rawSize + j] !== twin.values[from + j]) {
          diff = tableDiffers(
            `${name} ${hex(s.keys.bytes, i * keySize, keySize)}`,
            hex(twin.values, from, valueSize),
            hex(values, i * kernel.rawSize, valueSize),
          );
          break;
        }
    }
    twin.clear();
    // An array cannot be drained.
    if (isArray) kernel.clear();
    return diff;
  }

  private settleReasons(): Difference | undefined {
    let diff: Difference | undefined;
    this.oldReasons.set(this.lastReasons);
    this.readReasons(this.lastReasons);
    const twin = this.tables.REASON;
    for (let i = 0; i < REASON_NAMES.length; i++) {
      const want = rdLe32(twin.values, i * 8);
      const got = this.lastReasons[i] - this.oldReasons[i];
      this.reasonCounts[i] += want;
      if (want !== got) diff ??= tableDiffers(`REASON ${REASON_NAMES[i]}`, String(want), String(got));
    }
    twin.clear();
    return diff;
  }

  private readReasons(into: Float64Array): void {
    const kernel = this.target.tables.REASON;
    const s = this.snapshots.REASON;
    s.take(kernel.fd, false);
    for (let i = 0; i < s.count; i++) {
      let sum = 0;
      for (let at = i * kernel.rawSize; at < (i + 1) * kernel.rawSize; at += 8)
        sum += rdLe32(s.values.bytes, at) + rdLe32(s.values.bytes, at + 4) * 0x100000000;
      into[rdLe32(s.keys.bytes, i * 4)] = sum;
    }
  }
}

const SIZE_OF = Object.fromEntries(
  TABLE_NAMES.map((t) => [t, { keySize: TABLES[t].key.size, valueSize: TABLES[t].value.size }]),
) as Record<TableName, { keySize: number; valueSize: number }>;
const sizesOf = (name: TableName): { keySize: number; valueSize: number } => SIZE_OF[name];

/** A twin's entry for a key of bytes, or -1. */
function findKey(twin: BpfMap, b: Uint8Array, off: number): number {
  switch (twin.def.key.size) {
    case 4:
      return twin.find1(twin.def.key === TABLES.VERIFY.key ? rd32(b, off) : rdLe32(b, off));
    case 8:
      return twin.find2(rd32(b, off), rd32(b, off + 4));
    default:
      return twin.find4(rd32(b, off), rd32(b, off + 4), rd32(b, off + 8), rd32(b, off + 12));
  }
}

const hex2 = (v: number): string => v.toString(16).padStart(2, "0");
const hex = (b: Uint8Array, off: number, len: number): string => Array.from(b.subarray(off, off + len), hex2).join("");
const reasonName = (slot: number): string => REASON_NAMES[slot] ?? `slot ${slot}`;
const redirectText = (r: HookResult): string => `${r.redirectIfindex}${r.redirectIngress ? " ingress" : ""}`;
const entryText = (r: HookResult): string => `tunnel ${r.tunnel}, service ${r.group}/${r.service}, fib ${r.fib}`;

/** The packet's number is known to the caller. */
const differs = (what: string, reference: string, kernel: string): Difference => ({
  packet: 0,
  what,
  reference,
  kernel,
});
const tableDiffers = (what: string, reference: string, kernel: string): Difference => ({
  packet: -1,
  what,
  reference,
  kernel,
});
