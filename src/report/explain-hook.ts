/**
 * What the reference data path does with one frame under given tables, and why: verdict, reason, the table entry that
 * decided, the rows it changed, and the frame before and after with the changed bytes marked.
 */
import { BPF_FIB_LKUP_RET_SUCCESS } from "../dataplane/datapath.ts";
import { skbFrom } from "../dataplane/skb.ts";
import { fillTables, type Vector } from "../dataplane/vector.ts";
import { referenceTarget } from "../dataplane/vector-run.ts";
import { tableRows } from "../scenario/table-rows.ts";
import { fibNote, REASON_NAMES, REASONS } from "../tables/reasons.ts";
import { TABLE_NAMES, TABLES, type TableName, TX_PROXY } from "../tables/schema.ts";
import type { TableStores } from "../tables/tables.ts";
import { dissect, flatten } from "../wire/dissect.ts";
import { ETH_HLEN } from "../wire/ethernet.ts";
import { hexdump } from "../wire/hexdump.ts";
import { summary } from "../wire/summary.ts";
import { entryText } from "./hook-text.ts";
import { type Paint, plain, type Style } from "./paint.ts";

export interface HookQuestion {
  hook: "ingress" | "egress";
  ifindex: number;
  frame: Uint8Array;
  /** Rows and FIB; the vector's packets are not used. */
  tables: Vector;
}

export interface HookAnswer {
  outcome: string;
  reason: string;
  text: string;
  /** `ENCAP -> tunnel 65736 group 1 service 200`, or empty. */
  entry: string;
  /** Where a redirect goes: `out of interface 7`. */
  redirect: string;
  /** What bpf_fib_lookup said, or empty. */
  fib: string;
  /** The frame as the hook leaves it; undefined when it was dropped. */
  after: Uint8Array | undefined;
  /** Table rows that changed, `TUNNEL 65736: remote 0.0.0.0:0 -> 172.1.0.5:6000`. */
  changes: string[];
}

/** Runs the hook once on tables of its own. Throws LabError where the tables cannot hold their rows. */
function askHook(q: HookQuestion): HookAnswer {
  const target = referenceTarget();
  fillTables(target.tables, q.tables);
  target.setFib(q.tables.fib);
  const before = rowsOf(target.tables);
  const config = target.tables.CONFIG.lookup(TABLES.CONFIG.key.encode({ value: q.ifindex }));
  const isProxy = config !== undefined && (TABLES.CONFIG.value.decode(config).tx & TX_PROXY) !== 0;
  const skb = skbFrom(q.frame, q.ifindex);
  const { dataPath } = target;
  if (q.hook === "ingress") dataPath.ingress(skb);
  else dataPath.egress(skb);
  const { last } = dataPath;
  const name = REASON_NAMES[last.reason];
  const def = REASONS[name];
  const note = { ...last, hook: q.hook, lenBefore: q.frame.length };
  const redirect = last.redirectIngress ? "to the ingress of" : "out of";
  return {
    outcome: def.outcome,
    reason: name,
    text: def.text,
    entry: entryText(note, isProxy),
    redirect: def.outcome === "redirect" ? `${redirect} interface ${last.redirectIfindex}` : "",
    fib: last.fib === -1 ? "" : fibText(last.fib),
    after: def.outcome === "drop" ? undefined : skb.frame(),
    changes: rowChanges(before, rowsOf(target.tables)),
  };
}

function fibText(rc: number): string {
  const text = REASONS[REASON_NAMES[fibNote(rc)]].text;
  return rc === BPF_FIB_LKUP_RET_SUCCESS
    ? `${text}, the MAC addresses are set`
    : `${text} (${rc}), the MAC addresses stay`;
}

type Rows = Map<string, Record<string, string>>;

/** Rows by `TABLE key`; the counters say nothing new and are left out. */
function rowsOf(stores: TableStores): Rows {
  const out: Rows = new Map();
  for (const name of TABLE_NAMES.filter((n: TableName) => n !== "REASON" && n !== "STATS"))
    for (const row of tableRows(stores[name])) out.set(`${name} ${row.key}`, row.fields);
  return out;
}

function rowChanges(before: Rows, after: Rows): string[] {
  const out: string[] = [];
  for (const [key, fields] of after) {
    const old = before.get(key);
    const changed = Object.entries(fields).filter(([f, v]) => old?.[f] !== v);
    if (changed.length > 0)
      out.push(`${key}: ${changed.map(([f, v]) => (old ? `${f} ${old[f]} -> ${v}` : `${f} ${v}`)).join(", ")}`);
  }
  for (const key of before.keys()) if (!after.has(key)) out.push(`${key}: removed`);
  return out;
}

