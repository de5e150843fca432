/**
 * Run reports as JUnit XML, the form that CI systems read: a test suite per scenario, a test case per step. The times are
 * lab time, so that equal runs give equal files.
 */
import type { CheckReport, FailureReport, RunReport, StepReport } from "../scenario/report-types.ts";

/** One document for all scenarios, ending in a line break. */
export function toJunit(reports: readonly RunReport[]): string {
  const sum = (pick: (r: RunReport) => number): number => reports.reduce((n, r) => n + pick(r), 0);
  const cases = reports.map(caseCount);
  const total = attributes({
    name: "guelab",
    tests: cases.reduce((n, c) => n + c.tests, 0),
    failures: cases.reduce((n, c) => n + c.failures, 0),
    errors: sum((r) => (r.error ? 1 : 0)),
    skipped: cases.reduce((n, c) => n + c.skipped, 0),
    time: seconds(sum((r) => r.timeNs)),
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites${total}>`,
    ...reports.flatMap(suite),
    "</testsuites>",
    "",
  ].join("\n");
}

/** Steps that stand for themselves: those of a parallel or repeat step in its place. */
function leaves(steps: readonly StepReport[]): StepReport[] {
  // A step that failed by itself, not by one of its steps, is a case too.
  return steps.flatMap((s) =>
    s.steps.length === 0 ? [s] : s.failures.length > 0 ? [s, ...leaves(s.steps)] : leaves(s.steps),
  );
}

function caseCount(report: RunReport): { tests: number; failures: number; skipped: number } {
  const steps = leaves(report.steps);
  const count = (status: StepReport["status"]): number => steps.filter((s) => s.status === status).length;
  return { tests: steps.length + (report.error ? 1 : 0), failures: count("failed"), skipped: count("skipped") };
}

function suite(report: RunReport): string[] {
  const { tests, failures, skipped } = caseCount(report);
  const open = attributes({
    name: report.title,
    file: report.file,
    tests,
    failures,
    errors: report.error ? 1 : 0,
    skipped,
    time: seconds(report.timeNs),
  });
  const lines = [`  <testsuite${open}>`, "    <properties>"];
  for (const [name, value] of Object.entries({ lab: report.lab, seed: report.seed }))
    lines.push(`      <property${attributes({ name, value })}/>`);
  lines.push("    </properties>");
  if (report.error) {
    lines.push(`    <testcase${attributes({ classname: report.title, name: "setup", time: "0.000" })}>`);
    lines.push(...problem("error", report.error.message, failureText(report.error)), "    </testcase>");
  }
  for (const step of leaves(report.steps)) lines.push(...testCase(report, step));
  lines.push("  </testsuite>");
  return lines;
}

function testCase(report: RunReport, step: StepReport): string[] {
  const open = attributes({
    classname: report.title,
    name: `${step.id} ${step.title}`,
    file: report.file,
    line: step.position?.line ?? 1,
    time: seconds(step.endNs - step.startNs),
  });
  const inside: string[] = [];
  if (step.status === "skipped") inside.push("      <skipped/>");
  if (step.status === "failed") {
    const wrong = step.checks.filter((c) => !c.ok);
    const texts = [...step.failures.map(failureText), ...wrong.map(checkText)];
    const drops = step.drops.map((d) => `dropped at ${d.host}/${d.nic} by ${d.where}: ${d.reason}: ${d.packet}`);
    const first = step.failures[0]?.message ?? wrong[0]?.text ?? "failed";
    inside.push(...problem("failure", first, [...texts, ...drops].join("\n")));
  }
  if (step.output.length > 0) inside.push(`      <system-out>${escapeXml(step.output.join("\n"))}</system-out>`);
  return inside.length === 0 ? [`    <testcase${open}/>`] : [`    <testcase${open}>`, ...inside, "    </testcase>"];
}

function problem(tag: "failure" | "error", message: string, text: string): string[] {
  return [`      <${tag}${attributes({ message })}>${escapeXml(text)}</${tag}>`];
}

function failureText(f: FailureReport): string {
  const at = f.position ? `${f.position.file}:${f.position.line}:${f.position.column}: ` : "";
  const lines = [`${at}${f.message}${f.code ? ` (${f.code})` : ""}`];
  if (f.expected !== undefined) lines.push(`expected: ${f.expected}`);
  if (f.actual !== undefined) lines.push(`actual: ${f.actual}`);
  if (f.hint !== undefined) lines.push(f.hint);
  return lines.join("\n");
}

function checkText(c: CheckReport): string {
  return failureText({
    message: c.text,
    expected: c.expected,
    actual: [c.actual, ...c.detail].join("\n"),
    position: c.position,
  });
}

/** Seconds with three digits. */
const seconds = (ns: number): string => (ns / 1e9).toFixed(3);

function attributes(values: Record<string, string | number>): string {
  return Object.entries(values)
    .map(([name, value]) => ` ${name}="${escapeXml(String(value)).replace(/\n/g, "&#10;").replace(/\t/g, "&#9;")}"`)
    .join("");
}

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;" };

/** Escapes markup, and replaces what XML 1.0 cannot hold at all (section 2.2: most control characters, lone surrogates). */
export function escapeXml(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd")
    .replace(/\r/g, "&#13;")
    .replace(/[&<>"']/g, (c) => ENTITIES[c]);
}
