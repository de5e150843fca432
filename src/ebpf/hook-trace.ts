/**
 * Reads what bpf/record.bpf.c wrote: the runs of a host's hooks. They are in one ring, in the order in which they were made; what
 * did not fit is counted, and is an error here.
 */
import { closeSync } from "node:fs";
import type { HookResult } from "../dataplane/datapath.ts";
import { LabError } from "../errors.ts";
import { rdLe32 } from "../tables/layout.ts";
import { mapLookup, objGet } from "./bpf.ts";
import { readCb } from "./cb.ts";
import { HOOK_INGRESS } from "./event.ts";
import { hookRecord, RECORD_AFTER, RECORDS_LOST_NAME, RECORDS_NAME } from "./hook-event.ts";
import { type Memory, memory } from "./libc.ts";
import { RingReader } from "./ringbuf.ts";

/** A frame at one end of a hook. */
export interface TracedFrame {
  readonly frame: Uint8Array;
  readonly ifindex: number;
  readonly mark: number;
  readonly gsoSize: number;
  /** TCI with 0x10000 set; 0 = no tag beside the frame. */
  readonly vlan: number;
}

/** One run of a hook's program. */
export interface TracedRun {
  /** CLOCK_MONOTONIC, ns. */
  readonly startNs: number;
  readonly endNs: number;
  readonly hook: "ingress" | "egress";
  readonly before: TracedFrame;
  readonly after: TracedFrame;
  /** What the program returned. */
  readonly verdict: number;
  /** What it decided, as it says itself. */
  readonly result: HookResult;
}

interface Side {
  timeNs: number;
  cpu: number;
  hook: number;
  after: boolean;
  verdict: number;
  result: HookResult;
  at: TracedFrame;
}

export class HookTrace {
  private readonly ring: RingReader;
  private readonly lostFd: number;
  private readonly zero: Memory = memory(4);
  private readonly lost: Memory = memory(8);
  /** By CPU: what entered a hook and has not left it. */
  private readonly inside = new Map<number, Side>();

  /** Takes the maps pinned in a directory. Throws LabError ERR_RING, ERR_BPF. */
  constructor(dir: string) {
    const fd = objGet(`${dir}/${RECORDS_NAME}`);
    try {
      this.ring = new RingReader(fd);
    } finally {
      closeSync(fd);
    }
    this.lostFd = objGet(`${dir}/${RECORDS_LOST_NAME}`);
  }

  /** Hands over the runs that ended since the last call, oldest first. Throws LabError ERR_HOOK_LOST when one is missing. */
  read(each: (run: TracedRun) => void): void {
    this.ring.read((record) => {
      const side = sideOf(record);
      if (!side.after) {
        if (this.inside.has(side.cpu)) throw incomplete("a program was entered and not left");
        this.inside.set(side.cpu, side);
        return;
      }
      const before = this.inside.get(side.cpu);
      this.inside.delete(side.cpu);
      if (before?.hook !== side.hook) throw incomplete("a program was left and not entered");
      each({
        startNs: before.timeNs,
        endNs: side.timeNs,
        hook: side.hook === HOOK_INGRESS ? "ingress" : "egress",
        before: before.at,
        after: side.at,
        verdict: side.verdict,
        result: side.result,
      });
    });
    mapLookup(this.lostFd, this.zero.addr, this.lost.addr);
    const lost = rdLe32(this.lost.bytes, 0);
    if (lost > 0) throw incomplete(`${lost} records did not fit the ring`);
  }

  close(): void {
    this.ring.close();
    closeSync(this.lostFd);
  }
}

const incomplete = (what: string): LabError =>
  new LabError("ERR_HOOK_LOST", `the record of what the hooks did is not complete: ${what}`, {
    hint: "Send less at once: every frame is recorded twice at each hook.",
  });

// Read by offsets: a decoded object of all members takes ten times as long.
const at = Object.fromEntries(
  Object.keys(hookRecord.fields).map((name) => [name, hookRecord.offset(name as Member)]),
) as Record<Member, number>;
type Member = keyof typeof hookRecord.fields;

function sideOf(record: Uint8Array): Side {
  const view = new DataView(record.buffer, record.byteOffset, record.length);
  const u32 = (off: number): number => view.getUint32(off, true);
  const len = u32(at.len);
  if (u32(at.caplen) !== len) throw incomplete(`of a frame of ${len} bytes there are ${u32(at.caplen)}`);
  return {
    timeNs: u32(at.time) + u32(at.time + 4) * 0x100000000,
    cpu: u32(at.cpu),
    hook: u32(at.hook),
    after: u32(at.side) === RECORD_AFTER,
    verdict: view.getInt32(at.verdict, true),
    result: resultOf(view),
    at: {
      frame: record.slice(hookRecord.size, hookRecord.size + len),
      ifindex: u32(at.ifindex),
      mark: u32(at.mark),
      gsoSize: u32(at.gso_size),
      vlan: u32(at.vlan),
    },
  };
}

function resultOf(view: DataView): HookResult {
  const result = {
    reason: 0,
    redirectIfindex: 0,
    redirectIngress: false,
    tunnel: -1,
    group: -1,
    service: -1,
    fib: -1,
  };
  readCb(view, at.cb0, result);
  return result;
}
