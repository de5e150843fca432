/**
 * Reads a YAML scenario: syntax, shape, topology, every command and every expectation, before anything runs. Each mistake
 * gives one LabError with file, line and column.
 */
import { LabError, type Position } from "../errors.ts";
import { didYouMean } from "../suggest.ts";
import type { Command } from "./command.ts";
import { COMMON_RESULTS, compileMatcher, type MatcherSpec, type ResultCheck } from "./expect.ts";
import { compileState, isStateObject, STATE_KEYS } from "./expect-state.ts";
import { type ParseContext, parseCommand } from "./parse-command.ts";
import { DEFAULT_WITHIN_NS, type DoStep, type Scenario, type Step } from "./scenario.ts";
import { resultExpectSchema, type ScenarioFile, type StepFile, scenarioSchema } from "./scenario-schema.ts";
import { type Path, schemaError } from "./schema-error.ts";
import type { StateCheck } from "./state.ts";
import type { Topology } from "./topology.ts";
import { topologyContext } from "./topology-context.ts";
import { parseInlineTopology } from "./topology-inline.ts";
import { parseDuration } from "./units.ts";
import { quoteWord } from "./words.ts";
import { YamlSource } from "./yaml-source.ts";

/** A scenario has at most so many steps, all rounds of its repetitions counted. */
const MAX_STEPS = 10_000;
const DOC = "docs/scenarios.md";

export interface ReadOptions {
  /** Path of the file, for errors and reports. */
  file: string;
  /** Finds a topology file by the name that a scenario gives. Throws LabError. */
  loadTopology: (name: string, position: Position) => Topology;
}

/** Reads a scenario. Throws LabError: ERR_YAML_SYNTAX, ERR_SCENARIO_SYNTAX, ERR_TOPOLOGY_..., and those of commands and expectations. */
export function readScenario(text: string, options: ReadOptions): Scenario {
  const source = new YamlSource(text, options.file);
  const parsed = scenarioSchema.safeParse(source.value);
  if (!parsed.success)
    throw schemaError("ERR_SCENARIO_SYNTAX", scenarioSchema, parsed.error, source.positionOf, [], DOC);
  const file = source.value as ScenarioFile;
  const topology = parseInlineTopology(file.topology, {
    positionOf: source.positionOf,
    root: ["topology"],
    load: options.loadTopology,
  });
  return new Reader(source, file, topology).read();
}

class Reader {
  private readonly source: YamlSource;
  private readonly file: ScenarioFile;
  private readonly topology: Topology;
  private readonly ctx: ParseContext;
  /** Names of the steps so far: what `since` may name. */
  private readonly names = new Set(["start", "step"]);
  private steps = 0;
  private needsPackets = false;

  constructor(source: YamlSource, file: ScenarioFile, topology: Topology) {
    this.source = source;
    this.file = file;
    this.topology = topology;
    this.ctx = topologyContext(topology);
  }

  read(): Scenario {
    const { title, description, seed = 1, labs } = this.file;
    const setup = this.setup();
    const steps = this.file.steps.map((step, i) => this.step(step, ["steps", i]));
    const { needsPackets } = this;
    return {
      title,
      description,
      file: this.source.file,
      topology: this.topology,
      seed,
      labs,
      setup,
      steps,
      needsPackets,
    };
  }

  /** `sysctl` and `links` stand for commands. */
  private setup(): Command[] {
    const out: Command[] = [];
    const add = (line: string, path: Path): void => {
      try {
        out.push({ ...parseCommand(line, this.ctx), position: this.source.positionOf(path) });
      } catch (err) {
        // Columns within a line that was made up here would mislead.
        if (err instanceof LabError) err.position = this.source.positionOf(path);
        throw err;
      }
    };
    for (const [host, settings] of Object.entries(this.file.sysctl ?? {}))
      for (const [name, value] of Object.entries(settings))
        add(`${quoteWord(host)} sysctl -w ${quoteWord(`${name}=${value}`)}`, ["sysctl", host, name]);
    for (const [link, change] of Object.entries(this.file.links ?? {}))
      add(`link ${quoteWord(link)} ${change}`, ["links", link]);
    return out;
  }

