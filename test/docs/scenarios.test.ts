/**
 * docs/scenarios.md: complete examples run, steps run on basic.cfg, examples of mistakes give the message shown, lines of
 * state are read, and the tables name what the source has.
 */
import { readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { CONNTRACK_SYSCTLS, defaultTimeouts, timeoutSeconds } from "../../src/dataplane/conntrack-timeouts.ts";
import { LabError } from "../../src/errors.ts";
import { SimLab } from "../../src/lab/sim/lab.ts";
import { COMMON_RESULTS, compileMatcher, type MatcherSpec } from "../../src/scenario/expect.ts";
import { loadTopology } from "../../src/scenario/load.ts";
import type { StepReport } from "../../src/scenario/report-types.ts";
import { runScenario } from "../../src/scenario/runner.ts";
import type { Scenario } from "../../src/scenario/scenario.ts";
import { scenarioJsonSchema } from "../../src/scenario/scenario-schema.ts";
import { readScenario } from "../../src/scenario/scenario-yaml.ts";
import { fieldNames, parseKeyText } from "../../src/scenario/table-rows.ts";
import { topologyContext } from "../../src/scenario/topology-context.ts";
import { parseState } from "../../src/scenario/until.ts";
import { TABLE_NAMES, type TableName } from "../../src/tables/schema.ts";
import { type Block, blocksOf, codesIn, readRepo, tableRows } from "./page.ts";

const page = readRepo("docs/scenarios.md");
const blocks = blocksOf(page);
const of = (info: string): Block[] => blocks.filter((b) => b.info === info);

const HEAD = "title: example\ntopology: basic.cfg\nsteps:\n";
const read = (text: string): Scenario =>
  readScenario(text, { file: "example.yaml", loadTopology: (name, at) => loadTopology(name, ".", at) });

async function failures(scenario: Scenario): Promise<string[]> {
  const lab = new SimLab(scenario.topology, { seed: scenario.seed, record: true });
  const report = await runScenario(scenario, lab);
  await lab.close();
  const failed = (steps: readonly StepReport[]): string[] =>
    steps.flatMap((step) => [
      ...step.failures.map((f) => `${step.title}: ${f.message}`),
      ...step.checks.filter((c) => !c.ok).map((c) => `${step.title}: ${c.text}, but ${c.actual}`),
      ...failed(step.steps),
    ]);
  return report.status === "passed" ? [] : failed(report.steps);
}

describe("docs/scenarios.md", () => {
  it("has no block that is not tested", () => {
    expect([...new Set(blocks.map((b) => b.info))].sort()).toEqual(
      ["state", "text error", "yaml", "yaml error", "yaml steps"].sort(),
    );
    expect(of("yaml").length).toBeGreaterThanOrEqual(3);
    expect(of("yaml error").length).toBeGreaterThanOrEqual(4);
  });

  it.each(of("yaml"))("line $line: the scenario passes", async ({ text }) => {
    expect(await failures(read(text))).toEqual([]);
  });

  it.each(of("yaml steps"))("line $line: the steps pass", async ({ text }) => {
    expect(await failures(read(HEAD + text))).toEqual([]);
  });

  it.each(of("yaml error"))("line $line: the mistake gives the message shown", (block) => {
    const shown = blocks[blocks.indexOf(block) + 1];
    expect(shown.info).toBe("text error");
    let message = "accepted";
    try {
      read(block.text);
    } catch (err) {
      expect(err).toBeInstanceOf(LabError);
      message = (err as LabError).format();
    }
    expect(message).toBe(shown.text.trimEnd());
  });

  it("has lines of state that are read, of every subject of the table", () => {
    const context = topologyContext(loadTopology("basic.cfg"));
    const lines = of("state").flatMap((b) => b.text.trim().split("\n"));
    for (const line of lines) expect(() => parseState(line, context), line).not.toThrow();
    const subjects = tableRows(page, "| line | holds when |").map((r) => codesIn(r[0])[0].split(" ")[0]);
    expect([...new Set(lines.map((l) => l.split(" ")[0]))].sort()).toEqual([...new Set(subjects)].sort());
    try {
      parseState("nothing");
      expect.unreachable();
    } catch (err) {
      for (const subject of subjects) expect((err as LabError).hint).toContain(subject);
    }
  });

  it("shows matchers that hold and do not hold as it says", () => {
    for (const [spec, holds, fails] of tableRows(page, "| matcher | holds for | not for |")) {
      const matcher = compileMatcher(parse(codesIn(spec)[0]) as MatcherSpec);
      const value = (text: string): unknown => {
        const word = codesIn(text)[0];
        return word === "true" || word === "false" ? word === "true" : /^\d+$/.test(word) ? Number(word) : word;
      };
      expect(matcher.test(value(holds)), `${spec} ${holds}`).toBe(true);
      expect(matcher.test(value(fails)), `${spec} ${fails}`).toBe(false);
    }
  });

  it("names every key of the schema", () => {
    const named = new Set(codesIn(page.replace(/^```[\s\S]*?^```$/gm, "")));
    const keys = new Set<string>();
    const walk = (schema: unknown): void => {
      if (typeof schema !== "object" || schema === null) return;
      const { properties, ...rest } = schema as { properties?: Record<string, unknown> };
      for (const [key, value] of Object.entries(properties ?? {})) {
        // A topology's own keys are in docs/topologies.md.
        if (key !== "topology") walk(value);
        keys.add(key);
      }
      for (const value of Object.values(rest)) walk(value);
    };
    walk(scenarioJsonSchema());
    for (const key of keys) expect(named.has(key), key).toBe(true);
  });

  it("names what every command gives", () => {
    const rows = tableRows(page, "| name | what it is |");
    expect(rows.map((r) => codesIn(r[0])[0]).sort()).toEqual(Object.keys(COMMON_RESULTS).sort());
  });

  it("shows every table with its key and fields", () => {
    const rows = tableRows(page, "| table | key | fields |");
    expect(rows.map((r) => codesIn(r[0])[0])).toEqual([...TABLE_NAMES]);
    for (const [name, key, fields] of rows) {
      const table = codesIn(name)[0] as TableName;
      expect(codesIn(fields), table).toEqual(fieldNames(table));
      for (const text of codesIn(key)) expect(parseKeyText(table, text), text).toBeDefined();
    }
  });

  it("lists the connection tracking settings with their defaults", () => {
    const rows = tableRows(page, "| setting | default |");
    expect(rows.map((r) => `net.netfilter.${codesIn(r[0])[0]}`)).toEqual([...CONNTRACK_SYSCTLS]);
    for (const [name, seconds] of rows)
      expect(Number(seconds), name).toBe(timeoutSeconds(defaultTimeouts(), `net.netfilter.${codesIn(name)[0]}`));
  });

  it("names every code with which a command is refused", () => {
    const used = new Set<string>();
    const sources = [
      ...["src/control", "src/lab/common", "src/lab/sim", "src/lab/sim/commands"].flatMap((dir) =>
        readdirSync(new URL(`../../${dir}`, import.meta.url))
          .filter((f) => f.endsWith(".ts"))
          .map((f) => `${dir}/${f}`),
      ),
      ...["iptables", "iptables-rule", "conntrack-timeouts"].map((f) => `src/dataplane/${f}.ts`),
      ...["parse-command", "words", "arg-types"].map((f) => `src/scenario/${f}.ts`),
      "src/wire/filter.ts",
    ];
    for (const file of sources) for (const m of readRepo(file).matchAll(/"(ERR_[A-Z_]+)"/g)) used.add(m[1]);
    const named = [...page.slice(page.indexOf("## Codes")).matchAll(/`(ERR_[A-Z_]+)`/g)].map((m) => m[1]);
    expect([...new Set(named)].sort()).toEqual([...used].sort());
  });
});
