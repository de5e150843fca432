import { describe, expect, it } from "vitest";
import { LabError } from "../../src/errors.ts";
import type { DoStep, Scenario } from "../../src/scenario/scenario.ts";
import { readScenario } from "../../src/scenario/scenario-yaml.ts";
import { basicTopology } from "../support/fake-lab.ts";

const loadTopology = (name: string) => {
  if (name !== "basic.cfg") throw new LabError("ERR_FILE_NOT_FOUND", `there is no ${name}`);
  return basicTopology();
};
const read = (text: string): Scenario => readScenario(text, { file: "a.yaml", loadTopology });
const withSteps = (steps: string): string => `title: T\ntopology: basic.cfg\nsteps:\n${steps}\n`;

function refused(text: string): LabError {
  try {
    read(text);
  } catch (err) {
    if (err instanceof LabError) return err;
    throw err;
  }
  return expect.unreachable(`accepted: ${text}`);
}

describe("a scenario", () => {
  it("has every kind of step", () => {
    const s = read(`# yaml-language-server: $schema=../schema/scenario.schema.json
title: All kinds
description: More about it.
topology: basic.cfg
seed: 7
labs: [sim]
sysctl: { nat: { net.netfilter.nf_conntrack_udp_timeout: 10 } }
links: { all: loss 1% delay 5ms, egw/eth1: down }
steps:
  - egw pfc_list
  - do: client curl http://5.5.5.5:3200/hello
    name: first request
    expect: { status: 200, body: /HELLO/, output: [HELLO, 200 OK] }
  - do: client curl http://5.5.5.5:3200/hello
    expect:
      - status: 200
      - session node2 count 1
      - packet: { at: egw/eth1, gue: { group: 1 } }
        count: 1
        since: first request
  - do: egw pfc_add eth1 1 100 short 0 0 tcp 5.5.5.5 1 1.1.1.1 1
    refused: ERR_KEY
    expect: tunnel egw count 0
  - until: [tunnel egw 65736 resolved, epoch egw 1]
    within: 2s
  - expect: { table: egw TUNNEL 65736, has: { remote: "172.1.0.5:6000" } }
  - wait: 5m
  - parallel:
      - client ping 5.5.5.5
      - do: node1 ping 5.5.5.5
        expect: { received: 3 }
  - repeat: 2
    steps:
      - do: client curl --local-port {i+33000} http://5.5.5.5:{i+3199}/
      - repeat: 2
        steps: ["egw port_free {i}"]
`);
    expect(s).toMatchObject({
      title: "All kinds",
      description: "More about it.",
      seed: 7,
      labs: ["sim"],
      needsPackets: true,
    });
    expect(s.setup.map((c) => c.text)).toEqual([
      "nat sysctl -w net.netfilter.nf_conntrack_udp_timeout=10",
      "link all loss 1% delay 5ms",
      "link egw/eth1 down",
    ]);
    expect(s.steps.map((step) => step.kind)).toEqual(
      "do do do do until expect do parallel repeat".split(" ").map((k, i) => (i === 6 ? "wait" : k)),
    );
    expect(s.steps[1]).toMatchObject({ title: "first request", position: { line: 11, column: 5 } });
    expect((s.steps[1] as DoStep).results.map((r) => r.name)).toEqual(["status", "body", "output", "output"]);
    expect((s.steps[2] as DoStep).states).toHaveLength(2);
    expect((s.steps[3] as DoStep).refusal?.code).toBe("ERR_KEY");
    const repeat = s.steps[8];
    expect(repeat.kind === "repeat" && repeat.steps.map((one) => (one.kind === "do" ? one.text : one.kind))).toEqual([
      "client curl --local-port 33001 http://5.5.5.5:3200/",
      "repeat",
      "client curl --local-port 33002 http://5.5.5.5:3201/",
      "repeat",
    ]);
    const inner = repeat.kind === "repeat" ? repeat.steps[1] : undefined;
    expect(inner?.kind === "repeat" && inner.steps.map((one) => one.title)).toEqual([
      "egw port_free 1",
      "egw port_free 2",
    ]);
  });

  it("takes an inline topology", () => {
    const s = read(`title: T
topology: { extends: basic.cfg, links: { "*": { loss: 1% } } }
steps: [egw pfc_list]`);
    expect(s.topology.networks[0].link.loss).toBe(0.01);
  });
});

