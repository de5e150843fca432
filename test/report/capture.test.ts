import { describe, expect, it } from "vitest";
import { captureBytes } from "../../src/report/capture.ts";
import { hookText } from "../../src/report/hook-text.ts";
import type { HookNote, PacketRecord } from "../../src/scenario/lab.ts";
import { DEFAULT_LINK, type Topology } from "../../src/scenario/topology.ts";
import { REASON, REASON_NAMES } from "../../src/tables/reasons.ts";
import { readCapture } from "../../src/wire/pcap-reader.ts";
import { FRAMES } from "../support/frames.ts";
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
