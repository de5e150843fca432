/**
 * Runs a host's history through the reference: every frame that entered a hook, every write to a table, in the order in which they
 * were, on tables of its own. What overlapped in time may have been in either order: the one that fits is looked for.
 */
import type { FibHelper, FibParams, HookResult, Verdict } from "../dataplane/datapath.ts";
import { Reference } from "../dataplane/reference.ts";
import { Skb } from "../dataplane/skb.ts";
import type {
  HookFrame,
  HookRecord,
  HostHistory,
  TableBytes,
  TableRows,
  TableWrite,
} from "../lab/linux/hook-record.ts";
import { type BpfMap, MapError } from "../tables/map.ts";
import { TC_ACT_SHOT } from "../tables/reasons.ts";
import { TABLE_NAMES } from "../tables/schema.ts";
import { createTables, type Tables } from "../tables/tables.ts";
import { toHex } from "../wire/bytes.ts";
import { rdMac } from "../wire/ethernet.ts";
import { equalButOffload, type HookRule } from "./hooks-rules.ts";
import type { RuleCounter } from "./rules.ts";
import { equalBytes } from "./same.ts";

export type HookEvent = HookRecord | TableWrite;
export const isHook = (e: HookEvent): e is HookRecord => "before" in e;

/** What the reference made of a frame. */
export interface ReferenceRun {
  after: HookFrame;
  verdict: Verdict;
  result: HookResult;
  /** What it asked the FIB, and what it was answered; absent: nothing. */
  fib?: FibParams & { rc: number };
}

/** One event that did not come out as it did. */
export interface Mismatch {
  event: HookEvent;
  /** Sentences: what differs. */
  what: string[];
  /** Of a hook. */
  reference?: ReferenceRun;
  /** Of a write: what stood in the reference's table instead of the rows that it met. */
  rows?: TableRows;
}

const NO_LOOKUP = -1;
const ERROR = -22;

/** Gives the answer that the programs got: the result as they noted it, the MAC addresses as they wrote them. */
class RecordedFib implements FibHelper {
  run: HookRecord | undefined;
  asked: (FibParams & { rc: number }) | undefined;

  fibLookup(p: FibParams): number {
    const { before, after, result } = this.run!;
    const question = { ...p };
    const rc = result.fib < 0 ? ERROR : result.fib;
    if (rc === 0) {
      p.ifindex = result.redirectIfindex || before.ifindex;
      p.dmac = rdMac(after.frame, 0);
      p.smac = rdMac(after.frame, 6);
    }
    this.asked = { ...question, ifindex: p.ifindex, dmac: p.dmac, smac: p.smac, rc };
    return rc;
  }
}

/** More events at once than these are taken in the order in which they began. */
const MAX_CLUSTER = 6;

export class HookReplay {
  readonly tables: Tables = createTables();
  private readonly fib = new RecordedFib();
  private readonly reference = new Reference(this.tables, this.fib);
  private readonly skb = new Skb();

  /** Takes one event; undefined when it came out as it did. */
  apply(event: HookEvent, rules?: RuleCounter<HookRule>): Mismatch | undefined {
    return isHook(event) ? this.hook(event, rules) : this.write(event);
  }

  /** Takes all events; `each` is told of each with what was different, in the order that was taken, which is given back. */
  applyAll(
    events: readonly HookEvent[],
    each: (event: HookEvent, mismatch: Mismatch | undefined) => void,
    rules: RuleCounter<HookRule>,
  ): HookEvent[] {
    const taken: HookEvent[] = [];
    for (const cluster of clusters(events)) {
      let order: readonly HookEvent[] = cluster;
      if (cluster.length > 1 && cluster.length <= MAX_CLUSTER) {
        rules.use("order", cluster.length);
        order = this.orderOf(cluster);
      }
      for (const event of order) {
        taken.push(event);
        each(event, this.apply(event, rules));
      }
    }
    return taken;
  }

  /** The first order of overlapping events in which none is different; as they began where there is none. */
  private orderOf(cluster: readonly HookEvent[]): readonly HookEvent[] {
    const before = bytesOf(this.tables);
    for (const order of orders(cluster)) {
      const fits = order.every((event) => this.apply(event) === undefined);
      this.restore(before);
      if (fits) return order;
    }
    return cluster;
  }

  private restore(bytes: TableBytes): void {
    for (const name of TABLE_NAMES) {
      this.tables[name].clear();
      for (const [key, value] of bytes[name]) this.tables[name].update(key, value);
    }
  }

  /** Runs the reference on what went into a hook. */
  run(run: HookRecord): ReferenceRun {
    const { skb, fib, reference } = this;
    const { before } = run;
    skb.setFrame(before.frame);
    skb.ifindex = before.ifindex;
    skb.mark = before.mark;
    skb.gsoSize = before.gsoSize;
    skb.vlan = before.vlan;
    fib.run = run;
    fib.asked = undefined;
    const verdict = reference[run.hook](skb);
    const { ifindex, mark, gsoSize, vlan } = skb;
    const after = { frame: skb.frame(), ifindex, mark, gsoSize, vlan };
    return { after, verdict, result: { ...reference.last }, fib: fib.asked };
  }

