import { describe, expect, it } from "vitest";
import type { RecordedRun } from "../../src/diff/real.ts";
import { compareScenario, namedPorts } from "../../src/diff/scenario.ts";
import { ETH_HLEN, ETH_P_IP, ethType } from "../../src/wire/ethernet.ts";
import { IPPROTO_TCP, ipProto } from "../../src/wire/ipv4.ts";
import { changed, record, tampered, told } from "./support.ts";

const NAME = "gue/02-ping-resolves-node2";
const NODE_TCP = (p: RecordedRun["packets"][number]): boolean =>
  p.host === "client" &&
  p.direction === "in" &&
  ethType(p.frame, 0) === ETH_P_IP &&
  ipProto(p.frame, ETH_HLEN) === IPPROTO_TCP;

describe("two runs of one scenario", () => {
  it.each([
    "basic/02-node2-behind-nat",
    "gue/04-pings-keep-mapping",
    "mtu/10-udp-request-node2",
    "split/01-node1-random-ports",
  ])("are equal but for what chance chooses: %s", async (name) => {
    const [a, b] = [await record(name, 1), await record(name, 2)];
    const level = compareScenario(a, b);
    expect(level.verdict, told(level)).toBe("equal");
    expect(level.rules.map((r) => r.name)).toContain("ephemeral-port");
    expect(level.counts.find((c) => c.name === "flows")?.count).toBeGreaterThan(5);
  });

  it("know the ports that the scenario names", async () => {
    const ports = namedPorts((await record(NAME)).marks);
    for (const p of [5000, 5005, 5010, 4000, 3200, 6080]) expect(ports.has(p), String(p)).toBe(true);
    expect(ports.has(49_152)).toBe(false);
  });
});

describe("a run that is another", () => {
  it("is found when an answer was lost", async () => {
    const run = await record("basic/02-node2-behind-nat");
    // Every copy of what carried the answer's bytes.
    const lost = changed(run, (p) => (NODE_TCP(p) && p.frame.length > 100 ? undefined : p));
    const level = compareScenario(lost, run);
    expect(level.verdict).toBe("different");
    expect(level.first).toMatchObject({ where: "client/eth1", what: "a TCP direction carried other bytes" });
  });

  it("is found when a whole flow is missing", async () => {
    const run = await record(NAME);
    const level = compareScenario(
      changed(run, (p) => (NODE_TCP(p) ? undefined : p)),
      run,
    );
    expect(level.differences.map((d) => d.what)).toContain("this flow is in the simulated run only");
  });

  it("is found when one byte of an answer differs", async () => {
    const run = await record(NAME);
    const at = run.packets.findIndex((p) => NODE_TCP(p) && p.frame.length > 100);
    const level = compareScenario(
      tampered(run, at, (f) => void (f[f.length - 3] ^= 1)),
      run,
    );
    expect(level.first?.what).toBe("a TCP direction carried other bytes");
  });

  it("is found when an expectation came out otherwise", async () => {
    const run = await record(NAME);
    const steps = structuredClone(run.report.steps);
    const step = steps.find((s) => s.checks.length > 0);
    if (step === undefined) throw new Error("the scenario has no check");
    step.status = "failed";
    step.checks[0].ok = false;
    const level = compareScenario({ ...run, report: { ...run.report, steps } }, run);
    expect(level.first).toMatchObject({ where: `step ${step.id}`, what: "a step came to another end" });
    expect(level.first?.rows[0].real).toContain("failed");
  });

  it("is found when a table ends with another row", async () => {
    const run = await record(NAME);
    const tables = structuredClone(run.report.tables);
    const tunnel = tables.find((t) => t.table === "TUNNEL");
    if (tunnel === undefined) throw new Error("the scenario has no tunnel");
    tunnel.rows[0][2] = "172.1.0.9:6000";
    const level = compareScenario({ ...run, report: { ...run.report, tables } }, run);
    expect(level.differenceCount).toBe(1);
    expect(level.first?.rows[0]).toMatchObject({ table: "TUNNEL", host: tunnel.host });
  });
});
