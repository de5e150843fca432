/**
 * Runs packet vectors on any data path and judges what came out. A `VectorTarget` is all that this knows of the data path:
 * tables as bytes, the two hooks, and a way to say what the FIB answers.
 */
import { REASON_NAMES, TC_ACT_REDIRECT, TC_ACT_SHOT } from "../tables/reasons.ts";
import { createTables, type TableStores } from "../tables/tables.ts";
import { bytesEqual, toHex } from "../wire/bytes.ts";
import {
  BPF_FIB_LKUP_RET_NOT_FWDED,
  BPF_FIB_LKUP_RET_SUCCESS,
  type DataPath,
  type FibHelper,
  type FibParams,
  type Verdict,
} from "./datapath.ts";
import { Reference } from "./reference.ts";
import { Skb } from "./skb.ts";
import { type FibRow, fillTables, type Vector, type VectorPacket, type VectorRow } from "./vector.ts";
import type { Json, JsonObject } from "./vector-check.ts";
import { TABLE_TEXT, tablesToText } from "./vector-text.ts";

/** A data path that vectors can drive; it is reused from vector to vector. */
export interface VectorTarget {
  /** Cleared and filled before a vector, printed after it. */
  readonly tables: TableStores;
  readonly dataPath: DataPath;
  /** Sets what bpf_fib_lookup answers from now on; a destination that is not there fails with NOT_FWDED. */
  setFib(rows: readonly FibRow[]): void;
}

/** One value that is not as wanted. */
export interface Mismatch {
  /** `packet 1 reason`, `after tunnel 65636`. */
  what: string;
  want: Json;
  got: Json;
}

export interface VectorResult {
  /** The vector with verdict, reason, out, redirect in each packet, and all tables under `after`. */
  json: JsonObject;
  mismatches: Mismatch[];
}

/** A FIB with one answer per destination address. */
export class VectorFib implements FibHelper {
  private readonly rows = new Map<number, FibRow>();

  set(rows: readonly FibRow[]): void {
    this.rows.clear();
    for (const row of rows) this.rows.set(row.daddr, row);
  }

  fibLookup(p: FibParams): number {
    const row = this.rows.get(p.daddr);
    if (row === undefined) return BPF_FIB_LKUP_RET_NOT_FWDED;
    if (row.rc === BPF_FIB_LKUP_RET_SUCCESS) {
      p.ifindex = row.ifindex;
      p.smac = row.smac;
      p.dmac = row.dmac;
    }
    return row.rc;
  }
}

/** The reference data path with tables of its own. */
export function referenceTarget(): VectorTarget {
  const tables = createTables();
  const fib = new VectorFib();
  return { tables, dataPath: new Reference(tables, fib), setFib: (rows) => fib.set(rows) };
}

/** Runs the packets in order; they share the tables. Throws LabError when a table cannot hold its rows. */
export function runVector(vector: Vector, target: VectorTarget = referenceTarget()): VectorResult {
  const { tables, dataPath } = target;
  for (const store of Object.values(tables)) store.clear();
  fillTables(tables, vector);
  target.setFib(vector.fib);

  const mismatches: Mismatch[] = [];
  const given = vector.json.packets as JsonObject[];
  const packets = vector.packets.map((packet, i) => {
    const result = runPacket(dataPath, packet);
    for (const [name, want] of Object.entries(packet.want))
      if (!same(want, result[name] ?? null))
        mismatches.push({ what: `packet ${i + 1} ${name}`, want, got: result[name] ?? null });
    return { ...given[i], ...result };
  });
  for (const row of vector.wantAfter) checkRow(tables, row, mismatches);
  return { json: { ...vector.json, packets, after: tablesToText(tables) }, mismatches };
}

function runPacket(dataPath: DataPath, packet: VectorPacket): JsonObject {
  const skb = new Skb(0);
  skb.setFrame(packet.frame);
  skb.ifindex = packet.ifindex;
  skb.gsoSize = packet.gsoSize;
  if (packet.vlan >= 0) skb.vlan = 0x10000 | packet.vlan;
  const verdict: Verdict = packet.hook === "ingress" ? dataPath.ingress(skb) : dataPath.egress(skb);
  const { reason, redirectIfindex, redirectIngress } = dataPath.last;
  const out: JsonObject = {
    verdict: verdict === TC_ACT_SHOT ? "drop" : verdict === TC_ACT_REDIRECT ? "redirect" : "pass",
    reason: REASON_NAMES[reason] ?? String(reason),
    out: verdict === TC_ACT_SHOT ? null : toHex(skb.buf, skb.head, skb.end),
  };
  if (verdict === TC_ACT_REDIRECT) out.redirect = { ifindex: redirectIfindex, ingress: redirectIngress };
  return out;
}

function checkRow(tables: TableStores, row: VectorRow, mismatches: Mismatch[]): void {
  const text = row.name === "epoch" ? undefined : TABLE_TEXT[row.name];
  const store = tables[text?.table ?? "EPOCH"];
  let got = store.lookup(row.key);
  // A counter that never counted is absent to people, though the array always has its slot.
  if (row.name === "reasons" && row.value === undefined && got?.every((b) => b === 0)) got = undefined;
  if (got === row.value || (got && row.value && bytesEqual(got, 0, row.value, 0, got.length))) return;
  const show = (v: Uint8Array | undefined): Json =>
    v === undefined ? null : text ? text.formatValue(v) : (store.def.value.decode(v).value as number);
  mismatches.push({ what: `after ${row.name} ${row.keyText}`.trim(), want: show(row.value), got: show(got) });
}

/** Deep equality of JSON, whatever the order of members. */
function same(a: Json, b: Json): boolean {
  if (a === b) return true;
  if (a === null || b === null || typeof a !== "object" || typeof b !== "object") return false;
  if (Array.isArray(a) || Array.isArray(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((n) => Object.hasOwn(b, n) && same(a[n], b[n]));
}

/** The first difference for people: two short values, or for frames the first byte that differs and what is around it. */
export function formatMismatch(m: Mismatch): string {
  if (typeof m.want === "string" && typeof m.got === "string" && m.what.endsWith(" out"))
    return frameDifference(m.what, m.want, m.got);
  return `${m.what}: want ${JSON.stringify(m.want)}, got ${JSON.stringify(m.got)}`;
}

function frameDifference(what: string, want: string, got: string): string {
  let i = 0;
  while (i < want.length && want.slice(i, i + 2) === got.slice(i, i + 2)) i += 2;
  const from = Math.max(0, i - 8);
  const cut = (s: string) => `${from > 0 ? ".." : ""}${s.slice(from, i + 24)}${s.length > i + 24 ? ".." : ""}`;
  const lengths = want.length === got.length ? "" : ` (want ${want.length / 2} bytes, got ${got.length / 2})`;
  return `${what}: differs at byte ${i / 2}${lengths}: want ${cut(want)}, got ${cut(got)}`;
}
