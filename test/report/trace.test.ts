import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { coloured, paintFor, plain } from "../../src/report/paint.ts";
import { dropText, labTime, traceBySteps, traceLines } from "../../src/report/trace.ts";
import type { DropRecord, HookNote, PacketRecord } from "../../src/scenario/lab.ts";
import type { StepReport } from "../../src/scenario/report-types.ts";
import { REASON } from "../../src/tables/reasons.ts";
import { FRAMES } from "../support/frames.ts";

const hook = (over: Partial<HookNote>): HookNote => ({
  hook: "ingress",
  reason: REASON.PASS_DECAP,
  tunnel: 65736,
  group: 1,
  service: 200,
  lenBefore: 0,
  ...over,
});
const packets: PacketRecord[] = [
  { timeNs: 123_456, host: "client", nic: "eth1", direction: "out", frame: FRAMES.syn },
  { timeNs: 2_000_000, host: "node2", nic: "eth1", direction: "in", frame: FRAMES.gueData, hook: hook({}) },
  {
    timeNs: 3_000_000,
    host: "egw",
    nic: "eth1",
    direction: "in",
    frame: FRAMES.guePing,
    hook: hook({ reason: REASON.DROP_WRONG_KEY, tunnel: -1 }),
  },
];
const drops: DropRecord[] = [
  { timeNs: 1_000_000, host: "client", nic: "eth1", where: "link", reason: "lost by chance", frame: FRAMES.syn },
  { timeNs: 3_000_000, host: "egw", nic: "eth1", where: "tc ingress", reason: "DROP_WRONG_KEY", frame: FRAMES.guePing },
  { timeNs: 4_000_000, host: "egw", nic: "", where: "ip", reason: "no route", frame: FRAMES.udp },
];

describe("traceBySteps", () => {
  it("gives every line to the step that it belongs to", () => {
    const step = (n: number, dropped: number) =>
      ({ packets: n, drops: dropped > 0 ? [{ count: dropped }] : [] }) as unknown as StepReport;
    const [first, ...rest] = packets;
    const parts = traceBySteps([step(0, 0), step(rest.length, drops.length)], packets, drops);
    expect(parts).toEqual([[...traceLines([first], [])], [], [...traceLines(rest, drops)]]);
  });
});

describe("traceLines", () => {
  it("merges packets and drops by time and says why a packet was dropped, once", () => {
    expect([...traceLines(packets, drops)]).toEqual([
      "  0.000123 client/eth1 out 172.1.0.2:40001 > 2.2.2.2:4000 TCP SYN seq=1000 len=0",
      "  0.001000 client/eth1 ✗   172.1.0.2:40001 > 2.2.2.2:4000 TCP SYN seq=1000 len=0  dropped by link: lost by chance",
      "  0.002000 node2/eth1 in  172.1.0.3:5000 > 172.1.0.5:6000 GUE 1/200 [172.1.0.2:40001 > 2.2.2.2:4000 TCP SYN seq=1000 len=0]" +
        "  ingress: pass PASS_DECAP (decapsulated) VERIFY -> tunnel 65736 group 1 service 200, -52 bytes",
      "  0.003000 egw/eth1   in  172.1.0.5:6000 > 172.1.0.3:5000 GUE ping 1/200 tunnel 65736" +
        "  ingress: drop DROP_WRONG_KEY (the security field is not the service's key) VERIFY -> group 1 service 200",
      "  0.004000 egw        ✗   172.1.0.2:33000 > 5.5.5.5:3200 UDP len=12  dropped by ip: no route",
    ]);
  });

  it("paints where it may, and the text stays the same", () => {
    const painted = [...traceLines(packets, drops, { paint: coloured })];
    expect(painted.join("\n")).toContain("\x1b[");
    expect(painted.map(stripVTControlCharacters)).toEqual([...traceLines(packets, drops)]);
  });
});

it("explains reasons that have a name, and leaves sentences alone", () => {
  expect(dropText({ where: "tc egress", reason: "DROP_UNRESOLVED" })).toBe(
    "tc egress: DROP_UNRESOLVED (the tunnel's remote endpoint is not resolved yet)",
  );
  expect(dropText({ where: "arp", reason: "no answer" })).toBe("arp: no answer");
});

it("prints lab time in seconds", () => {
  expect([labTime(0), labTime(999), labTime(1_234_567_890_123)]).toEqual(["  0.000000", "  0.000000", "1234.567890"]);
});

it("colours a terminal only, and not with NO_COLOR", () => {
  expect(paintFor({ isTTY: true }, {})).toBe(coloured);
  expect(paintFor({ isTTY: true }, { NO_COLOR: "1" })).toBe(plain);
  expect(paintFor({ isTTY: true }, { TERM: "dumb" })).toBe(plain);
  expect(paintFor({}, {})).toBe(plain);
});
