import { describe, expect, it } from "vitest";
import { toJson } from "../../src/report/json.ts";
import { escapeXml, toJunit } from "../../src/report/junit.ts";
import type { RunReport, StepReport } from "../../src/scenario/report-types.ts";

const step = (id: string, more: Partial<StepReport> = {}): StepReport => ({
  id,
  kind: "do",
  title: `step ${id}`,
  status: "passed",
  position: { file: "a.yaml", line: 4, column: 5 },
  startNs: 0,
  endNs: 1_500_000_000,
  output: [],
  checks: [],
  failures: [],
  drops: [],
  packets: 0,
  steps: [],
  ...more,
});

const report = (steps: StepReport[], more: Partial<RunReport> = {}): RunReport => ({
  title: 'A <title> & "more"',
  file: "a.yaml",
  lab: "sim",
  seed: 1,
  status: "failed",
  steps,
  counts: { steps: steps.length, passed: 0, failed: 0, skipped: 0, checks: 0, packets: 0, drops: 0 },
  timeNs: 3_000_000_000,
  drops: [],
  tables: [],
  ...more,
});

/** A small reader: refuses what is not well-formed, and counts elements. */
function elements(xml: string): Record<string, number> {
  const open: string[] = [];
  const seen: Record<string, number> = {};
  const token = /<\?[^?]*\?>|<(\/?)([a-z-]+)((?:\s[a-z]+="[^"<]*")*)(\/?)>|[^<]+/g;
  let at = 0;
  for (const m of xml.matchAll(token)) {
    expect(m.index).toBe(at);
    at += m[0].length;
    expect(m[0].replace(/&(?:amp|lt|gt|quot|apos|#\d+);/g, "")).not.toContain("&");
    if (m[2] === undefined) continue;
    if (m[1]) expect(open.pop()).toBe(m[2]);
    else {
      seen[m[2]] = (seen[m[2]] ?? 0) + 1;
      if (!m[4]) open.push(m[2]);
    }
  }
  expect([at, open]).toEqual([xml.length, []]);
  return seen;
}

describe("JUnit", () => {
  const failed = step("2", {
    status: "failed",
    output: ["<body>&\u0007</body>"],
    failures: [
      { code: "ERR_X", message: 'no "way"', hint: "Do <this>.", position: { file: "a.yaml", line: 9, column: 3 } },
    ],
    checks: [{ ok: false, text: "status is 200", expected: "200", actual: "404", detail: ["more"] }],
    drops: [{ timeNs: 0, host: "egw", nic: "eth1", where: "ip", reason: "r", text: "t", packet: "a > b", count: 1 }],
  });
  const nested = step("3", { kind: "repeat", steps: [step("3.1"), step("3.2", { status: "skipped" })] });
  const xml = toJunit([report([step("1"), failed, nested]), report([step("1")], { status: "passed" })]);

  it("is well-formed, a suite per scenario and a case per step", () => {
    expect(elements(xml)).toMatchObject({ testsuites: 1, testsuite: 2, testcase: 5, failure: 1, skipped: 1 });
    expect(xml).toContain('<testsuites name="guelab" tests="5" failures="1" errors="0" skipped="1" time="6.000">');
  });

  it("says what failed and where", () => {
    const text = /<failure[^>]*>([^<]*)</.exec(xml)![1];
    for (const part of [
      "a.yaml:9:3: no",
      "(ERR_X)",
      "expected: 200",
      "actual: 404",
      "more",
      "dropped at egw/eth1 by ip",
    ])
      expect(text).toContain(part);
    expect(xml).toContain('line="4"');
  });

  it("reports an error outside of every step", () => {
    const broken = toJunit([report([], { error: { code: "ERR_LAB", message: "no lab" } })]);
    expect(elements(broken)).toMatchObject({ testcase: 1, error: 1 });
    expect(broken).toContain('errors="1"');
  });

  it("holds nothing that XML cannot", () => {
    expect(escapeXml("a<b>&\"'\u0000\ud800\u{1f600}\n\t")).toBe("a&lt;b&gt;&amp;&quot;&apos;\ufffd\ufffd\u{1f600}\n\t");
    elements(toJunit([report([step("1", { title: "\u0000<&>\"'\n\r\ufffe", output: ["]]>", "\ud800"] })])]));
  });
});

describe("JSON", () => {
  it("is one document with every report", () => {
    const passed = report([step("1")], { status: "passed" });
    expect(JSON.parse(toJson([passed]))).toMatchObject({
      version: 1,
      status: "passed",
      scenarios: [{ title: passed.title }],
    });
    expect(JSON.parse(toJson([passed, report([])])).status).toBe("failed");
  });
});
