/** What `guelab diff` prints: a line for each level, the first difference as two decoded packets side by side, and the rules. */
import type { Difference, DiffPacket, DiffReport, LevelReport, RuleUse } from "../diff/types.ts";
import { toHex } from "../wire/bytes.ts";
import { dissect, flatten } from "../wire/dissect.ts";
import type { LayerNode } from "../wire/dissect-types.ts";
import { type Paint, plain } from "./paint.ts";
import { labTime } from "./trace.ts";

export interface DiffTextOptions {
  paint?: Paint;
  /** Columns of the terminal. */
  width?: number;
}

const DEFAULT_WIDTH = 110;
const MIN_WIDTH = 60;
/** Rows of tables that a difference shows. */
const MAX_ROWS = 10;

/** One scenario, without a line feed at the end. */
export function formatDiff(report: DiffReport, options: DiffTextOptions = {}): string {
  const paint = options.paint ?? plain;
  const width = Math.max(MIN_WIDTH, options.width ?? DEFAULT_WIDTH);
  const equal = report.verdict === "equal";
  const mark = equal ? paint("green", "✓") : paint("red", "✗");
  const where = `${report.scenario} · ${report.against} · ${report.dataPath} · ${report.real.counts.packets} packets`;
  const out = [`${mark} ${paint("bold", report.title)}  ${paint("dim", where)}`];
  for (const level of report.levels) {
    out.push(...levelLines(level, paint, width));
    if (level.first !== undefined) out.push(...differenceLines(level.first, paint, width));
    const more = level.differenceCount - 1;
    if (more > 0) out.push(paint("dim", `      and ${more} more ${more === 1 ? "difference" : "differences"}`));
  }
  if (report.captures !== undefined) {
    const { folder, real, reference, vector, report: json } = report.captures;
    const files = [real, reference, vector, json].filter((f) => f !== undefined).join(", ");
    out.push(`    written to ${folder}: ${files}`);
  }
  return out.join("\n");
}

/** What the rules that were used let differ, each with how often it was used in all reports. */
export function formatRules(reports: readonly DiffReport[], options: DiffTextOptions = {}): string {
  const paint = options.paint ?? plain;
  const width = Math.max(MIN_WIDTH, options.width ?? DEFAULT_WIDTH);
  const totals = new Map<string, RuleUse & { level: string }>();
  for (const level of reports.flatMap((r) => r.levels))
    for (const rule of level.rules) {
      const key = `${level.level} ${rule.name}`;
      const total = totals.get(key);
      if (total === undefined) totals.set(key, { ...rule, level: level.level });
      else total.count += rule.count;
    }
  if (totals.size === 0) return "";
  const out = ["Rules by which the real side is free:"];
  const sorted = [...totals.values()].sort((a, b) => a.level.localeCompare(b.level));
  for (const { level, name, text, count } of sorted) {
    out.push(`  ${level} ${paint("cyan", name)} (${count})`);
    out.push(...wrap(text, width - 6).map((line) => `      ${paint("dim", line)}`));
  }
  return out.join("\n");
}

/** The last line, where there are several scenarios. `failed`: those that could not be compared. */
export function formatDiffTotals(
  reports: readonly DiffReport[],
  failed: number,
  options: DiffTextOptions = {},
): string {
  const paint = options.paint ?? plain;
  const different = reports.filter((r) => r.verdict === "different").length;
  const parts = [`${reports.length} compared`, `${reports.length - different} equal`];
  if (different > 0) parts.push(paint("red", `${different} different`));
  if (failed > 0) parts.push(paint("red", `${failed} could not be compared`));
  return parts.join(", ");
}

/** The reports as one JSON document, frames as hex, ending in a line break. */
export function diffJson(reports: readonly DiffReport[]): string {
  const verdict = reports.every((r) => r.verdict === "equal") ? "equal" : "different";
  const plainBytes = (_key: string, value: unknown): unknown => (value instanceof Uint8Array ? toHex(value) : value);
  return `${JSON.stringify({ version: 1, verdict, scenarios: reports }, plainBytes, 2)}\n`;
}

function levelLines(level: LevelReport, paint: Paint, width: number): string[] {
  const { verdict } = level;
  const head = `  ${level.level} ${level.title.padEnd(13)}`;
  if (verdict === "not run") return [`${head}${paint("yellow", "not run")}: ${level.why}`];
  const said = verdict === "equal" ? paint("green", "equal    ") : paint("red", "different");
  const out = [`${head}${said}  ${level.counts.map((c) => `${c.name} ${c.count}`).join(", ")}`];
  const rules = level.rules.map((r) => `${r.name} ${r.count}`).join(", ");
  if (rules !== "")
    out.push(...wrap(`rules: ${rules}`, width - 17).map((line) => paint("dim", `                 ${line}`)));
  return out;
}

