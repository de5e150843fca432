/**
 * wireshark/gue_ti.lua in tshark, against what guelab itself says of the same packets: fields against `dissect`, drops against
 * the reference data path, over captures of runs and over bytes that no host sends.
 */
import { resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseVector } from "../../src/dataplane/vector.ts";
import { runVector } from "../../src/dataplane/vector-run.ts";
import { SimLab } from "../../src/lab/sim/lab.ts";
import { captureBytes } from "../../src/report/capture.ts";
import type { PacketRecord } from "../../src/scenario/lab.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { runScenario } from "../../src/scenario/runner.ts";
import type { Topology } from "../../src/scenario/topology.ts";
import { buildIp, buildPacket } from "../../src/wire/build.ts";
import { toHex } from "../../src/wire/bytes.ts";
import { dissect, type FieldNode, flatten } from "../../src/wire/dissect.ts";
import { requirement } from "../support/require.ts";
import { itWith, runTool, tshark, withFile } from "../support/tools.ts";

const root = resolve(import.meta.dirname, "../..");
const LUA = ["-X", `lua_script:${resolve(root, "wireshark/gue_ti.lua")}`];
const KEY = "5erv1ceP@55w0rd!";
const onTool = (title: string, fn: () => void): void => itWith("tshark", title, fn);

/** Rows of field values; a field that stands several times in a packet gives several values. */
function fields(bytes: Uint8Array, names: string[], args: string[] = []): string[][][] {
  return withFile("t.pcapng", bytes, (path) => {
    const form = ["-T", "fields", "-E", "separator=|", "-E", "aggregator=;", ...names.flatMap((n) => ["-e", n])];
    const { out, err } = tshark(path, [...LUA, "-o", "ip.defragment:FALSE", ...args, ...form]);
    expect(err).toBe("");
    expect(out).not.toContain("Lua Error");
    const rows = out === "" ? [] : out.replace(/\n$/, "").split("\n");
    return rows.map((line) => line.split("|").map((v) => (v === "" ? [] : v.split(";"))));
  });
}

/** All that tshark can say of each packet, as text. */
function verbose(bytes: Uint8Array, args: string[] = []): string {
  return withFile("t.pcapng", bytes, (path) => {
    const { out, err } = tshark(path, [...LUA, ...args, "-V"]);
    expect(err).toBe("");
    return out;
  });
}

interface Run {
  records: readonly PacketRecord[];
  topology: Topology;
}

async function run(file: string): Promise<Run> {
  const scenario = loadScenario(resolve(root, "scenarios", file));
  const lab = new SimLab(scenario.topology, { seed: scenario.seed, record: true });
  expect((await runScenario(scenario, lab)).status).toBe("passed");
  // Of a download the first packets say it all.
  return { records: lab.packets().slice(0, 500), topology: lab.topology };
}

const NAMES = ["group", "service", "key", "tunnel", "control", "hlen", "version", "flags", "proto", "ctype"];
const FIELDS = [...NAMES.map((n) => `gue_ti.${n}`), "ip.src", "ip.dst", "udp.dstport", "tcp.dstport"];

/** What FIELDS are, by our own dissector. */
function ours(frame: Uint8Array, tunnelPorts: number[]): string[][] {
  const layers = flatten(dissect(frame, { tunnelPorts }));
  const all = (layer: string, name: string, form = (f: FieldNode): string => f.text): string[] =>
    layers.filter((l) => l.name === layer).flatMap((l) => l.fields.filter((f) => f.name === name).map(form));
  const control = all("gue", "C bit");
  const older = control[0] === "1" && all("gue", "Hlen")[0] === "5" && all("gue", "group id").length > 0;
  // Of an older ping the dissector shows which tunnel it means.
  const tunnel = older ? [String(Number(all("gue", "group id")) * 65536 + Number(all("gue", "service id")))] : [];
  return [
    all("gue", "group id"),
    all("gue", "service id"),
    all("gue", "security field"),
    [...all("gue", "tunnel id"), ...tunnel],
    control,
    all("gue", "Hlen"),
    all("gue", "version"),
    all("gue", "flags"),
    all("gue", "protocol"),
    all("gue", "control type"),
    all("ipv4", "source address"),
    all("ipv4", "destination address"),
    all("udp", "destination port"),
    all("tcp", "destination port"),
  ];
}

/** True when the IPv4 headers are whole and their lengths fit: of others Wireshark shows more or less than guelab does. */
const wellFormed = (frame: Uint8Array, tunnelPorts: number[]): boolean =>
  flatten(dissect(frame, { tunnelPorts })).every(
    (l) =>
      l.name !== "ipv4" || (l.notes.length === 0 && l.fields.every((f) => f.name === "header checksum" || !f.problem)),
  );

