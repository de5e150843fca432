import { describe, expect, it } from "vitest";
import { LabError } from "../../src/errors.ts";
import type { CommandResult } from "../../src/scenario/lab.ts";
import type { RunEvent, RunReport } from "../../src/scenario/report-types.ts";
import { type RunOptions, runScenario } from "../../src/scenario/runner.ts";
import { readScenario } from "../../src/scenario/scenario-yaml.ts";
import { TABLES } from "../../src/tables/schema.ts";
import { typed } from "../../src/tables/typed.ts";
import { buildPacket } from "../../src/wire/build.ts";
import { basicTopology, FakeLab } from "../support/fake-lab.ts";

const scenario = (steps: string, head = "") =>
  readScenario(`title: T\ntopology: basic.cfg\n${head}steps:\n${steps}\n`, {
    file: "a.yaml",
    loadTopology: basicTopology,
  });
const run = (lab: FakeLab, steps: string, options: RunOptions = {}): Promise<RunReport> =>
  runScenario(scenario(steps), lab, undefined, options);
const answers = (result: Partial<CommandResult>): FakeLab => new FakeLab(() => result);
const refuses = (code: string): FakeLab =>
  new FakeLab(() => {
    throw new LabError(code, "no", { hint: "Do not." });
  });
const frame = buildPacket({ ip: { src: "172.1.0.2", dst: "5.5.5.5" }, udp: { sport: 1, dport: 2 } });

describe("do", () => {
  it("passes when the command succeeds and its expectations hold", async () => {
    const lab = answers({ data: { status: 200 }, output: ["HTTP 200"] });
    const report = await run(lab, "  - do: client curl 5.5.5.5\n    expect: { status: 200 }");
    expect(report).toMatchObject({ status: "passed", counts: { steps: 1, passed: 1, failed: 0, checks: 1 } });
    expect(report.steps[0]).toMatchObject({ status: "passed", output: ["HTTP 200"], startNs: 0, endNs: 1000 });
    expect(lab.ran).toEqual(["client curl 5.5.5.5"]);
  });

  it("fails when an expectation does not hold, with its place", async () => {
    const report = await run(
      answers({ data: { status: 404 } }),
      "  - do: client curl 5.5.5.5\n    expect: { status: 200 }",
    );
    expect(report.status).toBe("failed");
    expect(report.steps[0].checks).toEqual([
      {
        ok: false,
        text: "status is 200",
        expected: "200",
        actual: "404",
        detail: [],
        position: { file: "a.yaml", line: 5, column: 15 },
      },
    ]);
  });

  it("fails when the command fails and nobody asked, unless it is expected to", async () => {
    for (const data of [{ error: "ETIMEDOUT" }, { sent: 3, received: 0 }])
      expect((await run(answers({ data }), "  - client ping 5.5.5.5")).status).toBe("failed");
    expect(
      (await run(answers({ data: { received: 0 } }), "  - do: client ping 5.5.5.5\n    expect: { received: 0 }"))
        .status,
    ).toBe("passed");
    const step = "  - do: client curl 5.5.5.5\n    expect: { fails: ETIMEDOUT }";
    expect((await run(answers({ data: { error: "ETIMEDOUT" } }), step)).status).toBe("passed");
    expect((await run(answers({ data: { error: "ECONNREFUSED" } }), step)).status).toBe("failed");
    expect((await run(answers({ data: { status: 200 } }), step)).status).toBe("failed");
  });

  it("wants the very refusal that is expected", async () => {
    const step = "  - do: egw port_alloc\n    refused: ERR_PORT_POOL_EMPTY";
    expect((await run(refuses("ERR_PORT_POOL_EMPTY"), step)).steps[0]).toMatchObject({
      status: "passed",
      refused: "ERR_PORT_POOL_EMPTY",
    });
    expect((await run(refuses("ERR_OTHER"), step)).steps[0].failures[0]).toMatchObject({
      expected: "refused with ERR_PORT_POOL_EMPTY",
      actual: "refused with ERR_OTHER",
    });
    expect((await run(new FakeLab(), step)).steps[0].failures[0]).toMatchObject({
      message: "the command was not refused",
    });
    expect((await run(refuses("ERR_OTHER"), "  - egw port_alloc")).steps[0].failures[0]).toMatchObject({
      code: "ERR_OTHER",
      hint: "Do not.",
      position: { line: 4 },
    });
  });

  it("does not run a line that is refused when it is read", async () => {
    const lab = new FakeLab();
    const report = await run(
      lab,
      "  - do: egw pfc_add eth1 1 1 short 0 0 tcp 5.5.5.5 1 1.1.1.1 1\n    refused: ERR_KEY",
    );
    expect(report.steps[0]).toMatchObject({ status: "passed", refused: "ERR_KEY" });
    expect(lab.ran).toEqual([]);
  });

  it("throws what is a defect", async () => {
    const lab = new FakeLab(() => {
      throw new TypeError("oops");
    });
    await expect(run(lab, "  - egw pfc_list")).rejects.toThrow("oops");
  });

  it("reports the packets and drops of its own time, equal drops merged", async () => {
    const lab = new FakeLab((_, l) => {
      for (let i = 0; i < 3; i++)
        l.dropList.push({ timeNs: i, host: "egw", nic: "eth1", where: "tc ingress", reason: "DROP_WRONG_KEY", frame });
      l.packetList.push({ timeNs: 0, host: "egw", nic: "eth1", direction: "in", frame });
      return {};
    });
    const report = await run(
      lab,
      "  - egw pfc_list\n  - do: egw pfc_list\n    expect: { drop: { at: egw/eth1, reason: DROP_WRONG_KEY }, count: 3, since: step }",
    );
    expect(report.steps[1]).toMatchObject({ status: "passed", packets: 1 });
    expect(report.steps[1].drops).toMatchObject(
      [{ where: "tc ingress", reason: "DROP_WRONG_KEY", count: 3, text: /key/ }].map((d) => ({
        ...d,
        text: expect.stringMatching(d.text),
      })),
    );
    expect(report.counts).toMatchObject({ packets: 2, drops: 6 });
  });
});