  private hook(run: HookRecord, rules?: RuleCounter<HookRule>): Mismatch | undefined {
    const { before, after } = run;
    const made = this.run(run);
    const what: string[] = [];
    const same = (name: string, real: unknown, ours: unknown): void => {
      if (real !== ours) what.push(`${name} is ${real}, in the reference ${ours}`);
    };
    same("the verdict", run.verdict, made.verdict);
    for (const name of Object.keys(made.result) as (keyof HookResult)[])
      same(RESULT_NAMES[name], run.result[name], made.result[name]);
    if ((run.result.fib === NO_LOOKUP) !== (made.fib === undefined))
      what.push("only one of the two looked the route up");
    if (run.verdict !== TC_ACT_SHOT || made.verdict !== TC_ACT_SHOT) {
      for (const name of ["ifindex", "mark", "gsoSize", "vlan"] as const)
        same(FRAME_NAMES[name], after[name], made.after[name]);
      if (!equalBytes(after.frame, made.after.frame)) {
        if (equalButOffload(before.frame, after.frame, made.after.frame)) rules?.use("checksum-offload");
        else what.push("the frames are different");
      }
    }
    if (what.length > 0) return { event: run, what, reference: made };
    if (made.fib !== undefined) {
      rules?.use("fib-answer");
      if (rules !== undefined) this.onLookup?.(run, made);
    }
    return undefined;
  }

  /** Called for each lookup of a run that was equal. */
  onLookup?: (run: HookRecord, made: ReferenceRun) => void;

  private write(write: TableWrite): Mismatch | undefined {
    const table = this.tables[write.table];
    const what: string[] = [];
    const rows = write.key === undefined ? table.entries() : rowOf(table, write.key);
    if (write.met !== undefined && !sameRows(write.met, rows))
      what.push(`what stands in ${write.table} when the control plane writes there is not the same`);
    let failed = false;
    try {
      if (write.op === "clear") table.clear();
      else if (write.op === "delete") table.delete(write.key!);
      else table.update(write.key!, write.value!, write.flags);
    } catch (err) {
      if (!(err instanceof MapError)) throw err;
      failed = true;
    }
    if (failed !== write.failed)
      what.push(
        `${write.table} ${write.failed ? "refuses" : "takes"} a write that the reference ${failed ? "refuses" : "takes"}`,
      );
    return what.length === 0 ? undefined : { event: write, what, rows };
  }
}

function rowOf(table: BpfMap, key: Uint8Array): TableRows {
  const value = table.lookup(key);
  return value === undefined ? [] : [[key, value]];
}

/** Rows in any order. */
function sameRows(a: TableRows, b: TableRows): boolean {
  const text = (rows: TableRows): string[] => rows.map(([key, value]) => `${toHex(key)} ${toHex(value)}`).sort();
  return a.length === b.length && text(a).join() === text(b).join();
}

const RESULT_NAMES: Readonly<Record<keyof HookResult, string>> = {
  reason: "the reason",
  redirectIfindex: "the interface of the redirect",
  redirectIngress: "the redirect's direction",
  tunnel: "the entry's tunnel",
  group: "the entry's group",
  service: "the entry's service",
  fib: "the FIB's answer",
};
const FRAME_NAMES = {
  ifindex: "the interface",
  mark: "the mark",
  gsoSize: "the segment size",
  vlan: "the VLAN tag",
} as const;

const bytesOf = (tables: Tables): TableBytes =>
  Object.fromEntries(TABLE_NAMES.map((name) => [name, tables[name].entries()])) as never;

/** Events of a host in the order in which they began. */
export function eventsOf(history: HostHistory): HookEvent[] {
  const { hooks, writes } = history;
  const out: HookEvent[] = [];
  let w = 0;
  for (const hook of hooks) {
    while (w < writes.length && writes[w].startNs <= hook.startNs) out.push(writes[w++]);
    out.push(hook);
  }
  return [...out, ...writes.slice(w)];
}

/** Groups of events that overlap in time, one into the next. Writes follow each other, as the control plane made them. */
function* clusters(events: readonly HookEvent[]): Generator<HookEvent[]> {
  let group: HookEvent[] = [];
  let end = 0;
  for (const event of events) {
    if (group.length > 0 && event.startNs > end) {
      yield group;
      group = [];
      end = 0;
    }
    group.push(event);
    end = Math.max(end, event.endNs);
  }
  if (group.length > 0) yield group;
}

/** Every order that time allows: one event before another that began after its end. The order in which they began comes first. */
function* orders(events: readonly HookEvent[]): Generator<HookEvent[]> {
  if (events.length === 0) {
    yield [];
    return;
  }
  for (const first of events) {
    const rest = events.filter((e) => e !== first);
    if (
      rest.some(
        (e) => e.endNs < first.startNs || (!isHook(e) && !isHook(first) && events.indexOf(e) < events.indexOf(first)),
      )
    )
      continue;
    for (const order of orders(rest)) yield [first, ...order];
  }
}