/** Which bytes of either frame have no equal at their place in the other. */
function changedBytes(before: Uint8Array, after: Uint8Array): { before: Set<number>; after: Set<number> } {
  const delta = after.length - before.length;
  const marks = { before: new Set<number>(), after: new Set<number>() };
  // Encap and decap insert and remove bytes right behind the MAC header.
  const [added, removed] = [Math.max(0, delta), Math.max(0, -delta)];
  for (let i = 0; i < added; i++) marks.after.add(ETH_HLEN + i);
  for (let i = 0; i < removed; i++) marks.before.add(ETH_HLEN + i);
  const head = Math.min(ETH_HLEN, before.length, after.length);
  const compare = (i: number, j: number): void => {
    if (before[i] === after[j]) return;
    marks.before.add(i);
    marks.after.add(j);
  };
  for (let i = 0; i < head; i++) compare(i, i);
  for (let i = ETH_HLEN + removed, j = ETH_HLEN + added; i < before.length; i++, j++) compare(i, j);
  return marks;
}

/** A dump whose marked bytes are painted, and underlined with `^^` so that they show without colour as well. */
function markedDump(frame: Uint8Array, marks: ReadonlySet<number>, paint: Paint = plain): string[] {
  return hexdump(frame).flatMap((line, row) => {
    const text = `  ${line.slice(1)}`;
    let under = "";
    let painted = "";
    let at = 0;
    for (let i = row * 16; i < Math.min(frame.length, row * 16 + 16); i++) {
      if (!marks.has(i)) continue;
      const k = i - row * 16;
      const column = 2 + "0x0000:  ".length + k * 2 + (k >> 1);
      under = `${under.padEnd(column)}^^`;
      painted += text.slice(at, column) + paint("yellow", text.slice(column, column + 2));
      at = column + 2;
    }
    return under === "" ? [text] : [painted + text.slice(at), under];
  });
}

const VERBS: Record<string, string> = { pass: "passes", drop: "drops", redirect: "redirects" };
const STYLE: Record<string, Style> = { pass: "green", drop: "red", redirect: "yellow" };

/** The answer as lines. */
export function explainHook(q: HookQuestion, paint: Paint = plain): string[] {
  const a = askHook(q);
  // A ping has done its work: TC_ACT_SHOT, but no loss.
  const verb = a.reason === "PING_CONSUMED" ? "takes" : VERBS[a.outcome];
  const out = [
    `${paint("bold", `The ${q.hook} hook of interface ${q.ifindex}`)} ${paint(STYLE[a.outcome] ?? "bold", verb)} it: ${a.text} ${paint("dim", `(${a.reason})`)}`,
  ];
  if (a.entry) out.push(`  decided by ${a.entry}`);
  if (a.redirect) out.push(`  sent ${a.redirect}`);
  if (a.fib) out.push(`  ${a.fib}`);
  for (const change of a.changes) out.push(`  changed ${change}`);
  if (!a.after) return out;
  const marks = changedBytes(q.frame, a.after);
  if (marks.before.size + marks.after.size === 0) return [...out, "  the frame is unchanged"];
  out.push("", `${paint("bold", "Before")} ${paint("dim", `${q.frame.length} bytes`)}  ${summary(q.frame)}`);
  out.push(...markedDump(q.frame, marks.before, paint));
  out.push(`${paint("bold", "After")} ${paint("dim", `${a.after.length} bytes`)}  ${summary(a.after)}`);
  out.push(...markedDump(a.after, marks.after, paint), ...fieldChanges(q.frame, a.after));
  return out;
}

/** Fields that changed, where the frame kept its layers. */
function fieldChanges(before: Uint8Array, after: Uint8Array): string[] {
  const [old, now] = [flatten(dissect(before)), flatten(dissect(after))];
  if (old.map((l) => l.name).join() !== now.map((l) => l.name).join()) return [];
  return now.flatMap((l, i) =>
    l.fields.flatMap((f, j) => {
      const was = old[i].fields[j];
      return was && was.name === f.name && was.text !== f.text
        ? [`  ${l.title} ${f.name}: ${was.text} -> ${f.text}`]
        : [];
    }),
  );
}
