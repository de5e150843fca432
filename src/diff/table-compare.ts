/** The tables of two runs' ends, row by row, with the rows' keys and fields named alike. */
import type { RunReport, TableReport } from "../scenario/report-types.ts";
import type { FlowContext } from "./flows.ts";
import type { RowDifference } from "./types.ts";

/** By `host TABLE`: key -> fields as text. */
type Rows = Map<string, Map<string, string>>;

/** Reasons that a table has or has not by the time of ARP and of the control plane. */
const BACKGROUND = new Set(["PASS_NOT_IPV4", "PASS_NO_CONFIG", "PING_CONSUMED"]);

export interface TableComparison {
  rows: number;
  differences: RowDifference[];
}

export function compareTables(real: RunReport, reference: RunReport, ctx: FlowContext): TableComparison {
  const theirs = normalise(real.tables, ctx);
  const ours = normalise(reference.tables, ctx);
  const differences: RowDifference[] = [];
  let rows = 0;
  for (const name of new Set([...theirs.keys(), ...ours.keys()])) {
    const [host, table] = name.split(" ");
    const a = theirs.get(name) ?? new Map<string, string>();
    const b = ours.get(name) ?? new Map<string, string>();
    for (const key of new Set([...a.keys(), ...b.keys()])) {
      rows++;
      const [x, y] = [a.get(key), b.get(key)];
      if (x !== y) differences.push({ host, table, key, real: x, reference: y });
    }
  }
  return { rows, differences };
}

function normalise(tables: readonly TableReport[], ctx: FlowContext): Rows {
  const out: Rows = new Map();
  for (const t of tables) {
    const rows = new Map<string, string>();
    const alike = new Map<string, string[]>();
    for (const [i, cells] of t.rows.entries()) {
      const row = normaliseRow(t, cells, i, ctx);
      if (row !== undefined) alike.set(row.key, [...(alike.get(row.key) ?? []), row.text]);
    }
    // Rows that differ by an ephemeral port alone are in no order.
    for (const [key, texts] of alike)
      for (const [i, text] of texts.sort().entries()) rows.set(i > 0 ? `${key} (${i + 1})` : key, text);
    // A table beyond what a report keeps is compared by its size.
    if (t.total > t.rows.length) rows.set("entries in all", String(t.total));
    if (rows.size > 0) out.set(`${t.host} ${t.table}`, rows);
  }
  return out;
}

function normaliseRow(
  { table, columns }: TableReport,
  [key, ...values]: readonly string[],
  index: number,
  ctx: FlowContext,
): { key: string; text: string } | undefined {
  const { rules } = ctx;
  const fields = columns.slice(1).map((name, i) => ({ name, value: values[i] }));
  const text = (keep: (name: string) => boolean = () => true): string =>
    fields.map(({ name, value }) => `${name} ${keep(name) ? portsNamed(value, ctx) : "*"}`).join(", ");
  switch (table) {
    case "STATS":
      rules.use("stats-counter");
      return { key: `interface ${index + 1}`, text: "counts" };
    case "CONFIG":
      rules.use("ifindex");
      return { key: `interface ${index + 1}`, text: text() };
    case "REASON":
      rules.use(BACKGROUND.has(key) ? "reason-background" : "reason-counter");
      return BACKGROUND.has(key) ? undefined : { key, text: "counted" };
    case "EPOCH":
      rules.use("epoch");
      return undefined;
    case "SESSION":
      rules.use("epoch");
      return { key: portsNamed(key, ctx), text: text((name) => name !== "epoch") };
    default:
      return { key: portsNamed(key, ctx), text: text() };
  }
}

/** Ephemeral ports of endpoints as `~`. */
const portsNamed = (value: string, { ports, rules }: FlowContext): string =>
  value.replace(/(\d+\.\d+\.\d+\.\d+):(\d+)/g, (whole, ip: string, port: string) => {
    if (ports.has(Number(port))) return whole;
    rules.use("ephemeral-port");
    return `${ip}:~`;
  });