describe("time", () => {
  const resolve = (lab: FakeLab) => () =>
    typed(TABLES.TUNNEL, lab.tablesOf("egw").TUNNEL).set(
      { value: 7 },
      { local: { ip: 1, port: 2, proto: 17, pad: 0 }, remote: { ip: 3, port: 4, proto: 17, pad: 0 } },
    );

  it("until waits for its condition, and no longer", async () => {
    const lab = new FakeLab();
    lab.events.push({ at: 2e9, do: resolve(lab) });
    const report = await run(lab, "  - until: tunnel egw 7 resolved\n    within: 3s");
    expect(report.steps[0]).toMatchObject({ status: "passed", endNs: 2e9 });
    expect(report.tables.find((t) => t.table === "TUNNEL")).toMatchObject({
      host: "egw",
      rows: [["7", "0.0.0.1:2", "0.0.0.3:4"]],
    });
  });

  it("until fails after its time, and says what is there", async () => {
    const lab = new FakeLab();
    lab.events.push({ at: 4e9, do: resolve(lab) });
    const report = await run(lab, "  - until: tunnel egw 7 resolved\n    within: 3s");
    expect(report.steps[0]).toMatchObject({ status: "failed", endNs: 3e9, checks: [{ ok: false }] });
    expect(report.steps[0].failures[0].message).toBe("this did not happen within 3s");
  });

  it("wait passes time", async () => {
    expect((await run(new FakeLab(), "  - wait: 5m")).timeNs).toBe(300e9);
  });

  it("refuses long waits in a real lab before anything runs", async () => {
    const lab = new FakeLab();
    lab.kind = "netns";
    for (const step of ["wait: 6s", "until: epoch egw 1\n    within: 6s", "repeat: 2\n    steps: [{ wait: 1m }]"])
      await expect(run(lab, `  - egw pfc_list\n  - ${step}`)).rejects.toMatchObject({ code: "ERR_STEP_TOO_LONG" });
    expect(lab.ran).toEqual([]);
    expect((await run(lab, "  - wait: 5s")).status).toBe("passed");
  });

  it("refuses a lab for which the scenario is not", async () => {
    const only = scenario("  - egw pfc_list", "labs: [docker]\n");
    await expect(runScenario(only, new FakeLab())).rejects.toMatchObject({ code: "ERR_LAB_KIND" });
  });
});

describe("the run", () => {
  const failing = () =>
    new FakeLab((command) => {
      if (command.text === "egw port_alloc") throw new LabError("ERR_X", "no");
      return {};
    });
  const steps =
    "  - egw pfc_list\n  - egw port_alloc\n  - repeat: 2\n    steps: [egw port_list]\n  - parallel: [egw port_list, node1 port_list]";

  it("stops at the first failed step and reports the rest as skipped", async () => {
    const lab = failing();
    const report = await run(lab, steps);
    expect(report.counts).toMatchObject({ steps: 6, passed: 1, failed: 1, skipped: 4 });
    expect(report.steps.map((s) => s.status)).toEqual(["passed", "failed", "skipped", "skipped"]);
    expect(lab.ran).toHaveLength(2);
  });

  it("goes on where it is told to", async () => {
    const report = await run(failing(), steps, { keepGoing: true });
    expect(report.counts).toMatchObject({ steps: 6, passed: 5, failed: 1, skipped: 0 });
    expect(report.steps[3].steps.map((s) => [s.id, s.status])).toEqual([
      ["4.1", "passed"],
      ["4.2", "passed"],
    ]);
  });

  it("a failed command of a parallel step fails it, and only it", async () => {
    const report = await run(failing(), "  - parallel: [egw port_list, egw port_alloc]");
    expect(report.steps[0].steps.map((s) => s.status)).toEqual(["passed", "failed"]);
    expect(report.counts).toMatchObject({ steps: 2, passed: 1, failed: 1 });
  });

  it("runs the settings first; one that is refused fails the run", async () => {
    const settings = scenario("  - egw pfc_list", "links: { all: loss 1% }\n");
    const lab = new FakeLab();
    expect((await runScenario(settings, lab)).status).toBe("passed");
    expect(lab.ran).toEqual(["link all loss 1%", "egw pfc_list"]);
    const report = await runScenario(settings, refuses("ERR_X"));
    expect(report).toMatchObject({ status: "failed", error: { code: "ERR_X" }, counts: { skipped: 1 } });
  });

  it("tells its listener what happens, in order, and the report is plain data", async () => {
    const events: RunEvent[] = [];
    const lab = answers({ output: ["x"], data: { received: 3 } });
    const report = await runScenario(scenario("  - do: client ping 5.5.5.5\n    expect: { received: 3 }"), lab, (e) =>
      events.push(e),
    );
    expect(events.map((e) => e.type)).toEqual([
      "scenario-start",
      "step-start",
      "step-output",
      "step-check",
      "step-end",
      "scenario-end",
    ]);
    expect(JSON.parse(JSON.stringify(report))).toEqual(JSON.parse(JSON.stringify(structuredClone(report))));
  });
});
