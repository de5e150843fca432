import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { formatReport, formatTotals, ProgressLine } from "../../src/report/console.ts";
import { coloured, plain } from "../../src/report/paint.ts";
import type { DropNote, RunReport, StepReport } from "../../src/scenario/report-types.ts";

const step = (over: Partial<StepReport>): StepReport => ({
  id: "1",
  kind: "do",
  title: "client curl http://5.5.5.5:3200/hello",
  command: "client curl http://5.5.5.5:3200/hello",
  status: "passed",
  startNs: 0,
  endNs: 1_234_000,
  output: [],
  checks: [],
  failures: [],
  drops: [],
  packets: 0,
  steps: [],
  ...over,
});
const drop = (over: Partial<DropNote>): DropNote => ({
  timeNs: 5_000_000,
  host: "egw",
  nic: "eth1",
  where: "tc ingress",
  reason: "DROP_WRONG_KEY",
  text: "the security field is not the service's key",
  packet: "udp 172.1.0.5:6000 > 172.1.0.3:5000",
  count: 1,
  ...over,
});
const report = (over: Partial<RunReport>): RunReport => ({
  title: "HTTP on node2",
  file: "scenarios/x.yaml",
  lab: "sim",
  seed: 1,
  status: "passed",
  steps: [step({ output: ["200, 55 bytes\nand more"] })],
  counts: { steps: 1, passed: 1, failed: 0, skipped: 0, checks: 2, packets: 10, drops: 0 },
  timeNs: 9_000_000,
  drops: [],
  tables: [],
  ...over,
});

describe("formatReport", () => {
  it("prints title, steps with virtual time and output, and the result", () => {
    expect(formatReport(report({}))).toBe(
      [
        "✓ HTTP on node2  scenarios/x.yaml · sim · seed 1 · 0.009000 s",
        "  ✓   0.001234  client curl http://5.5.5.5:3200/hello",
        "                │ 200, 55 bytes",
        "                │ and more",
        "",
        "passed: 1 of 1 steps passed, 2 checks, 10 packets",
      ].join("\n"),
    );
  });

  it("prints a failed check with what was expected and found, where, and what was lost meanwhile", () => {
    const position = { file: "x.yaml", line: 7, column: 5 };
    const failed = step({
      status: "failed",
      checks: [
        { ok: true, text: "size is 55", expected: "", actual: "", detail: [] },
        { ok: false, text: "status is 200", expected: "200", actual: "404", detail: ["body: no"], position },
      ],
      failures: [{ code: "ERR_X", message: "refused", hint: "Do this." }],
      drops: [drop({ count: 3 })],
    });
    const text = formatReport(report({ status: "failed", steps: [failed] }));
    expect(text).toContain("  ✗   0.001234  client curl");
    expect(text).toContain("✗ status is 200  (x.yaml:7:5)\n");
    expect(text).toMatch(/expected 200\n +actual +404\n +body: no\n/);
    expect(text).toMatch(/✗ refused \(ERR_X\)\n +Do this\./);
    expect(text).toContain("lost 3 × udp 172.1.0.5:6000 > 172.1.0.3:5000: tc ingress, the security field");
    expect(text).not.toContain("size is 55");
  });

  it("groups lost packets by place and reason", () => {
    const drops = [
      drop({ count: 2 }),
      drop({ packet: "udp b" }),
      drop({ host: "nat", nic: "", where: "ip", reason: "no route", text: "no route" }),
    ];
    const text = formatReport(report({ drops }));
    expect(text).toContain("     3 egw/eth1 tc ingress: the security field is not the service's key DROP_WRONG_KEY\n");
    expect(text).toContain("         0.005000  udp 172.1.0.5:6000 > 172.1.0.3:5000 (2 times)\n");
    expect(text).toContain("     1 nat ip: no route\n");
  });

  it("prints the tables of each host, and the counters with their meaning", () => {
    const tables = [
      { host: "egw", table: "TUNNEL", columns: ["key", "remote"], rows: [["65736", "172.1.0.5:6000"]], total: 5 },
      { host: "egw", table: "EPOCH", columns: ["key", "epoch"], rows: [["0", "0"]], total: 1 },
      { host: "egw", table: "DNAT", columns: ["proxy", "backend"], rows: [], total: 0 },
      {
        host: "egw",
        table: "REASON",
        columns: ["reason", "count"],
        rows: [
          ["PASS_ENCAP", "12"],
          ["PING_CONSUMED", "1"],
        ],
        total: 2,
      },
    ];
    const text = formatReport(report({ tables }));
    expect(text).toContain(
      "Tables of egw\n  TABLE-TUNNEL:\n    tunnel  remote\n    65736   172.1.0.5:6000\n    ... 4 more entries\n  Counters:\n",
    );
    expect(text).toContain("    12  PASS_ENCAP     encapsulated\n     1  PING_CONSUMED  GUE ping consumed");
    expect(text).not.toMatch(/DNAT|EPOCH/);
  });

  it("keeps passed scenarios to one line where only failures are asked for", () => {
    expect(formatReport(report({}), { detail: "failures" }).split("\n").length).toBe(1);
    const inner = step({
      kind: "parallel",
      title: "both",
      command: undefined,
      status: "failed",
      steps: [step({}), step({ status: "failed", title: "bad" })],
    });
    const text = formatReport(report({ status: "failed", steps: [step({ title: "good" }), inner] }), {
      detail: "failures",
    });
    expect(text).toContain("both");
    expect(text).toContain("bad");
    expect(text).not.toContain("good");
  });

  it("cuts long output of steps that passed, never of those that failed", () => {
    const output = Array.from({ length: 30 }, (_, i) => `line ${i}`);
    expect(formatReport(report({ steps: [step({ output })] }))).toContain("... 18 more lines");
    expect(formatReport(report({ status: "failed", steps: [step({ output, status: "failed" })] }))).toContain(
      "line 29",
    );
  });

  it("puts colours around the text only", () => {
    const text = formatReport(report({ drops: [drop({})] }), { paint: coloured });
    expect(text).toContain("\x1b[");
    expect(stripVTControlCharacters(text)).toBe(formatReport(report({ drops: [drop({})] })));
  });
});

