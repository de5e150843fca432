/** Tables as pfc_list prints them: a `TABLE-TUNNEL:` line each, aligned columns under it. */
import { REASONS, type ReasonName } from "../tables/reasons.ts";
import { TABLE_NAMES, type TableName } from "../tables/schema.ts";
import type { TableStores } from "../tables/tables.ts";
import { fieldNames, tableRows } from "./table-rows.ts";

/** Puts a style around a text; without one the text stays as it is (src/report/paint.ts has one for terminals). */
export type TextPaint = (style: "bold" | "dim", text: string) => string;
const plain: TextPaint = (_style, text) => text;

/** What the key column of each table is called. */
const KEY_NAMES: Record<TableName, string> = {
  CONFIG: "ifindex",
  TUNNEL: "tunnel",
  DECAP: "local",
  ENCAP: "backend",
  SESSION: "client > backend",
  VERIFY: "group/service",
  DNAT: "proxy",
  SNAT: "backend",
  EPOCH: "slot",
  STATS: "ifindex",
  REASON: "reason",
};

/** Heading of a table's key column; `key` for a table that is not known here. */
export const keyName = (table: string): string =>
  Object.hasOwn(KEY_NAMES, table) ? KEY_NAMES[table as TableName] : "key";

/** Rows in columns two blanks apart; the last column is not padded. */
export function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
    });
  return rows.map((row) => row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]))).join("  "));
}

/** One table: its heading, the column names and the rows; an empty one says so. */
export function formatTable(
  table: string,
  columns: readonly string[],
  rows: readonly (readonly string[])[],
  paint: TextPaint = plain,
): string[] {
  if (rows.length === 0) return [`${paint("bold", `TABLE-${table}:`)} empty`];
  const [header, ...lines] = alignColumns([columns, ...rows]);
  return [paint("bold", `TABLE-${table}:`), `  ${paint("dim", header)}`, ...lines.map((line) => `  ${line}`)];
}

export interface TableListing {
  /** Also tables without entries (pfc_list shows them; a report does not). */
  empty?: boolean;
  /** Which tables, in this order; all by default. */
  names?: readonly TableName[];
  paint?: TextPaint;
}

/** A host's tables. Counters carry the text of their reason. */
export function formatTables(stores: TableStores, options: TableListing = {}): string[] {
  const out: string[] = [];
  for (const name of options.names ?? TABLE_NAMES) {
    const rows = tableRows(stores[name]).map((row) => [row.key, ...Object.values(row.fields)]);
    if (rows.length === 0 && options.empty === false) continue;
    const columns = [KEY_NAMES[name], ...fieldNames(name)];
    if (name === "REASON") {
      columns.push("meaning");
      for (const row of rows) row.push(reasonText(row[0]));
    }
    out.push(...formatTable(name, columns, rows, options.paint));
  }
  return out;
}

/** The text of a reason by name; empty for a name that is none. */
export function reasonText(name: string): string {
  return Object.hasOwn(REASONS, name) ? REASONS[name as ReasonName].text : "";
}
