/** The protocol as a page speaks it, in the same thread. */
import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { Request, Response } from "../../src/replay/protocol.ts";
import { createReplayServer } from "../../src/replay/server.ts";
import { captureBytes } from "../../src/report/capture.ts";
import type { PacketRecord } from "../../src/scenario/lab.ts";
import { bigSource, sourceOf } from "./support.ts";

type Ask = Request extends infer R ? (R extends Request ? Omit<R, "id"> : never) : never;

function server() {
  const answers: Response[] = [];
  let id = 0;
  const replay = createReplayServer((r) => answers.push(structuredClone(r)), {
    clock: () => performance.now(),
    pause: () => setImmediate(),
  });
  const ask = async <T extends Response["type"]>(request: Ask, want: T): Promise<Extract<Response, { type: T }>> => {
    const mine = ++id;
    await replay.handle({ ...request, id: mine } as Request);
    const answer = answers.findLast((a) => a.id === mine) as Response;
    expect(answer.type, JSON.stringify(answer)).toBe(want);
    return answer as Extract<Response, { type: T }>;
  };
  return { ask, answers, replay };
}

describe("a replay server", () => {
  it("opens a scenario and answers about it", async () => {
    const { ask } = server();
    const { info } = await ask({ type: "open", source: sourceOf("basic/02-node2-behind-nat") }, "opened");
    expect(info.topology?.hosts.map((h) => h.name)).toContain("node2");
    expect(info.topology?.hosts.find((h) => h.name === "node2")).toMatchObject({
      behind: "nat",
      nics: [{ addr: "172.2.0.3" }],
    });
    const rows = await ask({ type: "rows", filter: "reason==PASS_ENCAP", from: 0, count: 5 }, "rows");
    expect(rows.rows).toHaveLength(5);
    const { index } = rows.rows[1];
    expect(await ask({ type: "locate", filter: "reason==PASS_ENCAP", index }, "located")).toMatchObject({
      row: 1,
      hidden: false,
    });
    expect(await ask({ type: "locate", filter: "reason==PASS_ENCAP", index: index + 1 }, "located")).toMatchObject({
      row: 1,
      hidden: true,
    });
    expect((await ask({ type: "event", index }, "event")).event.decision?.agrees).toBe(true);
    expect((await ask({ type: "state", index, host: "egw" }, "state")).hosts[0].tables.map((t) => t.name)).toContain(
      "ENCAP",
    );
    expect((await ask({ type: "navigate", from: index, target: { to: "next" } }, "navigated")).index).toBe(index + 1);
    expect((await ask({ type: "report" }, "report")).report?.status).toBe("passed");
    expect((await ask({ type: "pcapng" }, "pcapng")).bytes.length).toBeGreaterThan(1000);
    const { journey } = await ask({ type: "journey", journey: rows.rows[0].journey }, "journey");
    expect(journey.events).toContain(rows.rows[0].index);
  });

  it("answers every mistake with an error, and goes on", async () => {
    const { ask } = server();
    expect((await ask({ type: "rows", from: 0, count: 1 }, "error")).error.code).toBe("ERR_REPLAY_CLOSED");
    const good = sourceOf("basic/01-node1");
    const broken = { ...good, text: good.text.replace("pfc_start", "pfc_begin") };
    const bad = await ask({ type: "open", source: broken }, "error");
    expect(bad.error.position?.line).toBeGreaterThan(1);
    const lost = await ask({ type: "open", source: { ...good, topologies: {} } }, "error");
    expect(lost.error).toMatchObject({ code: "ERR_FILE_NOT_FOUND", position: { line: expect.any(Number) } });
    expect((await ask({ type: "open", source: { ...good, text: "{" } }, "error")).error.code).toBe("ERR_YAML_SYNTAX");
    await ask({ type: "open", source: good }, "opened");
    expect(await ask({ type: "rows", filter: "time>x", from: 0, count: 1 }, "error")).toMatchObject({ column: 6 });
    expect((await ask({ type: "event", index: 1e9 }, "error")).error.code).toBe("ERR_REPLAY_INDEX");
    expect(
      (await ask({ type: "open", source: { kind: "capture", file: "x", bytes: "AAAA" } }, "error")).error.code,
    ).toBe("ERR_CAPTURE_FORMAT");
    expect(
      (await ask({ type: "open", source: { kind: "vector", file: "x", text: "{}" } }, "error")).error.code,
    ).toMatch(/^ERR_VECTOR/);
    await ask({ type: "open", source: good }, "opened");
    expect((await ask({ type: "rows", from: -5, count: 1e9 }, "rows")).from).toBe(0);
  });

  it("tells how far it is, and ends a run that is cancelled", async () => {
    const { replay, answers } = server();
    const open = replay.handle({ id: 1, type: "open", source: bigSource() });
    while (!answers.some((a) => a.type === "progress")) await setImmediate();
    await replay.handle({ id: 2, type: "cancel", request: 1 });
    await open;
    const opened = answers.findLast((a) => a.id === 1);
    expect(opened).toMatchObject({ type: "opened", info: { truncated: { reason: "cancelled" } } });
    await replay.handle({ id: 3, type: "open", source: bigSource() });
    expect(answers.filter((a) => a.id === 3 && a.type === "progress").length).toBeGreaterThan(0);
    expect(answers.findLast((a) => a.id === 3)).toMatchObject({ type: "opened", info: { truncated: undefined } });
  });

  it("opens a capture of a run: packets, what the hooks said, journeys", async () => {
    const { ask } = server();
    const source = sourceOf("basic/02-node2-behind-nat");
    const { info } = await ask({ type: "open", source }, "opened");
    const { bytes } = await ask({ type: "pcapng" }, "pcapng");
    const { kind: _kind, ...scenario } = source;
    const capture = await ask(
      { type: "open", source: { kind: "capture", file: "run.pcapng", bytes, scenario, report: info.report } },
      "opened",
    );
    expect(capture.info).toMatchObject({ source: "capture", packets: info.packets, title: info.title });
    expect(capture.info.steps).toHaveLength(info.steps.length);
    const { rows } = await ask({ type: "rows", filter: "reason==PASS_ENCAP && host==egw", from: 0, count: 1 }, "rows");
    expect(rows[0]).toMatchObject({ kind: "hook", hook: "egress", tunnel: 65736, verdict: "pass" });
    const { journey } = await ask({ type: "journey", journey: rows[0].journey }, "journey");
    expect(journey.hops.map((h) => h.host)).toEqual(["egw", "nat"]);
    const base64 = Buffer.from(bytes).toString("base64");
    expect(
      (await ask({ type: "open", source: { kind: "capture", file: "run.pcapng", bytes: base64 } }, "opened")).info
        .packets,
    ).toBe(info.packets);
  });

  it("gives all of a moment at once: the event, its place, hosts in numbers, and what the asker lacks", async () => {
    const { ask } = server();
    await ask({ type: "open", source: sourceOf("basic/02-node2-behind-nat") }, "opened");
    const filter = "reason==PASS_ENCAP";
    const { index } = (await ask({ type: "rows", filter, from: 3, count: 1 }, "rows")).rows[0];
    const answer = await ask({ type: "moment", index, filter, tables: { host: "" } }, "moment");
    expect(answer).toMatchObject({ row: 3, hidden: false });
    const { moment } = answer;
    expect(moment.event).toEqual((await ask({ type: "event", index }, "event")).event);
    const { hosts } = await ask({ type: "state", index }, "state");
    expect(moment.tables).toEqual(hosts.find((h) => h.host === moment.event.host));
    for (const state of hosts) {
      const of = moment.hosts.find((h) => h.host === state.host);
      const size = (name: string) => state.tables.find((t) => t.name === name)?.rows.length;
      expect(of?.sizes).toEqual(
        JSON.parse(JSON.stringify({ TUNNEL: size("TUNNEL"), SESSION: size("SESSION"), conntrack: size("conntrack") })),
      );
      expect(of?.running).toEqual(state.running);
    }
    expect(moment.way?.map((r) => r.index)).toEqual(moment.event.journeyView?.events);
    const again = await ask({ type: "moment", index, way: moment.event.journey, tables: { host: "nat" } }, "moment");
    expect(again.moment.way).toBeUndefined();
    expect(again.moment.tables?.host).toBe("nat");
    const [full] = hosts.filter((h) => h.host === "egw");
    const { moment: few } = await ask({ type: "moment", index, tables: { host: "egw", most: 1 } }, "moment");
    for (const table of few.tables?.tables ?? []) {
      const all = full.tables.find((t) => t.name === table.name);
      expect(table.total).toBe(all?.total);
      expect(table.rows.length).toBe(
        Math.min(all?.rows.length ?? 0, Math.max(1, table.rows.filter((r) => r.mark).length)),
      );
    }
  });

  it("ends the opening of a capture that is cancelled; what was read until then can be looked at", async () => {
    const { replay, answers } = server();
    const frame = new Uint8Array(60);
    const record = (i: number): PacketRecord => ({ timeNs: i * 1000, host: "a", nic: "b", direction: "in", frame });
    const bytes = captureBytes(
      Array.from({ length: 200_000 }, (_, i) => record(i)),
      undefined,
    );
    const open = replay.handle({ id: 1, type: "open", source: { kind: "capture", file: "x.pcapng", bytes } });
    while (!answers.some((a) => a.type === "progress")) await setImmediate();
    await replay.handle({ id: 2, type: "cancel", request: 1 });
    await open;
    const opened = answers.findLast((a) => a.id === 1);
    expect(opened).toMatchObject({ type: "opened", info: { truncated: { reason: "cancelled" } } });
    expect(opened?.type === "opened" && opened.info.packets).toBeLessThan(200_000);
  });

  it("opens a vector and shows both sides", async () => {
    const { ask } = server();
    const packet = { hook: "ingress", ifindex: 7, in: "ffffffffffff0242ac0100020806" };
    const text = JSON.stringify({
      name: "arp",
      tables: { config: { 7: { rx: "gue", tx: "0", mtu: 1500 } } },
      packets: [packet],
    });
    const kernel = JSON.stringify({ packets: [{ ...packet, verdict: "drop", reason: "DROP_GUE_SHORT", out: null }] });
    const { info } = await ask(
      { type: "open", source: { kind: "vector", file: "x.jsonl", text, other: { name: "ebpf", text: kernel } } },
      "opened",
    );
    expect(info).toMatchObject({ source: "vector", title: "arp", events: 1 });
    const { event } = await ask({ type: "event", index: 0 }, "event");
    expect(event).toMatchObject({ reason: "PASS_NOT_IPV4", decision: { agrees: true, verdict: "pass" } });
    expect(event.other?.differences).toEqual([
      "verdict: pass here, drop there",
      "reason: PASS_NOT_IPV4 here, DROP_GUE_SHORT there",
      "a frame came out here only",
    ]);
    expect((await ask({ type: "state", index: 0 }, "state")).hosts[0].tables.map((t) => t.name)).toContain("CONFIG");
  });
});
