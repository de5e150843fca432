/**
 * What `guelab run` prints of a scenario: its steps with virtual times, what they printed, what was expected and found,
 * the packets that were lost and why, the tables afterwards and the counters.
 */
import type {
  CheckReport,
  DropNote,
  FailureReport,
  RunReport,
  StepReport,
  TableReport,
} from "../scenario/report-types.ts";
import { alignColumns, formatTable, keyName, reasonText } from "../scenario/table-print.ts";
import { type Paint, plain } from "./paint.ts";
import { labTime } from "./trace.ts";

export interface ConsoleOptions {
  paint?: Paint;
  /** "full": every step with its output, tables and counters; "failures": passed scenarios in one line. */
  detail?: "full" | "failures";
  /** Packets by steps, as `traceBySteps` gives them; shown with "full". */
  trace?: readonly (readonly string[])[];
}

const MAX_OUTPUT = 12;
const MAX_DROPS = 15;

/** A whole scenario as text, without a line feed at the end. */
export function formatReport(report: RunReport, options: ConsoleOptions = {}): string {
  const paint = options.paint ?? plain;
  const passed = report.status === "passed";
  const out = [titleLine(report, paint)];
  if (options.detail === "failures" && passed) return out[0];
  const { trace = [] } = options;
  if (options.detail !== "failures") out.push(...(trace[0] ?? []));
  for (const [i, step] of report.steps.entries()) {
    out.push(...stepLines(step, "  ", paint, options.detail === "failures"));
    if (options.detail !== "failures") out.push(...(trace[i + 1] ?? []));
  }
  if (report.error) out.push(...failureLines(report.error, "  ", paint));
  if (options.detail !== "failures") {
    out.push(...dropLines(report.drops, paint), ...tableLines(report.tables, paint));
    out.push("", resultLine(report, paint));
  } else if (report.drops.length > 0) out.push(...dropLines(report.drops, paint));
  return out.join("\n");
}

function titleLine(report: RunReport, paint: Paint): string {
  const mark = report.status === "passed" ? paint("green", "✓") : paint("red", "✗");
  const where = `${report.file} · ${report.lab} · seed ${report.seed} · ${labTime(report.timeNs).trim()} s`;
  return `${mark} ${paint("bold", report.title)}  ${paint("dim", where)}`;
}

function stepLines(step: StepReport, indent: string, paint: Paint, onlyFailed: boolean): string[] {
  if (onlyFailed && step.status !== "failed") return [];
  const mark = { passed: paint("green", "✓"), failed: paint("red", "✗"), skipped: paint("yellow", "-") }[step.status];
  const named = step.command !== undefined && step.command !== step.title;
  const refused = step.refused ? paint("dim", `  refused as expected: ${step.refused}`) : "";
  const deeper = `${indent}              `;
  // Several conditions without a name of their own stand below each other.
  const several = step.kind === "expect" && step.checks.length > 1 && step.title.includes(" and ");
  const title = several ? "expect" : step.title;
  const out = [`${indent}${mark} ${paint("dim", labTime(step.endNs))}  ${title}${refused}`];
  if (several) for (const check of step.checks) if (check.ok) out.push(`${deeper}${paint("dim", "·")} ${check.text}`);
  if (named) out.push(`${deeper}${paint("dim", `$ ${step.command}`)}`);
  const cut = step.status === "failed" ? Number.POSITIVE_INFINITY : MAX_OUTPUT;
  const output = step.output.flatMap((text) => text.split("\n"));
  for (const line of output.slice(0, cut)) out.push(`${deeper}${paint("dim", "│")} ${line}`.trimEnd());
  if (output.length > cut) out.push(`${deeper}${paint("dim", `│ ... ${output.length - cut} more lines`)}`);
  for (const check of step.checks) if (!check.ok) out.push(...checkLines(check, deeper, paint));
  for (const failure of step.failures) out.push(...failureLines(failure, deeper, paint));
  if (step.status === "failed")
    for (const d of step.drops.slice(0, MAX_DROPS)) out.push(`${deeper}${paint("yellow", "lost")} ${dropNote(d)}`);
  for (const inner of step.steps) out.push(...stepLines(inner, `${indent}  `, paint, onlyFailed));
  return out;
}

