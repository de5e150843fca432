import { describe, expect, it } from "vitest";
import { COMMANDS } from "../../src/scenario/commands.ts";
import { completions } from "../../src/scenario/complete.ts";
import { helpText } from "../../src/scenario/help.ts";
import { topologyContext } from "../../src/scenario/topology-context.ts";
import { basicTopology } from "../support/fake-lab.ts";

const ctx = topologyContext(basicTopology());
const at = (text: string, host?: string): string[] => completions(text, { ...ctx, host }, ["help"]).candidates;

describe("completion", () => {
  it.each<[string, string[]]>([
    ["http_", ["http_start", "http_stop"]],
    ["no", ["node1", "node2"]],
    ["he", ["help"]],
    ["help pfc_a", ["pfc_add"]],
    ["egw port_", ["port_alloc", "port_free", "port_init", "port_list"]],
    ["exec egw port_f", ["port_free"]],
    ["exec n", ["nat", "node1", "node2"]],
    ["nat pfc_stop ", ["eth1", "eth2"]],
    ["cli e", ["egw"]],
    ["http_start node", ["node1", "node2"]],
    ["http_start node1 ", []],
    ["pktdump nat ", ["eth1", "eth2"]],
    ["test_icmp 5.5.5.5 client n", ["nat", "node1", "node2"]],
    ["egw pfc_start eth1 egw d", ["dnat", "dump"]],
    ["egw pfc_start eth1 egw 9 s", ["snat"]],
    ["egw pfc_add -", ["-p"]],
    ["client ping -M ", ["do", "dont"]],
    ["client ping -M do ", []],
    ["link egw/", ["egw/eth1"]],
    ["link all l", ["loss"]],
    ["link all loss 1% d", ["delay", "down", "duplicate"]],
    ["nothing at all ", []],
  ])("%j", (text, candidates) => {
    expect(at(text)).toEqual(candidates);
  });

  it("offers a host's commands at its prompt", () => {
    expect(at("port_f", "egw")).toEqual(["port_free"]);
    expect(at("pfc_stop e", "egw")).toEqual(["eth1"]);
    expect(at("port_f")).toEqual([]);
  });
});

describe("help", () => {
  it("lists every command once", () => {
    const text = helpText();
    for (const { name } of COMMANDS) expect(text.filter((l) => l.startsWith(`  ${name} `))).toHaveLength(1);
  });

  it("tells of one command: usage, every parameter and option, an example, the undoing", () => {
    const text = helpText("pfc_add.sh").join("\n");
    for (const part of [
      "<host> pfc_add [-p]",
      "<backend-port>",
      "16-byte",
      "For example: egw pfc_add",
      "Undone by pfc_delete",
    ])
      expect(text).toContain(part);
    expect(helpText("pfc_ad")).toEqual(['There is no command "pfc_ad". Did you mean pfc_add?']);
  });
});