const lacks = requirement("tshark", () => {
  try {
    runTool("tshark", ["--version"]);
  } catch {
    return "tshark is not installed";
  }
});

describe.skipIf(lacks)(`the Wireshark dissector${lacks ? ` (skipped: ${lacks})` : ""}`, () => {
  it.each([
    ["basic/02-node2-behind-nat.yaml", []],
    ["gue/07-gue-ping-is-no-ping.yaml", []],
    ["gue/08-older-ping.yaml", []],
    // With nothing named, Wireshark's TAPA dissector takes a payload of four bytes on port 5000.
    ["security/03-truncated.yaml", [5000, 6000]],
    ["security/04-wrong-header-words.yaml", []],
    ["linux/01-node1.yaml", []],
    ["mtu/09-udp-request-node1.yaml", []],
    ["security/04-wrong-header-words.yaml", [5000, 6000]],
  ] as [string, number[]][])("shows every packet of %s as guelab does, tunnel ports %j", async (file, ports) => {
    const { records, topology } = await run(file);
    const frames = records.map((r) => r.frame);
    const bytes = captureBytes(records, topology);
    const got = fields(bytes, FIELDS, ["-o", `gue_ti.ports:${ports.join(",")}`]);
    const want = frames.map((frame) => ours(frame, ports));
    expect(want.filter(([group, , , , control]) => group.length + control.length > 0).length).toBeGreaterThan(0);
    expect(frames.filter((f) => wellFormed(f, ports)).length).toBeGreaterThan(frames.length / 2);
    for (const [i, row] of want.entries()) {
      const judged = wellFormed(frames[i], ports) ? FIELDS.length : NAMES.length;
      expect(got[i].slice(0, judged), `packet ${i + 1}: ${toHex(frames[i])}`).toEqual(row.slice(0, judged));
    }
    expect(got.length).toBe(want.length);
  });

  it("filters by service, tunnel, key and kind", async () => {
    const { records, topology } = await run("multi/03-both-nodes-one-proxy.yaml");
    const bytes = captureBytes(records, topology);
    const select = (filter: string): number[] =>
      fields(bytes, ["frame.number"], ["-Y", filter]).map(([[n]]) => Number(n));
    const where = (column: number, value: string): number[] =>
      records.flatMap((r, i) => (ours(r.frame, [])[column].includes(value) ? [i + 1] : []));
    expect(where(1, "200").length).toBeGreaterThan(0);
    expect(where(1, "200").length).toBeLessThan(where(0, "1").length);
    expect(select("gue_ti.service == 200")).toEqual(where(1, "200"));
    expect(select("gue_ti.tunnel == 65736")).toEqual(where(3, "65736"));
    expect(select(`gue_ti.key.text == "${KEY}"`)).toEqual(where(2, toHex(new TextEncoder().encode(KEY))));
    expect(select("gue_ti.control == 0")).toEqual(
      records.flatMap((r, i) => (ours(r.frame, [])[4][0] === "0" ? [i + 1] : [])),
    );
  });

  it("writes columns that say what is in the tunnel; checksums and the file are right", async () => {
    const { records, topology } = await run("basic/02-node2-behind-nat.yaml");
    const bytes = captureBytes(records, topology);
    const columns = ["_ws.col.Protocol", "_ws.col.Info"];
    const lines = fields(bytes, columns, ["-Y", "gue_ti"]).map((row) => row.flat().join(" "));
    expect(lines[0]).toBe("GUE 6000 > 5000 GUE ping 1/200 tunnel 65736");
    expect(lines.join("\n")).toMatch(
      /^GUE 172\.1\.0\.3:5000 > 172\.1\.0\.5:6000 GUE 1\/200 \[TCP \d+ → 4000 \[SYN\] .*\]$/m,
    );
    expect(lines.join("\n")).toMatch(/^GUE .* GUE 1\/200 \[HTTP GET \/hello HTTP\/1\.1 \]$/m);
    const sums = fields(bytes, ["ip.checksum.status", "udp.checksum.status", "tcp.checksum.status"], ["-Y", "gue_ti"]);
    // 1 is good, 3 is "none": the tunnel's UDP checksum.
    expect(new Set(sums.flat(2))).toEqual(new Set(["1", "3"]));
    withFile("t.pcapng", bytes, (path) => expect(runTool("capinfos", ["-M", path]).err).toBe(""));
  });

  it("takes text on port 6080 for text, unless the preference names that port", () => {
    const frame = buildPacket({ udp: { sport: 6080, dport: 6080 }, payload: "gue_ping 1 200" });
    const bytes = captureBytes([recordOf(frame)]);
    expect(fields(bytes, ["gue_ti.version"])).toEqual([[[]]]);
    expect(fields(bytes, ["gue_ti.version", "gue_ti.drop"], ["-o", "gue_ti.ports:6079-6081"])).toEqual([
      [["1"], ["DROP_GUE_VERSION"]],
    ]);
  });
});

