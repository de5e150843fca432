/**
 * Level c, scenario: a real run beside the simulated run of the same scenario: what every step came to, the tables at the end,
 * and the flows that every NIC saw.
 */
import type { EndpointArg } from "../scenario/command.ts";
import type { RunReport, StepReport } from "../scenario/report-types.ts";
import { GUE_PORT } from "../wire/gue.ts";
import { compareFlows } from "./flow-compare.ts";
import { type FlowContext, flowsByNic, type SeenPackets } from "./flows.ts";
import type { RecordedRun } from "./real.ts";
import { RuleCounter, SCENARIO_RULES, type ScenarioRule } from "./rules.ts";
import { compareTables } from "./table-compare.ts";
import { type Difference, KEPT_DIFFERENCES, type LevelReport } from "./types.ts";
import type { CommandMark } from "./watch.ts";

export const SCENARIO_TITLE = "scenario";

export function compareScenario(real: RecordedRun, reference: RecordedRun): LevelReport {
  const rules = new RuleCounter<ScenarioRule>(SCENARIO_RULES);
  const ctx: FlowContext = { ports: namedPorts([...real.marks, ...reference.marks]), rules };
  rules.use("pace", reference.marks.length);
  const steps = compareSteps(real.report, reference.report);
  const tables = compareTables(real.report, reference.report, ctx);
  const theirs = flowsByNic(upToEnd(real), ctx);
  const ours = flowsByNic(upToEnd(reference), ctx);
  const labels = [...new Set([...theirs.keys(), ...ours.keys()])].sort();
  const flows = labels.flatMap((l) => compareFlows(l, theirs.get(l) ?? [], ours.get(l) ?? [], rules));
  flows.sort((a, b) => (a.timeNs ?? Number.POSITIVE_INFINITY) - (b.timeNs ?? Number.POSITIVE_INFINITY));
  const rows: Difference[] = tables.differences.map((row) => ({
    where: row.host,
    what: `a row of ${row.table} differs at the end`,
    fields: [],
    rows: [row],
    notes: [],
  }));
  const differences = [...steps.differences, ...rows, ...flows];
  return {
    level: "c",
    title: SCENARIO_TITLE,
    verdict: differences.length === 0 ? "equal" : "different",
    why: "",
    counts: [
      { name: "steps", count: steps.steps },
      { name: "checks", count: steps.checks },
      { name: "table rows", count: tables.rows },
      { name: "interfaces", count: labels.length },
      { name: "flows", count: [...theirs.values()].reduce((n, f) => n + f.length, 0) },
    ],
    rules: rules.report(),
    differenceCount: differences.length,
    first: differences[0],
    differences: differences.slice(0, KEPT_DIFFERENCES),
  };
}

const upToEnd = (run: RecordedRun): SeenPackets => ({
  packets: run.packets.filter((p) => p.timeNs <= run.endNs).sort((a, b) => a.timeNs - b.timeNs),
  setups: run.marks
    .filter((m) => m.command.spec.name === "topo_setup" && m.refused === undefined)
    .map((m) => m.startNs),
});

/** Numbers that commands name as ports. What is in between a pool's first and last port is one, too. */
export function namedPorts(marks: readonly CommandMark[]): Set<number> {
  const ports = new Set<number>([80, GUE_PORT]);
  for (const { command } of marks) {
    const { args, spec } = command;
    const params = [...spec.params, ...Object.entries(spec.options ?? {}).map(([name, o]) => ({ name, type: o.type }))];
    for (const { name, type } of params) {
      const value = args[name];
      if (type === "port" && typeof value === "number") ports.add(value);
      if (type === "endpoint" && value !== undefined) ports.add((value as EndpointArg).port);
      if (type === "url" && typeof value === "string")
        ports.add(Number(/:(\d+)(\/|$)/.exec(value.slice(7))?.[1] ?? 80));
    }
    for (const m of command.text.matchAll(/\b\d+\.\d+\.\d+\.\d+:(\d+)\b|--dport (\d+)|--sport (\d+)/g))
      ports.add(Number(m[1] ?? m[2] ?? m[3]));
    const [first, last] = [args.portMin ?? args.min, args.portMax ?? args.max];
    if (typeof first === "number" && typeof last === "number")
      for (let p = first; p <= Math.min(last, first + MAX_POOL); p++) ports.add(p);
  }
  return ports;
}

/** A pool of more ports than that would leave none to be ephemeral. */
const MAX_POOL = 4096;

interface StepComparison {
  steps: number;
  checks: number;
  differences: Difference[];
}

function compareSteps(real: RunReport, reference: RunReport): StepComparison {
  const theirs = outcomes(real.steps);
  const ours = outcomes(reference.steps);
  const differences: Difference[] = [];
  const differ = (id: string, what: string, a: string | undefined, b: string | undefined): void =>
    void differences.push({
      where: `step ${id}`,
      what,
      fields: [],
      rows: [{ host: "", table: "steps", key: id, real: a, reference: b }],
      notes: [],
    });
  for (const id of new Set([...theirs.keys(), ...ours.keys()])) {
    const [a, b] = [theirs.get(id), ours.get(id)];
    if (a?.text !== b?.text) differ(id, "a step came to another end", a?.text, b?.text);
  }
  const errors = [real.error, reference.error].map((e) => e && `${e.code ?? ""} ${e.message}`.trim());
  if (errors[0] !== errors[1]) differ("setup", "one run ended with an error", errors[0], errors[1]);
  return { steps: theirs.size, checks: [...theirs.values()].reduce((n, s) => n + s.checks, 0), differences };
}

/** Every step by its id: how it ended, and each of its checks. */
function outcomes(steps: readonly StepReport[]): Map<string, { text: string; checks: number }> {
  const out = new Map<string, { text: string; checks: number }>();
  for (const s of steps) {
    const checks = s.checks.map((c) => `${c.ok ? "ok" : "failed"} ${c.text}`);
    const failures = s.failures.map((f) => `${f.code ?? ""} ${f.message}`.trim());
    const refused = s.refused === undefined ? [] : [`refused ${s.refused}`];
    out.set(s.id, { text: [s.status, ...refused, ...checks, ...failures].join("; "), checks: checks.length });
    for (const [id, inner] of outcomes(s.steps)) out.set(id, inner);
  }
  return out;
}