it("totals name what failed", () => {
  expect(formatTotals([report({}), report({ status: "failed", file: "b.yaml", title: "B" })])).toBe(
    "  ✗ b.yaml: B\n1 passed, 1 failed",
  );
});

it("totals say once what is missing for scenarios that cannot run here, and call none of them failed", () => {
  const fou = { code: "ERR_NO_FOU", message: "this kernel lacks CONFIG_NET_FOU" };
  const netem = { code: "ERR_NO_NETEM", message: "this kernel lacks CONFIG_NET_SCH_NETEM" };
  expect(formatTotals([report({})], plain, { lacking: [fou, netem, fou], bad: 1 })).toBe(
    [
      "1 passed, 0 failed, 1 not run, 3 cannot run here:",
      "  2 need what is missing: this kernel lacks CONFIG_NET_FOU (ERR_NO_FOU)",
      "  1 needs what is missing: this kernel lacks CONFIG_NET_SCH_NETEM (ERR_NO_NETEM)",
    ].join("\n"),
  );
});

describe("ProgressLine", () => {
  const terminal = (isTTY: boolean) => {
    const written: string[] = [];
    return { isTTY, columns: 30, written, write: (t: string) => written.push(t) };
  };
  it("overwrites itself, fits the terminal, and goes away", () => {
    const t = terminal(true);
    const line = new ProgressLine(t);
    line.update(3, 40, 1, "scenarios/a-long-name.yaml");
    line.clear();
    line.clear();
    expect(t.written).toEqual(["\r\x1b[2K[ 3/40] 1 failed  scenarios/a", "\r\x1b[2K"]);
  });
  it("is silent elsewhere", () => {
    const t = terminal(false);
    new ProgressLine(t).update(1, 2, 0, "x");
    expect(t.written).toEqual([]);
  });
});