const recordOf = (frame: Uint8Array, i = 0): PacketRecord => ({
  timeNs: i * 1000,
  host: "egw",
  nic: "eth1",
  direction: "in",
  frame,
});

/** A UDP datagram to egw's tunnel endpoint. */
const toTunnel = (payload: Uint8Array): Uint8Array =>
  buildPacket({ ip: { src: "172.1.0.5", dst: "172.1.0.3" }, udp: { sport: 6000, dport: 5000 }, payload });
const payloadOf = (frame: Uint8Array): Uint8Array => frame.slice(42);

const GOOD = [
  buildPacket({ udp: {}, gue: { group: 1, service: 200, key: KEY }, inner: { tcp: { dport: 4000 }, payload: "hi" } }),
  buildPacket({
    udp: {},
    gue: { group: 1, service: 200, key: KEY },
    inner: { icmp: { kind: "echo", id: 1, seq: 1, data: new Uint8Array(8) } },
  }),
  buildPacket({ udp: {}, gue: { group: 1, service: 200, key: KEY, tunnelId: 65736 } }),
  buildPacket({ udp: {}, guePlain: {}, inner: { udp: {}, payload: "hi" } }),
].map(payloadOf);

/** Good payloads, with some bytes of headers changed, cut or followed by more; and plain noise. */
const payloads: fc.Arbitrary<Uint8Array> = fc.oneof(
  { weight: 1, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 90 }) },
  {
    weight: 5,
    arbitrary: fc
      .record({
        good: fc.constantFrom(...GOOD),
        cut: fc.option(fc.nat(80), { freq: 3 }),
        tail: fc.uint8Array({ maxLength: 12 }),
        changes: fc.array(
          fc.tuple(
            fc.constantFrom(0, 0, 1, 2, 3, 24, 24, 26, 27, 33),
            fc.oneof(fc.nat(255), fc.constantFrom(0x25, 0x26, 5, 0x44)),
          ),
          { maxLength: 3 },
        ),
      })
      .map(({ good, cut, tail, changes }) => {
        const whole = new Uint8Array([...good, ...tail]);
        for (const [at, v] of changes) if (at < whole.length) whole[at] = v;
        return cut === null ? whole : whole.slice(0, Math.max(1, cut));
      }),
  },
);

/** A good payload with one byte changed. */
const changed = (good: Uint8Array, at: number, v: number): Uint8Array => good.map((b, i) => (i === at ? v : b));
/** One payload for each reason that the packet alone gives. */
const FAULTS: Record<string, Uint8Array> = {
  DROP_GUE_SHORT: GOOD[0].slice(0, 23),
  DROP_GUE_VERSION: changed(GOOD[0], 0, 0x45),
  DROP_CTRL_HLEN: changed(GOOD[2], 0, 0x24),
  DROP_CTRL_TYPE: changed(GOOD[2], 1, 2),
  DROP_CTRL_FLAGS: changed(GOOD[2], 3, 1),
  DROP_DATA_HLEN: changed(GOOD[0], 0, 6),
  DROP_DATA_PROTO: changed(GOOD[0], 1, 41),
  DROP_DATA_FLAGS: changed(GOOD[0], 2, 0x80),
  DROP_INNER_SHORT: GOOD[0].slice(0, 43),
  DROP_INNER_VERSION: changed(GOOD[0], 24, 0x65),
  DROP_INNER_IHL: changed(GOOD[0], 24, 0x44),
  DROP_INNER_TOTLEN: changed(GOOD[0], 27, 200),
};

const TABLES = {
  config: { "2": { rx: "gue", tx: "proxy", mtu: 1500 } },
  tunnel: { "65736": { local: "172.1.0.3:5000", remote: "172.1.0.5:6000" } },
  decap: { "172.1.0.3:5000": 65736 },
  verify: {
    "1/200": {
      key: toHex(new TextEncoder().encode(KEY)),
      tunnel: 65736,
      proxy: "tcp 5.5.5.5:3200",
      backend: "tcp 2.2.2.2:4000",
    },
  },
};
/** Reasons that depend on tables; behind them the data path does not look at the inner packet. */
const BY_TABLES = ["DROP_NO_SERVICE", "DROP_WRONG_KEY", "DROP_PING_TUNNEL", "DROP_PING_NO_TUNNEL"];

