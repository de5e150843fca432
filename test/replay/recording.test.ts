/** What a recording shows of the demo's central scenario: node2 behind its NAT. */
import { beforeAll, describe, expect, it } from "vitest";
import { navigate } from "../../src/replay/navigate.ts";
import { recordScenario } from "../../src/replay/record.ts";
import type { Recording } from "../../src/replay/recording.ts";
import type { EventDetail } from "../../src/replay/types.ts";
import { readCapture } from "../../src/wire/pcap-reader.ts";
import { bigSource, record, sourceOf } from "./support.ts";

let run: Recording;
beforeAll(async () => {
  run = await record("basic/02-node2-behind-nat");
});

const first = (filter: string): EventDetail => {
  const [index] = run.events(filter);
  if (index === undefined) throw new Error(`no event: ${filter}`);
  return run.event(index);
};

describe("events", () => {
  it("are in order of time, each with its step", () => {
    let last = 0;
    for (let i = 0; i < run.length; i++) {
      const row = run.row(i);
      expect(row.timeNs).toBeGreaterThanOrEqual(last);
      last = row.timeNs;
    }
    expect(run.info.report?.status).toBe("passed");
    expect(run.info.steps).toHaveLength(9);
    for (const step of run.info.steps) {
      expect(run.row(step.firstEvent)).toMatchObject({ kind: "step", step: step.id });
      expect(step.lastEvent).toBeGreaterThan(step.firstEvent);
    }
  });

  it("are the same for the same seed, and others for another", async () => {
    const rows = (r: Recording) => Array.from({ length: r.length }, (_, i) => r.row(i));
    expect(rows(await record("basic/02-node2-behind-nat"))).toEqual(rows(run));
    const other = await recordScenario({ ...sourceOf("basic/02-node2-behind-nat"), seed: 2 });
    expect(rows(other)).not.toEqual(rows(run));
  });

  it("show encapsulation as 52 bytes behind the MAC header", () => {
    const e = first("host==egw && reason==PASS_ENCAP");
    expect(e.lengthAfter - e.length).toBe(52);
    expect(e.diff?.added).toEqual([{ start: 14, end: 66 }]);
    expect(e.diff?.removed).toEqual([]);
    expect(e.after?.summary).toContain("GUE 1/200");
    expect(e.decision).toMatchObject({ verdict: "pass", reason: "PASS_ENCAP", agrees: true });
    expect(e.decision?.checks.find((c) => c.lookup?.table === "ENCAP")?.lookup?.entry).toContain("tunnel 65736");
  });

  it("show decapsulation as 52 bytes less, and the session that is learned", () => {
    const e = first("host==node2 && reason==PASS_DECAP");
    expect(e.diff?.removed).toEqual([{ start: 14, end: 66 }]);
    expect(e.rows[0]).toMatchObject({ host: "node2", table: "SESSION", before: undefined });
    expect(e.decision?.notes.map((n) => n.name)).toContain("SESSION_LEARNED");
  });

  it("show the NAT's translation, the flow that it makes, and what it is", () => {
    const e = first("kind==nat && host==nat && where==postrouting && proto==ping");
    expect(e.note).toContain("source 172.2.0.3:6000 -> 172.1.0.5:6000");
    expect(e.diff?.fields).toContainEqual({
      layer: "IPv4",
      field: "source address",
      before: "172.2.0.3",
      after: "172.1.0.5",
    });
    expect(e.rows).toEqual([
      expect.objectContaining({ table: "conntrack", key: "udp 172.2.0.3:6000 > 172.1.0.3:5000" }),
    ]);
    expect(e.flow).toContain("reply 172.1.0.3:5000 > 172.1.0.5:6000");
  });

  it("show the ping that resolves the tunnel", () => {
    const e = first("verdict==consumed");
    expect(e.rows[0]).toMatchObject({ host: "egw", table: "TUNNEL", key: "65736" });
    expect(e.rows[0].text).toBe("remote 0.0.0.0:0 -> 172.1.0.5:6000");
  });

  it("show what commands write as events of their own", () => {
    const e = first("kind==control && host==egw");
    expect(e.rows.map((r) => r.table)).toContain("CONFIG");
    expect(e.step).not.toBe("");
  });
});

