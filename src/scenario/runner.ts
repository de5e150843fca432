/** Runs a scenario against a lab, step by step, and reports what happened. Knows labs by the `Lab` interface only. */
import { LabError } from "../errors.ts";
import { mergeDrops } from "./drops.ts";
import { checkResult } from "./expect.ts";
import type { CommandResult, Lab } from "./lab.ts";
import { finalTables } from "./report-tables.ts";
import type { CheckReport, FailureReport, RunListener, RunReport, StepReport } from "./report-types.ts";
import type { DoStep, ExpectStep, ParallelStep, RepeatStep, Scenario, Step, UntilStep, WaitStep } from "./scenario.ts";
import type { Mark, StateCheck, StateContext } from "./state.ts";
import { formatDuration } from "./units.ts";

/** In a real lab time is real: no step may wait longer than this. */
const REAL_STEP_LIMIT_NS = 5_000_000_000;

export interface RunOptions {
  /** Goes on after a failed step; otherwise the steps behind it are reported as skipped. */
  keepGoing?: boolean;
}

/**
 * Runs all steps. What fails is in the report; only defects and a scenario that does not fit the lab (ERR_LAB_KIND,
 * ERR_STEP_TOO_LONG) throw. Does not close the lab.
 */
export async function runScenario(
  scenario: Scenario,
  lab: Lab,
  listener: RunListener = () => {},
  options: RunOptions = {},
): Promise<RunReport> {
  checkFits(scenario, lab);
  return new Runner(scenario, lab, listener, options).run();
}

/** Throws when the scenario cannot run in this kind of lab. */
export function checkFits(scenario: Scenario, lab: Pick<Lab, "kind">): void {
  if (scenario.labs && !scenario.labs.includes(lab.kind))
    throw new LabError("ERR_LAB_KIND", `this scenario does not run in ${lab.kind}`, {
      position: { file: scenario.file, line: 1, column: 1 },
      hint: `It is for ${scenario.labs.join(", ")}.`,
    });
  if (lab.kind === "sim") return;
  const check = (steps: readonly Step[]): void => {
    for (const step of steps) {
      if (step.kind === "repeat") check(step.steps);
      const ns = step.kind === "wait" ? step.ns : step.kind === "until" ? step.withinNs : 0;
      if (ns > REAL_STEP_LIMIT_NS)
        throw new LabError("ERR_STEP_TOO_LONG", `a step waits ${formatDuration(ns)}, in a real lab at most 5s`, {
          position: step.position,
          hint: "Set shorter intervals (pfc_start, sysctl), or say labs: [sim].",
        });
    }
  };
  check(scenario.steps);
}

class Runner {
  private readonly scenario: Scenario;
  private readonly lab: Lab;
  private readonly emit: RunListener;
  private readonly keepGoing: boolean;
  private readonly marks = new Map<string, Mark>();
  private readonly state: StateContext;
  /** A step failed, and the rest is skipped. */
  private stopped = false;

  constructor(scenario: Scenario, lab: Lab, listener: RunListener, options: RunOptions) {
    this.scenario = scenario;
    this.lab = lab;
    this.emit = listener;
    this.keepGoing = options.keepGoing ?? false;
    this.state = { lab, mark: (name) => this.marks.get(name) ?? (this.marks.get("start") as Mark) };
  }

  async run(): Promise<RunReport> {
    const { title, description, file, seed } = this.scenario;
    this.mark("start");
    this.emit({ type: "scenario-start", title, file, steps: this.scenario.steps.length });
    const error = await this.setup();
    const steps: StepReport[] = [];
    for (const [i, step] of this.scenario.steps.entries()) steps.push(await this.step(step, String(i + 1)));
    const counts = count(steps);
    const drops = this.lab.drops();
    const report: RunReport = {
      title,
      description,
      file,
      lab: this.lab.kind,
      seed,
      status: error || counts.failed > 0 ? "failed" : "passed",
      steps,
      counts: { ...counts, packets: this.lab.packets().length, drops: drops.length },
      timeNs: this.lab.now(),
      drops: mergeDrops(drops),
      tables: finalTables(this.lab),
      error,
    };
    this.emit({ type: "scenario-end", report });
    return report;
  }