function referenceReasons(frames: Uint8Array[]): string[] {
  const packets = frames.map((f) => ({ hook: "ingress", ifindex: 2, in: toHex(f) }));
  const { json } = runVector(parseVector(JSON.stringify({ name: "drops", tables: TABLES, packets })));
  return (json.packets as { reason: string }[]).map((p) => p.reason);
}

describe("bytes that no host sends", () => {
  onTool("are called dropped for the reference's own reason, and never raise a Lua error", () => {
    // One run of tshark costs as much as thousands of packets: one sample instead of many runs, and no shrinking.
    const seed = Date.now() % 2 ** 31;
    const list = [...Object.values(FAULTS), ...fc.sample(payloads, { seed, numRuns: 600 })];
    const frames = list.map(toTunnel);
    const bytes = captureBytes(frames.map(recordOf));
    const ports = ["-o", "gue_ti.ports:5000"];
    const got = fields(bytes, ["gue_ti.drop"], ports).map(([drop]) => drop[0] ?? "");
    const reasons = referenceReasons(frames);
    expect(got.slice(0, Object.keys(FAULTS).length)).toEqual(Object.keys(FAULTS));
    expect(reasons.filter((r) => !r.startsWith("DROP_")).length, `seed ${seed}`).toBeGreaterThan(10);
    for (const [i, reason] of reasons.entries()) {
      const byTables = BY_TABLES.includes(reason);
      const told = byTables ? got[i].replace(/^DROP_INNER_.*/, "") : got[i];
      expect(told, `seed ${seed}: ${toHex(list[i])}`).toBe(reason.startsWith("DROP_") && !byTables ? reason : "");
    }
    const text = verbose(bytes, ports);
    expect(text.includes("Lua Error"), `seed ${seed}`).toBe(false);
    expect(text.match(/^Generic UDP Encapsulation/gm)?.length, `seed ${seed}`).toBeGreaterThanOrEqual(list.length);
  });

  onTool("are recognised by themselves on any port by their first word only, as guelab does", () => {
    const frames = [
      ...GOOD,
      ...GOOD.map((g) => g.slice(0, 30)),
      Uint8Array.of(5, 4, 0xa0),
      Uint8Array.of(0, 4, 0, 0),
    ].flatMap((payload) => [4999, 6080].map((dport) => buildPacket({ udp: { sport: 1025, dport }, payload })));
    const got = fields(captureBytes(frames.map(recordOf)), ["gue_ti.version"]).map(([v]) => v.length);
    expect(got).toEqual(frames.map((f) => ours(f, [])[6].length));
    expect(new Set(got)).toEqual(new Set([0, 1]));
  });

  onTool("GUE in GUE in GUE ends with a note", () => {
    let packet = buildIp({ udp: {}, payload: "core" });
    const wrap = (inner: Uint8Array): Uint8Array =>
      buildIp({ udp: { sport: 5000, dport: 6000 }, payload: new Uint8Array([...GOOD[0].slice(0, 24), ...inner]) });
    for (let i = 0; i < 300; i++) packet = wrap(packet);
    const frame = new Uint8Array([...buildPacket({ udp: {} }).slice(0, 14), ...packet]);
    const text = verbose(captureBytes([recordOf(frame)]));
    expect(text).not.toContain("Lua Error");
    expect(text.match(/^Generic UDP Encapsulation/gm)?.length).toBe(17);
    expect(text).toContain("More GUE within GUE than is shown");
  });

  onTool("a capture that was cut by a snap length raises no error and calls nothing dropped", () => {
    const bytes = captureBytes(GOOD.map((g, i) => recordOf(toTunnel(g), i)));
    withFile("whole.pcapng", bytes, (path) => {
      for (const length of [43, 50, 66, 85]) {
        runTool("editcap", ["-s", String(length), path, `${path}.cut`]);
        const { out } = tshark(`${path}.cut`, [...LUA, "-o", "gue_ti.ports:5000", "-V"]);
        expect(out, `snap length ${length}`).not.toMatch(/Lua Error|DROP_/);
        expect(out.match(/^Generic UDP Encapsulation/gm)?.length).toBe(GOOD.length);
      }
    });
  });
});
