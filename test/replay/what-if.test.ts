import { expect, it } from "vitest";
import type { WhatIf } from "../../src/replay/protocol.ts";
import { readSource } from "../../src/replay/record.ts";
import { applyWhatIf } from "../../src/replay/what-if.ts";
import { record, sourceOf } from "./support.ts";

const NODE2 = "basic/02-node2-behind-nat";
const changed = (...changes: WhatIf[]) => applyWhatIf(sourceOf(NODE2), changes);

it("without pings the request is dropped for want of the tunnel's end", async () => {
  const run = await record(NODE2, {}, [{ kind: "stop-pings", host: "node2" }]);
  expect(run.info.changes).toEqual(["node2 sends no GUE pings."]);
  expect(run.info.report?.status).toBe("failed");
  const [drop] = run.events("verdict==drop && kind==hook");
  expect(run.row(drop)).toMatchObject({ host: "egw", reason: "DROP_UNRESOLVED" });
  expect(run.event(drop).decision?.checks.at(-1)).toMatchObject({ outcome: "stop", value: "0.0.0.0:0" });
});

it("with another key egw drops node2's pings", async () => {
  const key = "8765432187654321";
  const run = await record(NODE2, {}, [{ kind: "key", host: "node2", group: 1, service: 200, key }]);
  expect(run.events("host==egw && reason==DROP_WRONG_KEY").length).toBeGreaterThan(0);
});

it("a link's faults and the NAT's timeout stand in the text, comments stay", async () => {
  const { source, descriptions } = changed(
    { kind: "link", link: "node2/eth1", faults: "loss 50%" },
    { kind: "link", link: "node2/eth1", faults: "delay 5ms loss 100%" },
    { kind: "nat-udp-timeout", host: "nat", seconds: 2, stream: 3 },
    { kind: "seed", seed: 9 },
    { kind: "step", text: "wait 1s" },
    { kind: "step", before: 1, text: "client ping 5.5.5.5" },
  );
  expect(descriptions).toHaveLength(6);
  expect(source.text).toContain("node2/eth1: loss 100% delay 5ms");
  expect(source.text).toContain("net.netfilter.nf_conntrack_udp_timeout: 2");
  expect(source.text).toContain("# The point: egw sends to nat's address and port");
  const scenario = readSource(source);
  expect(scenario).toMatchObject({ seed: 9, setup: { length: 3 } });
  expect(scenario.steps[0].title).toBe("client ping 5.5.5.5");
  expect(scenario.steps.at(-1)?.kind).toBe("wait");
  const run = await record(NODE2, {}, [{ kind: "link", link: "node2/eth1", faults: "loss 100%" }]);
  expect(run.events("where==link").length).toBeGreaterThan(0);
});

it("without changes the text is the text", () => {
  expect(changed().source.text).toBe(sourceOf(NODE2).text);
});

it.each<[WhatIf, string]>([
  [{ kind: "stop-pings", host: "egw" }, "ERR_WHAT_IF"],
  [{ kind: "key", host: "egw", group: 9, service: 9, key: "8765432187654321" }, "ERR_WHAT_IF"],
  [{ kind: "key", host: "egw", group: 1, service: 200, key: "short" }, "ERR_KEY"],
  [{ kind: "link", link: "all", faults: "loss" }, "ERR_WHAT_IF"],
  [{ kind: "step", before: 99, text: "wait 1s" }, "ERR_WHAT_IF"],
])("refuses %j", (change, code) => {
  expect(() => changed(change)).toThrow(expect.objectContaining({ code }));
});

it("leaves what makes no sense to the scenario's reader", () => {
  const { source } = changed({ kind: "link", link: "nowhere/eth1", faults: "loss 5%" });
  expect(() => readSource(source)).toThrow(/nowhere/);
});