  /** Runs what the settings stand for. */
  private async setup(): Promise<FailureReport | undefined> {
    for (const command of this.scenario.setup)
      try {
        await this.lab.run(command);
      } catch (err) {
        this.stopped = true;
        return failure(err, command.position);
      }
    return undefined;
  }

  private async step(step: Step, id: string): Promise<StepReport> {
    const report: StepReport = {
      id,
      kind: step.kind,
      title: step.title,
      status: "skipped",
      position: step.position,
      startNs: this.lab.now(),
      endNs: this.lab.now(),
      output: [],
      checks: [],
      failures: [],
      drops: [],
      packets: 0,
      steps: [],
    };
    if (step.kind === "do") report.command = step.text;
    if (this.stopped && step.kind !== "repeat" && step.kind !== "parallel") return report;
    const skipped = this.stopped;
    if (!skipped)
      this.emit({
        type: "step-start",
        id,
        kind: step.kind,
        title: step.title,
        command: report.command,
        timeNs: report.startNs,
      });
    const before = this.mark(step.name);
    if (step.kind === "do" || step.kind === "parallel") this.marks.set("step", before);
    await this.execute(step, report, skipped);
    report.endNs = this.lab.now();
    if (skipped) return report;
    report.packets = this.lab.packets().length - before.packets;
    report.drops = mergeDrops(this.lab.drops().slice(before.drops));
    const bad =
      report.failures.length > 0 || report.checks.some((c) => !c.ok) || report.steps.some((s) => s.status === "failed");
    report.status = bad ? "failed" : "passed";
    if (bad && !this.keepGoing) this.stopped = true;
    this.emit({ type: "step-end", step: report });
    return report;
  }

  private async execute(step: Step, report: StepReport, skipped: boolean): Promise<void> {
    switch (step.kind) {
      case "do":
        return this.command(step, report);
      case "wait":
        return this.wait(step, report);
      case "until":
        return this.until(step, report);
      case "expect":
        return this.expect(step, report);
      case "parallel":
        return this.parallel(step, report, skipped);
      case "repeat":
        return this.repeat(step, report);
    }
  }

  private async command(step: DoStep, report: StepReport): Promise<void> {
    const start = this.lab.now();
    const outcome: PromiseSettledResult<CommandResult> = step.command
      ? await this.lab.run(step.command).then(
          (value) => ({ status: "fulfilled", value }),
          (reason) => ({ status: "rejected", reason }),
        )
      : { status: "rejected", reason: step.refusal };
    this.judge(step, outcome, this.lab.now() - start, report);
  }

  /** Compares what a command did with what its step expects. */
  private judge(step: DoStep, outcome: PromiseSettledResult<CommandResult>, tookNs: number, report: StepReport): void {
    if (outcome.status === "rejected") {
      const failed = failure(outcome.reason, step.command?.position ?? step.position);
      if (step.refused === undefined) report.failures.push(failed);
      else if (failed.code === step.refused) report.refused = failed.code;
      else
        report.failures.push({
          ...failed,
          expected: `refused with ${step.refused}`,
          actual: `refused with ${failed.code}`,
        });
    } else {
      const result = outcome.value;
      report.output = result.output;
      if (result.output.length > 0) this.emit({ type: "step-output", id: report.id, lines: result.output });
      if (step.refused !== undefined)
        report.failures.push({
          message: "the command was not refused",
          expected: `refused with ${step.refused}`,
          actual: "it succeeded",
          position: step.position,
        });
      const unasked = unaskedFailure(step, result);
      if (unasked) report.failures.push(unasked);
      for (const check of step.results) this.check(checkResult(check, result, tookNs), report);
    }
    this.checkStates(step.states, report);
  }

  private async wait(step: WaitStep, report: StepReport): Promise<void> {
    await this.guard(report, () => this.lab.wait(step.ns));
  }