describe("journeys", () => {
  it("follow the request from the client to node2's backend, the reply apart", () => {
    const request = first("host==client && dir==out && proto==tcp");
    const { hops } = run.journey(request.journey);
    const hosts = [...new Set(hops.map((h) => h.host))];
    expect(hosts).toEqual(["client", "egw", "nat", "node2"]);
    const reply = first("host==node2 && reason==PASS_ENCAP");
    expect(reply.journey).not.toBe(request.journey);
    expect([...new Set(run.journey(reply.journey).hops.map((h) => h.host))]).toEqual(["node2", "nat", "egw", "client"]);
  });

  it("let copies of a flooded frame share one", () => {
    const arp = first("proto==arp && host==egw && dir==out");
    const seen = new Set(run.journey(arp.journey).hops.map((h) => h.host));
    expect(seen.size).toBeGreaterThan(3);
  });

  it("part where a packet becomes an ICMP error", async () => {
    const mtu = await record("mtu/01-tcp-request-node1-pmtud");
    const [index] = mtu.events("reason==REDIRECT_FRAG_NEEDED");
    const journey = mtu.row(index).journey;
    const [icmp] = mtu.events("proto==icmp && kind==packet").filter((i) => i > index);
    expect(mtu.journey(mtu.row(icmp).journey).parent).toBe(journey);
    const { diff } = mtu.event(index);
    expect(diff?.added).toEqual([{ start: 14, end: 42 }]);
    expect(diff?.removed).toHaveLength(1);
  });
});

it("goes where it is asked to go", () => {
  expect(navigate(run, -1, { to: "next" })).toBe(0);
  expect(navigate(run, 0, { to: "previous" })).toBe(-1);
  expect(navigate(run, run.length - 1, { to: "next" })).toBe(-1);
  const third = run.step("3")?.firstEvent as number;
  expect(navigate(run, 0, { to: "step", step: "3" })).toBe(third);
  const at = navigate(run, 0, { to: "time", timeNs: 400_100_000 });
  expect(run.row(at).timeNs).toBeGreaterThanOrEqual(400_100_000);
  expect(run.row(at - 1).timeNs).toBeLessThan(400_100_000);
  const e = first("host==egw && reason==PASS_ENCAP");
  const next = navigate(run, e.index, { to: "next-of-journey" });
  expect(run.row(next).journey).toBe(e.journey);
  expect(navigate(run, next, { to: "previous-of-journey" })).toBe(e.index);
  expect(run.row(navigate(run, e.index, { to: "next-at-host", host: "nat" })).host).toBe("nat");
  expect(navigate(run, 0, { to: "next-drop" })).toBe(-1);
});

it("gives the packets as a capture with what the hooks said", () => {
  const capture = readCapture(run.pcapng());
  expect(capture.packets).toHaveLength(run.info.packets);
  const encap = readCapture(run.pcapng("host==egw && proto==gue && dir==out")).packets;
  expect(encap.length).toBeGreaterThan(0);
  expect(encap[0].comments.join()).toContain("PASS_ENCAP");
});

it("ends a run that is too long, and shows what there was", async () => {
  const short = await recordScenario(bigSource(), { budget: { maxEvents: 1000 } });
  expect(short.info.truncated?.reason).toBe("events");
  expect(short.info.report?.status).toBe("failed");
  expect(short.length).toBeGreaterThanOrEqual(1000);
  expect(short.length).toBeLessThan(100_000);
  expect(short.event(short.length - 1).kind).toBe("step");
  let time = 0;
  const slow = await recordScenario(bigSource(), { budget: { maxMs: 5 }, clock: () => time++ });
  expect(slow.info.truncated?.message).toContain("0.005 s");
});
