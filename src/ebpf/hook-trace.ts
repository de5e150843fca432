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

function sideOf(record: Uint8Array): Side {
  const r = hookRecord.decode(record);
  if (r.caplen !== r.len) throw incomplete(`of a frame of ${r.len} bytes there are ${r.caplen}`);
  return {
    timeNs: r.time,
    cpu: r.cpu,
    hook: r.hook,
    after: r.side === RECORD_AFTER,
    verdict: r.verdict | 0,
    result: resultOf(record),
    at: {
      frame: record.slice(hookRecord.size, hookRecord.size + r.len),
      ifindex: r.ifindex,
      mark: r.mark,
      gsoSize: r.gso_size,
      vlan: r.vlan,
    },
  };
}

function resultOf(record: Uint8Array): HookResult {
  const result = {
    reason: 0,
    redirectIfindex: 0,
    redirectIngress: false,
    tunnel: -1,
    group: -1,
    service: -1,
    fib: -1,
  };
  readCb(new DataView(record.buffer, record.byteOffset), hookRecord.offset("cb0"), result);
  return result;
}