function position(p: CheckReport["position"]): string {
  return p ? `  (${p.file}:${p.line}:${p.column})` : "";
}

function checkLines(check: CheckReport, indent: string, paint: Paint): string[] {
  return [
    `${indent}${paint("red", "✗")} ${check.text}${paint("dim", position(check.position))}`,
    ...labelled("expected", check.expected, indent, paint, "green"),
    ...labelled("actual", check.actual, indent, paint, "red"),
    ...check.detail.map((line) => `${indent}    ${paint("dim", line)}`),
  ];
}

function failureLines(f: FailureReport, indent: string, paint: Paint): string[] {
  const code = f.code ? ` (${f.code})` : "";
  return [
    `${indent}${paint("red", "✗")} ${f.message}${code}${paint("dim", position(f.position))}`,
    ...labelled("expected", f.expected ?? "", indent, paint, "green"),
    ...labelled("actual", f.actual ?? "", indent, paint, "red"),
    ...(f.hint ? [`${indent}  ${paint("dim", f.hint)}`] : []),
  ];
}

function labelled(label: string, text: string, indent: string, paint: Paint, style: "green" | "red"): string[] {
  if (text === "") return [];
  const [first, ...rest] = text.split("\n");
  const pad = " ".repeat(label.length);
  return [
    `${indent}  ${paint("dim", label.padEnd(8))} ${paint(style, first)}`,
    ...rest.map((line) => `${indent}  ${pad.padEnd(8)} ${paint(style, line)}`),
  ];
}

/** `3 × 172.1.0.2:1 > ...` */
const dropNote = (d: DropNote): string => `${d.count > 1 ? `${d.count} × ` : ""}${d.packet}: ${d.where}, ${d.text}`;

/** Lost packets, grouped by place and reason. */
function dropLines(drops: readonly DropNote[], paint: Paint): string[] {
  if (drops.length === 0) return [];
  const groups = new Map<string, { head: DropNote; count: number; packets: DropNote[] }>();
  for (const d of drops) {
    const key = `${d.host}/${d.nic} ${d.where} ${d.reason}`;
    const group = groups.get(key) ?? { head: d, count: 0, packets: [] };
    group.count += d.count;
    group.packets.push(d);
    groups.set(key, group);
  }
  const out = ["", paint("bold", "Packets that went no further")];
  for (const { head, count, packets } of groups.values()) {
    const place = head.nic === "" ? head.host : `${head.host}/${head.nic}`;
    const name = head.text === head.reason ? "" : ` ${paint("dim", head.reason)}`;
    out.push(
      `  ${paint("yellow", String(count).padStart(4))} ${paint("cyan", place)} ${head.where}: ${head.text}${name}`,
    );
    for (const d of packets.slice(0, 3))
      out.push(
        `       ${paint("dim", `${labTime(d.timeNs)}  ${d.packet}${d.count > 1 ? ` (${d.count} times)` : ""}`)}`,
      );
    if (packets.length > 3) out.push(`       ${paint("dim", `... ${packets.length - 3} other packets`)}`);
  }
  return out;
}

/** Tables by host; the counters, which are a table too, last and with their texts. */
function tableLines(tables: readonly TableReport[], paint: Paint): string[] {
  const out: string[] = [];
  const hosts = [...new Set(tables.map((t) => t.host))];
  for (const host of hosts) {
    const own = tables.filter((t) => t.host === host && t.rows.length > 0 && !isIdleEpoch(t));
    if (own.length === 0) continue;
    out.push("", paint("bold", `Tables of ${host}`));
    for (const t of own.filter((t) => t.table !== "REASON")) {
      const columns = t.columns[0] === "key" ? [keyName(t.table), ...t.columns.slice(1)] : t.columns;
      out.push(...formatTable(t.table, columns, t.rows, paint).map((line) => `  ${line}`));
      if (t.total > t.rows.length) out.push(`    ${paint("dim", `... ${t.total - t.rows.length} more entries`)}`);
    }
    const counters = own.find((t) => t.table === "REASON")?.rows ?? [];
    if (counters.length === 0) continue;
    out.push(`  ${paint("bold", "Counters:")}`);
    const width = Math.max(...counters.map(([, count]) => count.length));
    const rows = counters.map(([name, count]) => [count.padStart(width), name, reasonText(name)]);
    out.push(...alignColumns(rows).map((line) => `    ${line.trimEnd()}`));
  }
  return out;
}

