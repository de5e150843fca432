/**
 * Checks on a lab's state. Each is compiled when the scenario is read, from a line of text (until.ts) or an object
 * (expect-state.ts), and evaluated when its step comes, or again and again for `until`.
 */
import type { Position } from "../errors.ts";
import type { TableName } from "../tables/schema.ts";
import type { Matcher } from "./expect.ts";
import type { Lab } from "./lab.ts";
import type { CheckReport } from "./report-types.ts";
import { rowLine, type TableRow, tableRow, tableRows } from "./table-rows.ts";

/** How many packets and drops were recorded at some moment. */
export interface Mark {
  packets: number;
  drops: number;
}

/** What a check may look at. */
export interface StateContext {
  lab: Lab;
  /** When a step started: "start" is the beginning, "step" the last command's step, else a step's name. */
  mark(name: string): Mark;
}

export interface StateCheck {
  /** As written, or as a sentence. */
  readonly text: string;
  readonly position?: Position;
  /** Name of the step since which packets and drops count; checked when the scenario is read. */
  readonly since?: string;
  evaluate(ctx: StateContext): CheckReport;
}

/** Lines of context shown with a failed check. */
const CONTEXT_LINES = 8;

export interface TableQuery {
  host: string;
  table: TableName;
  /** Undefined: all rows. */
  key?: { text: string; bytes: Uint8Array };
  fields: { name: string; matcher: Matcher }[];
  /** How many rows must match; undefined: at least one. */
  count?: Matcher;
}

/** A check on a table of a host. `absent` is a count of 0. A host where no data path was started has empty tables. */
export function tableCheck(text: string, query: TableQuery, position?: Position): StateCheck {
  const { table, key, fields, count } = query;
  const matches = (row: TableRow): boolean => fields.every((f) => f.matcher.test(row.fields[f.name]));
  return {
    text,
    position,
    evaluate({ lab }) {
      const store = lab.tables(query.host)?.[table];
      const value = key && store?.lookup(key.bytes);
      const candidates = !store ? [] : !key ? tableRows(store) : value ? [tableRow(table, key.bytes, value)] : [];
      const found = candidates.filter(matches).length;
      const ok = count ? count.test(found) : found > 0;
      if (ok) return { ok, text, expected: "", actual: "", detail: [], position };
      const wanted = fields.map((f) => `${f.name} ${f.matcher.text}`).join(", ");
      const expected = count ? `${count.text} rows${wanted ? ` with ${wanted}` : ""}` : wanted || "an entry";
      const actual = count
        ? `${found} rows`
        : key && candidates.length > 0
          ? rowLine(candidates[0])
          : !store
            ? "the data path was never started there"
            : key
              ? `no entry ${key.text} in ${table}`
              : `none of ${candidates.length} rows`;
      const others = store && !(key && candidates.length > 0) ? tableRows(store) : [];
      return { ok, text, expected, actual, detail: clip(others.map(rowLine)), position };
    },
  };
}

/** The first lines, and how many more there are. */
export function clip(lines: readonly string[], max = CONTEXT_LINES): string[] {
  return lines.length <= max ? [...lines] : [...lines.slice(0, max), `... and ${lines.length - max} more`];
}

/** A check on some list of lines or numbers of a host. */
export function listCheck(
  text: string,
  read: (lab: Lab) => { actual: string; ok: boolean; lines: readonly string[] },
  expected: string,
  position?: Position,
): StateCheck {
  return {
    text,
    position,
    evaluate({ lab }) {
      const { ok, actual, lines } = read(lab);
      return ok
        ? { ok, text, expected: "", actual: "", detail: [], position }
        : { ok, text, expected, actual, detail: clip(lines), position };
    },
  };
}