  private step(step: string | StepFile, path: Path): Step {
    if (++this.steps > MAX_STEPS) this.fail(`more than ${MAX_STEPS} steps`, path, "Repeat less often.");
    if (typeof step === "string") return this.doStep({ do: step }, path, path);
    const kinds = (["do", "until", "wait", "parallel", "repeat"] as const).filter((key) => step[key] !== undefined);
    if (kinds.length > 1)
      this.fail(`${kinds[0]} and ${kinds[1]} exclude each other`, [...path, kinds[1]], "Make them two steps.");
    const kind = kinds[0] ?? (step.expect === undefined ? undefined : "expect");
    if (!kind) return this.fail("the step does nothing", path, "It needs do, expect, until, wait, parallel or repeat.");
    for (const [key, owners] of Object.entries(OWNERS))
      if (step[key as keyof StepFile] !== undefined && !owners.includes(kind))
        this.fail(
          `${key} has no meaning in a step with ${kind}`,
          [...path, key],
          `It belongs to ${owners.join(" or ")}.`,
        );
    const built = this.build(kind, step, path);
    if (step.name !== undefined) this.names.add(step.name);
    return built;
  }

  private build(kind: Step["kind"], step: StepFile, path: Path): Step {
    const base = { name: step.name, position: this.source.positionOf(path) };
    const title = (text: string): string => step.name ?? text;
    switch (kind) {
      case "do":
        return this.doStep(step, path, [...path, "do"]);
      case "wait":
        return {
          kind,
          ...base,
          title: title(`wait ${step.wait}`),
          ns: this.duration(step.wait as string, [...path, "wait"]),
        };
      case "until": {
        const conditions = this.states(step.until, [...path, "until"]);
        const withinNs =
          step.within === undefined ? DEFAULT_WITHIN_NS : this.duration(step.within, [...path, "within"]);
        return {
          kind,
          ...base,
          title: title(`until ${conditions.map((c) => c.text).join(" and ")}`),
          conditions,
          withinNs,
        };
      }
      case "expect": {
        const states = this.states(step.expect, [...path, "expect"]);
        return { kind, ...base, title: title(`expect ${states.map((c) => c.text).join(" and ")}`), states };
      }
      case "parallel": {
        const steps = (step.parallel as (string | StepFile)[]).map((one, i) => {
          const at = [...path, "parallel", i];
          if (typeof one === "string") return this.doStep({ do: one }, at, at);
          if (one.do === undefined) this.fail("there is no command", at, "Each item of parallel needs do.");
          return this.doStep(one, at, [...at, "do"]);
        });
        return { kind, ...base, title: title(`${steps.length} commands at once`), steps };
      }
      case "repeat": {
        if (!step.steps)
          return this.fail("repeat needs steps", [...path, "repeat"], "Write what to repeat under steps.");
        const steps: Step[] = [];
        for (let i = 1; i <= (step.repeat as number); i++)
          for (const [j, one] of step.steps.entries())
            steps.push(this.step(substitute(one, i) as string | StepFile, [...path, "steps", j]));
        return { kind, ...base, title: title(`${step.repeat} times`), steps };
      }
    }
  }

  private doStep(step: StepFile, path: Path, textPath: Path): DoStep {
    const text = (step.do as string).trim();
    const out: DoStep = {
      kind: "do",
      title: step.name ?? text,
      name: step.name,
      position: this.source.positionOf(path),
      text,
      refused: step.refused,
      results: [],
      states: [],
    };
    try {
      out.command = parseCommand(step.do as string, { ...this.ctx, position: this.source.valuePosition(textPath) });
    } catch (err) {
      if (!(err instanceof LabError) || err.code !== step.refused) throw err;
      out.refusal = err;
    }
    if (out.command?.spec.name === "cli")
      this.fail("cli opens a prompt, which a scenario has none of", textPath, "Put the host in front: egw pfc_list");
    if (out.command?.spec.name === "pktdump") this.needsPackets = true;
    if (step.expect !== undefined) this.expectations(step.expect, [...path, "expect"], out);
    return out;
  }

  /** Sorts the items of `expect` into those on the result and those on the state. */
  private expectations(value: unknown, path: Path, out: DoStep): void {
    const items: [unknown, Path][] = Array.isArray(value) ? value.map((v, i) => [v, [...path, i]]) : [[value, path]];
    if (items.length === 0) this.fail("expect is empty", path, "Say what must hold, or leave it out.");
    for (const [item, at] of items) {
      if (typeof item === "string" || isStateObject(item)) out.states.push(this.state(item, at));
      else if (out.refused !== undefined)
        this.fail("a refused command gives no result", at, "Only the state can be looked at.");
      else this.results(item, at, out);
    }
  }

