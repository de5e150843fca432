import { describe, expect, it } from "vitest";
import { SimLab } from "../../src/lab/sim/lab.ts";
import { captureBytes, withHookPackets } from "../../src/report/capture.ts";
import { hookText } from "../../src/report/hook-text.ts";
import type { HookNote, HookPacket, PacketRecord } from "../../src/scenario/lab.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import { runScenario } from "../../src/scenario/runner.ts";
import { DEFAULT_LINK, type Topology } from "../../src/scenario/topology.ts";
import { REASON, REASON_NAMES } from "../../src/tables/reasons.ts";
import { readCapture } from "../../src/wire/pcap-reader.ts";
import { FRAMES } from "../support/frames.ts";
import { checkHookCapture } from "../support/hook-capture.ts";
import { itWith, runTool, tshark, withFile } from "../support/tools.ts";

const topology: Topology = {
  name: "t",
  networks: [
    { name: "public", subnet: 0xac010000, prefix: 16, gateway: 0xac010001, members: ["egw"], link: DEFAULT_LINK },
  ],
  hosts: [
    {
      name: "egw",
      role: "proxy",
      nics: [{ name: "eth1", network: "public", addr: 0xac010003, link: DEFAULT_LINK, mtu: 1500 }],
      loopback: [],
      routes: [],
      ipForward: true,
    },
  ],
  proxyIps: new Map(),
};

const note = (over: Partial<HookNote>): HookNote => ({
  hook: "egress",
  reason: REASON.PASS_ENCAP,
  tunnel: 65736,
  group: 1,
  service: 200,
  lenBefore: FRAMES.gueData.length - 52,
  ...over,
});

const records: PacketRecord[] = [
  { timeNs: 1, host: "egw", nic: "eth1", direction: "in", frame: FRAMES.syn },
  { timeNs: 2, host: "egw", nic: "eth1", direction: "out", frame: FRAMES.gueData, hook: note({}) },
  {
    timeNs: 3,
    host: "node2",
    nic: "eth1",
    direction: "in",
    frame: FRAMES.gueData,
    hook: note({ hook: "ingress", reason: REASON.PASS_DECAP, lenBefore: FRAMES.gueData.length }),
  },
  {
    timeNs: 4,
    host: "egw",
    nic: "eth1",
    direction: "in",
    frame: FRAMES.udp,
    hook: note({ hook: "ingress", reason: REASON.PASS_NO_CONFIG, tunnel: -1, group: -1, service: -1 }),
  },
];

describe("hookText", () => {
  it("names hook, verdict, reason, entry and the change of length", () => {
    expect(hookText(note({}), FRAMES.gueData, true)).toBe(
      "egress: pass PASS_ENCAP (encapsulated) ENCAP -> tunnel 65736 group 1 service 200, +52 bytes",
    );
    expect(hookText(note({}), FRAMES.gueData, false)).toContain("SESSION -> tunnel 65736");
    expect(hookText(records[2].hook!, FRAMES.gueData, false)).toBe(
      "ingress: pass PASS_DECAP (decapsulated) VERIFY -> tunnel 65736 group 1 service 200, -52 bytes",
    );
    const wrongKey = { hook: "ingress" as const, reason: REASON.DROP_WRONG_KEY, tunnel: -1, lenBefore: 0 };
    expect(hookText(note(wrongKey), FRAMES.gueData, true)).toBe(
      "ingress: drop DROP_WRONG_KEY (the security field is not the service's key) VERIFY -> group 1 service 200",
    );
  });
  it("has a text for every reason and for a number that is none", () => {
    for (let reason = 0; reason < REASON_NAMES.length; reason++)
      expect(hookText(note({ reason }), FRAMES.udp, true)).toContain(REASON_NAMES[reason]);
    expect(hookText(note({ reason: 95 }), FRAMES.udp, true)).toBe("egress: reason 95");
  });
});

