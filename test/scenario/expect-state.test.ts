/** What `expect` makes of its object forms, through a whole scenario. */
import { describe, expect, it } from "vitest";
import { runScenario } from "../../src/scenario/runner.ts";
import { readScenario } from "../../src/scenario/scenario-yaml.ts";
import { TABLES } from "../../src/tables/schema.ts";
import { typed } from "../../src/tables/typed.ts";
import { buildPacket } from "../../src/wire/build.ts";
import { basicTopology, FakeLab } from "../support/fake-lab.ts";

async function statusOf(lab: FakeLab, item: string): Promise<string> {
  const text = `title: T\ntopology: basic.cfg\nsteps:\n  - egw pfc_list\n  - expect: ${item}\n`;
  const scenario = readScenario(text, { file: "a.yaml", loadTopology: basicTopology });
  return (await runScenario(scenario, lab)).status;
}

describe("a table without a key", () => {
  const ep = (ip: number, port: number) => ({ ip, port, proto: 17, pad: 0 });
  const lab = new FakeLab();
  const tunnels = typed(TABLES.TUNNEL, lab.tablesOf("egw").TUNNEL);
  for (const id of [1, 2, 3])
    tunnels.set({ value: id }, { local: ep(0xac010003, 5000 + id), remote: id < 3 ? ep(0xac010005, 6000) : ep(0, 0) });

  it.each([
    ['{ table: egw TUNNEL, has: { remote: "172.1.0.5:6000" }, count: 2 }', "passed"],
    ['{ table: egw TUNNEL, has: { remote: "172.1.0.5:6000" }, count: 3 }', "failed"],
    ['{ table: egw TUNNEL, has: { local: "172.1.0.3:5003" } }', "passed"],
    ['{ table: egw TUNNEL, has: { local: "172.1.0.3:5009" } }', "failed"],
    ['{ table: egw TUNNEL 3, has: { remote: "172.1.0.5:6000" } }', "failed"],
  ])("%s: %s", async (item, status) => {
    expect(await statusOf(lab, item)).toBe(status);
  });
});

describe("an address that a packet must not have", () => {
  // The runner counts from the scenario's start: the packet comes with the first command.
  const sent = () =>
    new FakeLab((_, lab) => {
      const frame = buildPacket({ ip: { src: "1.1.1.1", dst: "172.1.0.2" }, tcp: { sport: 4000, dport: 33000 } });
      lab.packetList.push({ timeNs: 1, host: "egw", nic: "eth1", direction: "out", frame });
      return {};
    });

  it.each([
    ['{ packet: { at: egw, src: "!=1.1.1.1" }, count: 0 }', "passed"],
    ['{ packet: { at: egw, src: "!=1.1.1.1:4000" }, count: 0 }', "passed"],
    ['{ packet: { at: egw, src: "!=1.1.1.1:4001" } }', "passed"],
    ['{ packet: { at: egw, src: "!=2.2.2.2" } }', "passed"],
    ['{ packet: { at: egw, src: "!=2.2.2.2" }, count: 0 }', "failed"],
    ['{ packet: { at: egw, src: "1.1.1.1:4000", dst: 172.1.0.2 } }', "passed"],
  ])("%s: %s", async (item, status) => {
    expect(await statusOf(sent(), item)).toBe(status);
  });
});