  private results(item: unknown, path: Path, out: DoStep): void {
    const parsed = resultExpectSchema.safeParse(item);
    if (!parsed.success)
      throw schemaError("ERR_SCENARIO_SYNTAX", resultExpectSchema, parsed.error, this.source.positionOf, path, DOC);
    const entries = Object.entries(parsed.data) as [string, MatcherSpec][];
    if (entries.length === 0) this.fail("expect is empty", path, "Say what must hold, or leave it out.");
    const own = Object.keys(out.command?.spec.results ?? {});
    const known = [...own, ...Object.keys(COMMON_RESULTS)];
    for (const [name, spec] of entries) {
      const at = [...path, name];
      if (!known.includes(name)) {
        const what = out.command?.spec.name ?? "the command";
        this.fail(
          `${what} gives no "${name}"`,
          at,
          didYouMean(name, [...known, ...STATE_KEYS], `It gives ${known.join(", ")}.`),
        );
      }
      const position = this.source.positionOf(at);
      if (NUMBERS.has(name))
        for (const one of Array.isArray(spec) ? spec : [spec])
          if (!/^(-?\d|[/<>!])/.test(String(one)))
            this.fail(`${name} is a number, not "${one}"`, at, "Write a number, >=1, or a range such as 1..3.");
      // Of several lines of output, each must be there.
      const each = name === "output" && Array.isArray(spec) ? spec : [spec];
      for (const one of each)
        out.results.push({ name, matcher: compileMatcher(one, position), position } satisfies ResultCheck);
    }
  }

  private states(value: unknown, path: Path): StateCheck[] {
    const items: [unknown, Path][] = Array.isArray(value) ? value.map((v, i) => [v, [...path, i]]) : [[value, path]];
    if (items.length === 0) this.fail("the list is empty", path, "Say what must hold.");
    return items.map(([item, at]) => {
      if (typeof item === "string" || isStateObject(item)) return this.state(item, at);
      return this.fail(
        "a command's result can be expected only where the command is",
        at,
        `State is a line of text, or an object with ${STATE_KEYS.join(", ")}.`,
      );
    });
  }

  private state(item: unknown, path: Path): StateCheck {
    const check = compileState(item, this.source, path, this.ctx);
    if (check.since !== undefined && !this.names.has(check.since)) {
      const known = [...this.names];
      const hint = didYouMean(check.since, known, `Known here: ${known.join(", ")}.`);
      this.fail(`no earlier step is called "${check.since}"`, [...path, "since"], hint);
    }
    if (isStateObject(item) && Object.hasOwn(item as object, "packet")) this.needsPackets = true;
    return check;
  }

  private duration(text: string, path: Path): number {
    return parseDuration(text, this.source.valuePosition(path));
  }

  private fail(message: string, path: Path, hint: string): never {
    throw new LabError("ERR_SCENARIO_SYNTAX", message, { position: this.source.positionOf(path), hint });
  }
}

/** Results of commands that are numbers. */
const NUMBERS = new Set([
  "status",
  "size",
  "sent",
  "received",
  "packets",
  "port",
  "tunnel",
  "entries",
  "value",
  "time",
]);

/** Keys of a step that only some kinds of steps may have. */
const OWNERS: Record<string, readonly Step["kind"][]> = {
  refused: ["do"],
  within: ["until"],
  steps: ["repeat"],
  expect: ["do", "expect"],
};

/** `{i}`, `{i+N}` and `{i-N}` in every text of a repeated step; the steps of a repetition inside it count their own rounds. */
function substitute(value: unknown, i: number): unknown {
  if (typeof value === "string")
    return value.replace(/\{i(?:([+-])(\d{1,9}))?\}/g, (_, sign?: string, n?: string) =>
      String(sign === "-" ? i - Number(n) : i + Number(n ?? 0)),
    );
  if (Array.isArray(value)) return value.map((v) => substitute(v, i));
  if (typeof value !== "object" || value === null) return value;
  const inner = Object.hasOwn(value, "repeat");
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, inner && k === "steps" ? v : substitute(v, i)]));
}
