/** Runs a hook of the reference once more, on a recorded frame with the tables of that moment, and keeps what it looked up. */
import { BPF_FIB_LKUP_RET_SUCCESS, type FibHelper, type FibParams, type HookResult } from "../dataplane/datapath.ts";
import { Reference } from "../dataplane/reference.ts";
import { Skb } from "../dataplane/skb.ts";
import { rowLine, type TableRow, tableRow } from "../scenario/table-rows.ts";
import { wrLe32 } from "../tables/layout.ts";
import { REASON_NAMES, REASONS, type ReasonName } from "../tables/reasons.ts";
import { TABLE_NAMES, TABLES, type TableName } from "../tables/schema.ts";
import type { Tables } from "../tables/tables.ts";
import { wr32 } from "../wire/bytes.ts";
import { ethDst, ethSrc } from "../wire/ethernet.ts";
import { type WatchedMap, watchedTables } from "./watched-map.ts";

export interface HookInput {
  hook: "ingress" | "egress";
  ifindex: number;
  frame: Uint8Array;
  gso: number;
  vlan: number;
  tables: Tables;
  fib: FibHelper;
}

/** One lookup by the data path. */
export interface Lookup {
  table: TableName;
  key: string;
  /** The entry that was found, as it was found. */
  row?: TableRow;
  /** The same in one line. */
  entry?: string;
}

export interface HookRun {
  reason: ReasonName;
  result: HookResult;
  /** The frame as the hook leaves it. */
  after: Uint8Array;
  lookups: Lookup[];
  /** What was counted beside the reason. */
  notes: ReasonName[];
}

/** What bpf_fib_lookup answered in the recorded run: its result, and the MAC addresses and interface that came of it. */
export class RecordedFib implements FibHelper {
  private readonly rc: number;
  private readonly after: Uint8Array;
  private readonly ifindex: number;

  /** `rc`: as in HookResult.fib; `after`: the frame that left the hook; `ifindex`: where the packet went. */
  constructor(rc: number, after: Uint8Array, ifindex: number) {
    this.rc = rc === -2 ? -1 : rc;
    this.after = after;
    this.ifindex = ifindex;
  }

  fibLookup(p: FibParams): number {
    if (this.rc !== BPF_FIB_LKUP_RET_SUCCESS) return this.rc;
    p.ifindex = this.ifindex;
    p.dmac = ethDst(this.after, 0);
    p.smac = ethSrc(this.after, 0);
    return this.rc;
  }
}

export function runHook(input: HookInput): HookRun {
  const lookups: Lookup[] = [];
  let silent = true;
  const tables = watchedTables({
    looked: (map, entry, ...words) => {
      if (!silent) lookups.push(lookupOf(map, entry, words));
    },
    wrote: () => {},
    gone: () => {},
  });
  for (const name of TABLE_NAMES)
    for (const [key, value] of input.tables[name].entries()) tables[name].update(key, value);
  const before = counts(tables);
  const dataPath = new Reference(tables, input.fib);
  const skb = new Skb(0);
  skb.setFrame(input.frame);
  skb.ifindex = input.ifindex;
  skb.gsoSize = input.gso;
  skb.vlan = input.vlan;
  silent = false;
  if (input.hook === "ingress") dataPath.ingress(skb);
  else dataPath.egress(skb);
  silent = true;
  const now = counts(tables);
  const notes = REASON_NAMES.filter((name, i) => REASONS[name].outcome === "note" && now[i] !== before[i]);
  return {
    reason: REASON_NAMES[dataPath.last.reason],
    result: { ...dataPath.last },
    after: skb.frame(),
    lookups,
    notes,
  };
}

function counts(tables: Tables): number[] {
  const { values, valueSize } = tables.REASON;
  return REASON_NAMES.map((_, i) => TABLES.REASON.value.decode(values, i * valueSize).value);
}

function lookupOf(map: WatchedMap, entry: number, words: readonly number[]): Lookup {
  const { name } = map;
  const key = new Uint8Array(TABLES[name].key.size);
  const wr = "value" in map.def.key.fields ? wrLe32 : wr32;
  for (let i = 0; i < key.length / 4; i++) wr(key, i * 4, words[i] >>> 0);
  const off = map.valueOffset(entry);
  const value = entry < 0 ? new Uint8Array(map.valueSize) : map.values.slice(off, off + map.valueSize);
  const row = tableRow(name, key, value);
  return entry < 0 ? { table: name, key: row.key } : { table: name, key: row.key, row, entry: rowLine(row) };
}
