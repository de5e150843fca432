/** Level a on recordings made without a kernel: what is right is equal, and what was changed is found and written as a vector. */
import { describe, expect, it } from "vitest";
import { parseVector } from "../../src/dataplane/vector.ts";
import { runVector } from "../../src/dataplane/vector-run.ts";
import { compareHooks } from "../../src/diff/hooks.ts";
import type { HostHistory, TableWrite } from "../../src/lab/linux/hook-record.ts";
import { TABLES } from "../../src/tables/schema.ts";
import { toHex } from "../../src/wire/bytes.ts";
import { recordVectorRun, tamperedRun } from "./hook-history.ts";

const history = recordVectorRun("encap", "encap");
const [run] = history.hooks;
const TTL = 22;

describe("hook by hook", () => {
  it("is equal where the reference was recorded", () => {
    const report = compareHooks([history]);
    expect(report).toMatchObject({ verdict: "equal", differenceCount: 0 });
    expect(report.vector).toBeUndefined();
    expect(report.counts).toContainEqual({ name: "hook runs", count: 1 });
  });

  it("shows a frame that is not the same, and gives one vector with both answers", () => {
    const { first, vector = "", vectorReal = "" } = compareHooks([tamperedRun(history, TTL)]);
    expect(first).toMatchObject({ where: "egw/eth1 egress", what: "the frames are different" });
    expect(first?.fields).toMatchObject([{ layer: "ipv4", field: "time to live" }]);
    expect(runVector(parseVector(vector)).mismatches).toEqual([]);
    const [reference, real] = [vector, vectorReal].map((text) => JSON.parse(text).packets[0]);
    expect(reference.want).toMatchObject({ verdict: "pass", reason: "PASS_ENCAP", out: toHex(run.after.frame) });
    expect(real).toMatchObject({ in: reference.in, verdict: "pass", reason: "PASS_ENCAP" });
    expect(real.out).not.toBe(reference.want.out);
  });

  it("compares the counters of an interface that go with its programs", () => {
    const key = TABLES.STATS.key.encode({ value: run.before.ifindex });
    const [[, value]] = history.tables.STATS;
    const gone = (met: Uint8Array): HostHistory => {
      const at = { startNs: run.endNs + 1, endNs: run.endNs + 1 };
      const write: TableWrite = { ...at, table: "STATS", op: "delete", key, met: [[key, met]], failed: false };
      return { ...history, writes: [...history.writes, write], tables: { ...history.tables, STATS: [] } };
    };
    expect(compareHooks([gone(value)]).verdict).toBe("equal");
    const { first } = compareHooks([gone(value.map((b, i) => (i === 0 ? b + 1 : b)))]);
    expect(first?.what).toContain("what stands in STATS");
    expect(first?.rows).toMatchObject([{ host: "egw", table: "STATS" }]);
  });
});