describe("mistakes: code, line and column", () => {
  it.each<[string, string, string, number, number, RegExp?]>([
    ["no steps", "title: T\ntopology: basic.cfg\nsteps: []", "ERR_SCENARIO_SYNTAX", 3, 1],
    ["no topology", "title: T\nsteps: [egw pfc_list]", "ERR_SCENARIO_SYNTAX", 1, 1],
    ["an unknown topology", "title: T\ntopology: basik.cfg\nsteps: [egw pfc_list]", "ERR_FILE_NOT_FOUND", 0, 0],
    [
      "a typo in a key",
      "title: T\ntopology: basic.cfg\nstep: []\nsteps: [egw pfc_list]",
      "ERR_SCENARIO_SYNTAX",
      3,
      1,
      /steps/,
    ],
    ["a typo in a step", withSteps("  - do: egw pfc_list\n    expct: 5"), "ERR_SCENARIO_SYNTAX", 5, 5, /expect/],
    [
      "a typo in a topology",
      "title: T\ntopology: { extend: basic.cfg }\nsteps: [egw pfc_list]",
      "ERR_TOPOLOGY_SYNTAX",
      2,
      13,
      /extends/,
    ],
    ["broken YAML", "title: T\n  topology: [", "ERR_YAML_SYNTAX", 1, 8],
    ["a key twice", "title: T\ntitle: U", "ERR_YAML_SYNTAX", 2, 1],
    ["a tag", "title: !foo T", "ERR_YAML_SYNTAX", 1, 8],
    ["two documents", "title: T\n---\ntitle: U", "ERR_YAML_SYNTAX", 2, 1],
    ["an unknown command", withSteps("  - do: egw pfc_lst"), "ERR_COMMAND_UNKNOWN", 4, 13, /pfc_list/],
    ["an unknown command in quotes", withSteps("  - do: 'egw pfc_lst'"), "ERR_COMMAND_UNKNOWN", 4, 14],
    ["an unknown command in short form", withSteps("  - egw pfc_lst"), "ERR_COMMAND_UNKNOWN", 4, 9],
    ["an unknown host", withSteps("  - do: http_start nodel 1.1.1.1 4000 1"), "ERR_HOST_UNKNOWN", 4, 20, /node1/],
    ["a short key", withSteps("  - egw pfc_add eth1 1 100 short 0 0 tcp 5.5.5.5 1 1.1.1.1 1"), "ERR_KEY", 4, 28],
    ["a refusal that is another", withSteps("  - do: egw pfc_lst\n    refused: ERR_KEY"), "ERR_COMMAND_UNKNOWN", 4, 13],
    ["a code that is none", withSteps("  - do: egw pfc_list\n    refused: NOPE"), "ERR_SCENARIO_SYNTAX", 5, 5],
    ["two things at once", withSteps("  - do: egw pfc_list\n    wait: 5s"), "ERR_SCENARIO_SYNTAX", 5, 5],
    ["nothing at all", withSteps("  - name: x"), "ERR_SCENARIO_SYNTAX", 4, 5],
    ["within without until", withSteps("  - do: egw pfc_list\n    within: 5s"), "ERR_SCENARIO_SYNTAX", 5, 5],
    ["repeat without steps", withSteps("  - repeat: 3"), "ERR_SCENARIO_SYNTAX", 4, 5],
    ["too many rounds", withSteps("  - repeat: 1001\n    steps: [egw pfc_list]"), "ERR_SCENARIO_SYNTAX", 4, 5],
    ["an empty expectation", withSteps("  - do: egw pfc_list\n    expect: {}"), "ERR_SCENARIO_SYNTAX", 5, 5],
    ["an empty list", withSteps("  - do: egw pfc_list\n    expect: []"), "ERR_SCENARIO_SYNTAX", 5, 5],
    ["an empty packet", withSteps("  - expect: { packet: {} }"), "ERR_SCENARIO_SYNTAX", 4, 15],
    [
      "an unknown result",
      withSteps("  - do: client curl 5.5.5.5\n    expect: { statsu: 200 }"),
      "ERR_SCENARIO_SYNTAX",
      5,
      15,
      /status/,
    ],
    ["a result without a command", withSteps("  - expect: { status: 200 }"), "ERR_SCENARIO_SYNTAX", 4, 5],
    [
      "a result of a refused command",
      withSteps("  - do: egw port_alloc\n    refused: ERR_X\n    expect: { port: 1 }"),
      "ERR_SCENARIO_SYNTAX",
      6,
      5,
    ],
    [
      "a typo in a packet",
      withSteps("  - expect: { packet: { at: egw, gue: { grp: 1 } } }"),
      "ERR_SCENARIO_SYNTAX",
      4,
      41,
      /group/,
    ],
    ["an unknown host in a packet", withSteps("  - expect: { packet: { at: egv/eth1 } }"), "ERR_HOST_UNKNOWN", 4, 25],
    ["an unknown NIC in a packet", withSteps("  - expect: { packet: { at: egw/eth2 } }"), "ERR_NIC_UNKNOWN", 4, 25],
    [
      "a count that always holds",
      withSteps('  - expect: { packet: { at: egw }, count: ">=0" }'),
      "ERR_EXPECT_SYNTAX",
      4,
      36,
    ],
    [
      "a wrong pattern",
      withSteps("  - do: client curl 5.5.5.5\n    expect: { body: /(/ }"),
      "ERR_EXPECT_SYNTAX",
      5,
      15,
    ],
    [
      "since nothing",
      withSteps("  - expect: { drop: { at: egw }, count: 1, since: later }"),
      "ERR_SCENARIO_SYNTAX",
      4,
      44,
    ],
    ["a wrong condition", withSteps("  - until: tunel egw 1"), "ERR_EXPECT_SYNTAX", 4, 12, /tunnel/],
    ["a wrong table", withSteps("  - expect: { table: egw TUNEL 1 }"), "ERR_EXPECT_SYNTAX", 4, 26, /TUNNEL/],
    [
      "a wrong field",
      withSteps("  - expect: { table: egw TUNNEL 1, has: { remot: x } }"),
      "ERR_EXPECT_SYNTAX",
      4,
      35,
      /remote/,
    ],
    ["a duration without unit", withSteps("  - wait: '5'"), "ERR_BAD_VALUE", 4, 12],
    ["a prompt", withSteps("  - do: cli egw"), "ERR_SCENARIO_SYNTAX", 4, 5],
    [
      "wrong link faults",
      "title: T\ntopology: basic.cfg\nlinks: { all: los 1% }\nsteps: [egw pfc_list]",
      "ERR_BAD_ARGUMENT",
      3,
      10,
    ],
    ["not a mapping", "- 1", "ERR_SCENARIO_SYNTAX", 1, 1],
    ["an empty file", "", "ERR_SCENARIO_SYNTAX", 1, 1],
  ])("%s", (_, text, code, line, column, hint) => {
    const err = refused(text);
    expect(err.message).not.toMatch(/undefined|\[object/);
    expect([err.code, err.position?.line ?? 0, err.position?.column ?? 0]).toEqual([code, line, column]);
    if (hint) expect(err.hint).toMatch(hint);
    if (line > 0) expect(err.position?.file).toBe("a.yaml");
  });

  it("refuses alias bombs, endless nesting and huge files", () => {
    const bomb = ["a: &a [x, x, x, x, x, x, x, x]"];
    for (const [i, name] of [..."bcdefghi"].entries())
      bomb.push(`${name}: &${name} [${Array(8).fill(`*${"abcdefgh"[i]}`).join(", ")}]`);
    expect(refused(bomb.join("\n")).code).toBe("ERR_YAML_SYNTAX");
    expect(refused(`title: ${"[".repeat(100_000)}`).code).toBe("ERR_YAML_SYNTAX");
    expect(refused(`a:\n${"- ".repeat(20_000)}x`).code).toBe("ERR_YAML_SYNTAX");
    expect(refused(`# ${"x".repeat(2 << 20)}`).code).toBe("ERR_FILE_TOO_LARGE");
  });

  it("refuses more steps than anyone reads", () => {
    const steps = "  - repeat: 1000\n    steps:\n      - repeat: 1000\n        steps: [egw pfc_list]";
    expect(refused(withSteps(steps)).message).toContain("10000 steps");
  });
});