/** The sweep's clock before its first tick: nothing to tell. */
const isIdleEpoch = (t: TableReport): boolean => t.table === "EPOCH" && t.rows.every((row) => row[1] === "0");

function resultLine(report: RunReport, paint: Paint): string {
  const c = report.counts;
  const parts = [`${c.passed} of ${c.steps} steps passed`, `${c.checks} checks`];
  if (c.failed > 0) parts.push(paint("red", `${c.failed} failed`));
  if (c.skipped > 0) parts.push(`${c.skipped} skipped`);
  if (c.packets > 0) parts.push(`${c.packets} packets`);
  if (c.drops > 0) parts.push(`${c.drops} dropped`);
  return `${report.status === "passed" ? paint("green", "passed") : paint("red", "failed")}: ${parts.join(", ")}`;
}

/** What is missing on this machine, or in this lab, for a scenario to run. */
export interface Lacking {
  code: string;
  message: string;
}

/** A scenario that was not judged, in one line. */
export const formatLacking = (file: string, { code, message }: Lacking, paint: Paint = plain): string =>
  `${paint("yellow", "○")} cannot run here  ${paint("dim", file)}: ${message} (${code})`;

/** What did not run: for lack of something, one by one; and how many for another reason. */
export interface NotRun {
  lacking?: readonly Lacking[];
  bad?: number;
}

/** The last lines of a run of several files. */
export function formatTotals(reports: readonly RunReport[], paint: Paint = plain, notRun: NotRun = {}): string {
  const { lacking = [], bad = 0 } = notRun;
  const failed = reports.filter((r) => r.status === "failed");
  const counts = [`${reports.length - failed.length} passed`, `${failed.length} failed`];
  if (bad > 0) counts.push(`${bad} not run`);
  if (lacking.length > 0) counts.push(`${lacking.length} cannot run here`);
  const colour = failed.length + bad > 0 ? "red" : lacking.length > 0 ? "yellow" : "green";
  const names = failed.map((r) => `  ${paint("red", "✗")} ${r.file}: ${r.title}`);
  const reasons = new Map<string, number>();
  for (const { code, message } of lacking)
    reasons.set(`${message} (${code})`, (reasons.get(`${message} (${code})`) ?? 0) + 1);
  return [
    ...names,
    `${paint(colour, counts.join(", "))}${lacking.length > 0 ? ":" : ""}`,
    ...[...reasons].map(([reason, n]) => `  ${n} ${n === 1 ? "needs" : "need"} what is missing: ${reason}`),
  ].join("\n");
}

/** One line at the bottom of a terminal that is overwritten while many files run; silent elsewhere. */
export class ProgressLine {
  private readonly stream: { isTTY?: boolean; columns?: number; write(text: string): unknown };
  private shown = false;

  constructor(stream: { isTTY?: boolean; columns?: number; write(text: string): unknown }) {
    this.stream = stream;
  }

  /** `[ 12/40] 1 failed  scenarios/gue/01.yaml` */
  update(done: number, total: number, failed: number, current: string): void {
    if (!this.stream.isTTY) return;
    const head = `[${String(done).padStart(String(total).length)}/${total}]${failed > 0 ? ` ${failed} failed` : ""}`;
    const text = `${head}  ${current}`.slice(0, Math.max(20, (this.stream.columns ?? 80) - 1));
    this.stream.write(`\r\x1b[2K${text}`);
    this.shown = true;
  }

  /** Takes the line away, so that other text can be printed. */
  clear(): void {
    if (this.shown) this.stream.write("\r\x1b[2K");
    this.shown = false;
  }
}