function differenceLines(d: Difference, paint: Paint, width: number): string[] {
  const time = d.timeNs === undefined ? "" : ` at ${labTime(d.timeNs).trim()} s`;
  const out = [`    ${paint("red", "first difference")}: ${d.where}${time}: ${d.what}`];
  for (const note of d.notes) out.push(...wrap(note, width - 6).map((line) => `      ${line}`));
  if (d.input !== undefined) out.push(`      in: ${clip(d.input.summary, width - 10)}`);
  if (d.real !== undefined || d.reference !== undefined) out.push(...sideBySide(d.real, d.reference, paint, width));
  for (const row of d.rows.slice(0, MAX_ROWS)) {
    out.push(`      ${[row.host, row.table].filter((w) => w !== "").join(" ")}: ${clip(row.key, width - 20)}`);
    out.push(`        real       ${clip(row.real ?? "-", width - 19)}`);
    out.push(`        reference  ${clip(row.reference ?? "-", width - 19)}`);
  }
  if (d.rows.length > MAX_ROWS) out.push(`      and ${d.rows.length - MAX_ROWS} more rows`);
  return out;
}

interface Line {
  /** Layer titles stand alone. */
  title?: string;
  name: string;
  real?: string;
  reference?: string;
}

/** Every field of both packets; those that differ are marked, so that they are found without colours, too. */
function sideBySide(
  real: DiffPacket | undefined,
  reference: DiffPacket | undefined,
  paint: Paint,
  width: number,
): string[] {
  const lines = pairs(real?.frame, reference?.frame);
  const nameWidth = Math.max(...lines.map((l) => l.name.length), 10);
  const column = Math.max(12, Math.floor((width - 11 - nameWidth) / 2));
  const cell = (text: string): string => clip(text, column).padEnd(column);
  const row = (mark: string, name: string, a: string, b: string): string =>
    `    ${mark} ${name.padEnd(nameWidth)}  ${cell(a)} | ${clip(b, column)}`.trimEnd();
  const both = real !== undefined && reference !== undefined;
  const out = [paint("bold", row(" ", "", "real", "reference"))];
  out.push(row(" ", "packet", real?.summary ?? "nothing", reference?.summary ?? "nothing"));
  for (const { title, name, real: a, reference: b } of lines) {
    if (title !== undefined) out.push(paint("dim", `      ${title}`));
    else if (!both || a === b) out.push(row(" ", name, a ?? "", b ?? ""));
    else out.push(paint("yellow", row("≠", name, a ?? "-", b ?? "-")));
  }
  return out;
}

function pairs(real: Uint8Array | undefined, reference: Uint8Array | undefined): Line[] {
  const theirs = real === undefined ? [] : flatten(dissect(real));
  const ours = reference === undefined ? [] : flatten(dissect(reference));
  const out: Line[] = [];
  for (let i = 0, j = 0; i < theirs.length || j < ours.length; ) {
    const [a, b] = [theirs[i], ours[j]];
    // Layers that both have stand beside each other; where one has a layer more (a tunnel header), it stands alone.
    const pair = a !== undefined && b !== undefined && a.name === b.name;
    const aloneA = a !== undefined && !pair && (b === undefined || !ours.slice(j).some((l) => l.name === a.name));
    if (pair || (a !== undefined && b === undefined) || aloneA) i++;
    if (pair || !(aloneA || (a !== undefined && b === undefined))) j++;
    const left = pair || aloneA || b === undefined ? a : undefined;
    const right = pair || left === undefined ? b : undefined;
    out.push({ title: (left ?? right)?.title, name: "" }, ...fieldPairs(left, right));
  }
  return out;
}

function fieldPairs(a: LayerNode | undefined, b: LayerNode | undefined): Line[] {
  const names = new Set([...(a?.fields ?? []), ...(b?.fields ?? [])].map((f) => f.name));
  const textOf = (layer: LayerNode | undefined, name: string): string | undefined =>
    layer?.fields.find((f) => f.name === name)?.text;
  return [...names].map((name) => ({ name, real: textOf(a, name), reference: textOf(b, name) }));
}

const clip = (text: string, width: number): string =>
  text.length <= width ? text : `${text.slice(0, Math.max(1, width - 1))}…`;

function wrap(text: string, width: number): string[] {
  const out: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      out.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...out, line];
}