  private async until(step: UntilStep, report: StepReport): Promise<void> {
    const holds = (): boolean => step.conditions.every((c) => c.evaluate(this.state).ok);
    let ok = false;
    await this.guard(report, async () => {
      ok = await this.lab.until(holds, step.withinNs);
    });
    if (report.failures.length > 0) return;
    if (!ok)
      report.failures.push({
        message: `this did not happen within ${formatDuration(step.withinNs)}`,
        position: step.position,
      });
    this.checkStates(step.conditions, report);
  }

  private async expect(step: ExpectStep, report: StepReport): Promise<void> {
    this.checkStates(step.states, report);
  }

  private async parallel(step: ParallelStep, report: StepReport, skipped: boolean): Promise<void> {
    report.steps = step.steps.map((one, i) => ({
      ...structuredClone({ ...report, steps: [] }),
      id: `${report.id}.${i + 1}`,
      kind: "do",
      title: one.title,
      command: one.text,
      position: one.position,
    }));
    if (skipped) return;
    const start = this.lab.now();
    const commands = step.steps.flatMap((one) => one.command ?? []);
    let outcomes: PromiseSettledResult<CommandResult>[] = [];
    await this.guard(report, async () => {
      outcomes = await this.lab.runAll(commands);
    });
    if (report.failures.length > 0) return;
    const next = outcomes.values();
    for (const [i, one] of step.steps.entries()) {
      const child = report.steps[i];
      this.emit({
        type: "step-start",
        id: child.id,
        kind: "do",
        title: child.title,
        command: child.command,
        timeNs: start,
      });
      const outcome = one.command
        ? (next.next().value as PromiseSettledResult<CommandResult>)
        : { status: "rejected" as const, reason: one.refusal };
      child.endNs = this.lab.now();
      this.judge(one, outcome, child.endNs - start, child);
      child.status = child.failures.length > 0 || child.checks.some((c) => !c.ok) ? "failed" : "passed";
      this.emit({ type: "step-end", step: child });
    }
  }

  private async repeat(step: RepeatStep, report: StepReport): Promise<void> {
    for (const [i, one] of step.steps.entries()) report.steps.push(await this.step(one, `${report.id}.${i + 1}`));
  }

  private checkStates(states: readonly StateCheck[], report: StepReport): void {
    for (const state of states) this.check(state.evaluate(this.state), report);
  }

  private check(check: CheckReport, report: StepReport): void {
    report.checks.push(check);
    this.emit({ type: "step-check", id: report.id, check });
  }

  /** An error of the lab becomes the step's failure. */
  private async guard(report: StepReport, fn: () => Promise<void>): Promise<void> {
    try {
      await fn();
    } catch (err) {
      report.failures.push(failure(err, report.position));
    }
  }

  private mark(name?: string): Mark {
    const mark = { packets: this.lab.packets().length, drops: this.lab.drops().length };
    if (name !== undefined) this.marks.set(name, mark);
    return mark;
  }
}

/** A LabError as data; anything else is a defect and is thrown on. */
function failure(err: unknown, position: FailureReport["position"]): FailureReport {
  if (!(err instanceof LabError)) throw err;
  return { code: err.code, message: err.message, hint: err.hint, position: err.position ?? position };
}

/** A command that failed, or got no reply at all, where its step does not speak of it. */
function unaskedFailure(step: DoStep, result: CommandResult): FailureReport | undefined {
  const asked = step.results.some((c) => c.name === "fails" || c.name === "received");
  if (asked || step.refused !== undefined) return undefined;
  const { error, received } = result.data;
  if (error === undefined && received !== 0) return undefined;
  const actual = error === undefined ? "no reply" : String(error);
  return { message: `the command failed: ${actual}`, expected: "success", actual, position: step.position };
}

function count(steps: readonly StepReport[]): Omit<RunReport["counts"], "packets" | "drops"> {
  const sum = { steps: 0, passed: 0, failed: 0, skipped: 0, checks: 0 };
  for (const step of steps) {
    sum.checks += step.checks.length;
    if (step.steps.length > 0) {
      const inner = count(step.steps);
      for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += inner[key];
      // A failure of its own, not of one of its steps.
      if (step.status === "failed" && inner.failed === 0) sum.failed++;
    } else {
      sum.steps++;
      sum[step.status]++;
    }
  }
  return sum;
}
