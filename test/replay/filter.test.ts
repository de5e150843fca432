import { beforeAll, describe, expect, it } from "vitest";
import { LabError } from "../../src/errors.ts";
import { FILTER_FIELDS, parseDisplayFilter } from "../../src/replay/filter.ts";
import type { Recording } from "../../src/replay/recording.ts";
import type { EventRow } from "../../src/replay/types.ts";
import { record } from "./support.ts";

let run: Recording;
let rows: EventRow[];
beforeAll(async () => {
  run = await record("security/01-wrong-key");
  rows = Array.from({ length: run.length }, (_, i) => run.row(i));
});

/** Each filter, and what it must mean for a row. */
const MEANINGS: [filter: string, holds: (r: EventRow) => boolean][] = [
  ["", () => true],
  ["host==egw", (r) => r.host === "egw"],
  ["host=EGW", (r) => r.host === "egw"],
  ["host!=egw", (r) => r.host !== "egw" && r.host !== ""],
  ["nic==egw/eth1", (r) => r.host === "egw" && r.nic === "eth1"],
  ["nic==eth1", (r) => r.nic === "eth1"],
  ["kind==hook", (r) => r.kind === "hook"],
  ["dir==out", (r) => r.direction === "out"],
  ["hook==egress", (r) => r.hook === "egress"],
  ["verdict==drop", (r) => r.verdict === "drop"],
  ["reason==DROP_WRONG_KEY", (r) => r.reason === "DROP_WRONG_KEY"],
  ["reason~drop_", (r) => r.reason?.includes("DROP_") ?? false],
  ["tunnel==65636", (r) => r.tunnel === 65636],
  ["service==100..150", (r) => r.service === 100],
  ["time>0.4", (r) => r.timeNs > 0.4e9],
  ["time<=0.4002", (r) => r.timeNs <= 0.4002e9],
  ["index==3..5", (r) => r.index >= 3 && r.index <= 5],
  ["step==7", (r) => r.step === "7"],
  ["changes>0", (r) => r.changes > 0],
  ["journey==2", (r) => r.journey === 2],
  ["host==egw && verdict==drop", (r) => r.host === "egw" && r.verdict === "drop"],
  ["host==egw verdict==drop", (r) => r.host === "egw" && r.verdict === "drop"],
  ["host==egw or not kind==hook and dir==in", (r) => r.host === "egw" || (r.kind !== "hook" && r.direction === "in")],
  ["!(host==egw || host==nat)", (r) => r.host !== "egw" && r.host !== "nat"],
  ['"who has"', (r) => r.summary.includes("who has")],
  ["WHO", (r) => /who/i.test(r.summary)],
];

describe("the display filter", () => {
  it.each(MEANINGS)("%s", (filter, holds) => {
    const want = rows.filter(holds).map((r) => r.index);
    expect([...run.events(filter)]).toEqual(want);
    expect(want.length).toBeGreaterThan(0);
  });

  it("knows protocols and endpoints of every layer", () => {
    const count = (filter: string): number => run.events(filter).length;
    expect(count("proto==gue")).toBeGreaterThan(count("proto==ping"));
    expect(count("proto==gue") + count("proto!=gue")).toBe(rows.filter((r) => r.length > 0).length);
    expect([...run.events("proto==arp")]).toEqual(rows.filter((r) => r.summary.startsWith("ARP")).map((r) => r.index));
    expect(count("ip==1.1.1.1")).toBe(count("src==1.1.1.1 or dst==1.1.1.1"));
    for (const i of run.events("dst==1.1.1.1:4000 kind==packet")) expect(rows[i].summary).toContain("> 1.1.1.1:4000");
    expect(count("dst==1.1.1.1:4000")).toBeGreaterThan(0);
    expect(count("port==6000")).toBeGreaterThan(0);
  });

  it.each([
    ["host==", 7],
    ["hots==egw", 1],
    ["time>soon", 6],
    ["time~1", 5],
    ["host<egw", 5],
    ["verdict==dropped", 10],
    ["(host==egw", 1],
    ["host==egw)", 10],
    ["host==egw &&", 13],
    ["a & b", 3],
    ['"open', 1],
    ["src==1.2.3", 6],
    ["not", 4],
  ])("says in which column %s is wrong", (filter, column) => {
    let error: unknown;
    try {
      parseDisplayFilter(filter);
    } catch (err) {
      error = err;
    }
    expect(error).toBeInstanceOf(LabError);
    expect(error).toMatchObject({ code: "ERR_FILTER_SYNTAX", position: { line: 1, column } });
  });

  it("refuses what would take the parser's stack", () => {
    expect(() => parseDisplayFilter("(".repeat(1500))).toThrow(/nested/);
    expect(() => parseDisplayFilter("a ".repeat(1500))).toThrow(/too long/);
  });

  it("names only fields that there are", () => {
    for (const field of Object.keys(FILTER_FIELDS)) {
      const { type } = FILTER_FIELDS[field as keyof typeof FILTER_FIELDS];
      const value = { number: "1", endpoint: "1.2.3.4:5", text: "x" }[type];
      expect(() => run.events(`${field}${type === "text" ? "~" : "=="}${value}`)).not.toThrow();
    }
  });
});