describe("captureBytes", () => {
  it("has one interface per NIC, directions, and comments on what a hook touched", () => {
    const cap = readCapture(captureBytes(records, topology));
    expect(cap.interfaces.map((i) => i.name)).toEqual(["egw/eth1", "node2/eth1"]);
    expect(cap.interfaces[0].description).toBe("proxy egw on network public");
    expect(cap.packets.map((p) => [p.ifId, p.nsec, p.direction, p.comments.length])).toEqual([
      [0, 1, "in", 0],
      [0, 2, "out", 1],
      [1, 3, "in", 1],
      [0, 4, "in", 0],
    ]);
  });
  it("depends on nothing but its input", () => {
    expect(captureBytes(records, topology)).toEqual(captureBytes(records, topology));
  });
  itWith("tshark", "is read by tshark, comments included", () => {
    withFile("run.pcapng", captureBytes(records, topology), (path) => {
      const { out, err } = tshark(path, ["-T", "fields", "-e", "frame.interface_name", "-e", "frame.comment"]);
      expect(err).toBe("");
      expect(out.split("\n")[1]).toBe(`egw/eth1\t${hookText(note({}), FRAMES.gueData, true)}`);
    });
  });
  itWith("editcap", "can be saved by Wireshark's tools, and cut down to the inner packets", () => {
    withFile("run.pcapng", captureBytes(records, topology), (path) => {
      runTool("editcap", ["-r", "-C", "14:52", path, `${path}.inner`, "2"]);
      const { out, err } = tshark(`${path}.inner`);
      expect(err).toBe("");
      expect(out).toContain("172.1.0.2 → 2.2.2.2");
    });
  });
});

describe("withHookPackets", () => {
  async function recorded(file: string): Promise<SimLab> {
    const scenario = loadScenario(file);
    const lab = new SimLab(scenario.topology, { seed: scenario.seed, record: true, recordHooks: true });
    expect((await runScenario(scenario, lab)).status).toBe("passed");
    return lab;
  }
  const bytesOf = (lab: SimLab) => captureBytes(withHookPackets(lab.packets(), lab.hookPackets()), lab.topology);

  it("puts what is in front of a hook before what is behind it, each on an interface of its own", async () => {
    const lab = await recorded("scenarios/basic/02-node2-behind-nat.yaml");
    const found = checkHookCapture(bytesOf(lab));
    const sides = ["egw/eth1", "node2/eth1"].flatMap((n) => [`${n}:egress:before`, `${n}:ingress:after`]);
    expect(Object.keys(found).sort()).toEqual(sides);
    const seen = lab.packets().filter((p) => p.hook !== undefined && p.host === "egw" && p.direction === "out");
    expect(found["egw/eth1:egress:before"]).toBe(seen.length);
    const { interfaces } = readCapture(bytesOf(lab));
    const of = (name: string) => interfaces.find((i) => i.name === name)?.description;
    expect(of("egw/eth1:egress:before")).toBe("in front of the egress hook of egw/eth1");
    expect(of("node2/eth1:ingress:after")).toBe("behind the ingress hook of node2/eth1");
  });
  it("has what an egress hook dropped in front of the hook only, with the reason", async () => {
    const lab = await recorded("scenarios/gue/01-ping-resolves-node1.yaml");
    const dropped = lab.drops().filter((d) => d.where === "tc egress");
    const others = lab.hookPackets().filter((p) => p.nic === "eth1:egress:before");
    expect(dropped.length).toBeGreaterThan(0);
    for (const d of dropped) {
      const its = others.find((p) => p.timeNs === d.timeNs && p.host === d.host);
      expect(REASON_NAMES[its?.hook?.reason ?? -1]).toBe(d.reason);
      expect(lab.packets().some((p) => p.timeNs === d.timeNs && p.host === d.host && p.direction === "out")).toBe(
        false,
      );
    }
  });
  it("keeps to time, and to the order that is told where times are equal", () => {
    const packet = (timeNs: number, nic: string): PacketRecord => ({ ...records[0], timeNs, nic });
    const other = (timeNs: number, nic: string, at: number): HookPacket => ({ ...packet(timeNs, nic), at });
    const merged = withHookPackets(
      [packet(5, "a"), packet(5, "b"), packet(7, "c")],
      [other(5, "a:ingress:after", 1), other(5, "b:egress:before", 1), other(9, "c:ingress:after", 3)],
    );
    expect(merged.map((p) => p.nic)).toEqual(["a", "a:ingress:after", "b:egress:before", "b", "c", "c:ingress:after"]);
  });
  itWith("tshark", "is read by Wireshark's tools without a complaint", async () => {
    const bytes = bytesOf(await recorded("scenarios/basic/01-node1.yaml"));
    withFile("hooks.pcapng", bytes, (path) => {
      const { out, err } = tshark(path, ["-T", "fields", "-e", "frame.interface_name"]);
      expect(err).toBe("");
      expect(out).toContain("egw/eth1:egress:before");
      runTool("mergecap", ["-w", `${path}.both`, path, path]);
      expect(runTool("capinfos", ["-o", path]).out).toMatch(/Strict time order: +True/);
    });
  });
});
