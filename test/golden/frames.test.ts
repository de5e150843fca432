/**
 * The capture of all frames, pinned: its bytes, how tshark reads it and how tcpdump prints it. A change of the writer, of a
 * codec or of the printer shows here. `GUELAB_UPDATE_GOLDEN=1 npx vitest run test/golden` writes the files anew.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { captureBytes } from "../../src/report/capture.ts";
import type { PacketRecord } from "../../src/scenario/lab.ts";
import { REASON } from "../../src/tables/reasons.ts";
import { packetTimeNs } from "../../src/wire/capture-types.ts";
import { readCapture } from "../../src/wire/pcap-reader.ts";
import { TcpdumpPrinter } from "../../src/wire/tcpdump.ts";
import { FRAMES } from "../support/frames.ts";
import { itWith, runTool, tshark } from "../support/tools.ts";

const file = (name: string): string => join(import.meta.dirname, name);
const CAPTURE = file("frames.pcapng");
const update = process.env.GUELAB_UPDATE_GOLDEN === "1";

const records: PacketRecord[] = Object.entries(FRAMES).map(([name, frame], i) => ({
  timeNs: i * 1_001_001,
  host: i % 2 ? "egw" : "client",
  nic: "eth1",
  direction: i % 2 ? "out" : "in",
  frame,
  ...(name === "gueData" && {
    hook: {
      hook: "egress" as const,
      reason: REASON.PASS_ENCAP,
      tunnel: 65736,
      group: 1,
      service: 200,
      lenBefore: frame.length - 52,
    },
  }),
}));

/** Compares with a golden file, or writes it. */
function golden(name: string, actual: string): void {
  if (update) writeFileSync(file(name), actual);
  expect(actual).toBe(readFileSync(file(name), "utf8"));
}

const FIELDS = [
  "frame.number",
  "frame.time_epoch",
  "frame.interface_name",
  "frame.packet_flags_direction",
  "frame.len",
  "frame.protocols",
  "ip.checksum.status",
  "udp.checksum.status",
  "tcp.checksum.status",
  "icmp.checksum.status",
  "frame.comment",
];

describe("golden capture", () => {
  it("has the pinned bytes", () => {
    const bytes = captureBytes(records);
    if (update) writeFileSync(CAPTURE, bytes);
    expect(Buffer.from(bytes).equals(readFileSync(CAPTURE))).toBe(true);
  });

  it("is printed as pinned", () => {
    const printer = new TcpdumpPrinter();
    const { packets } = readCapture(readFileSync(CAPTURE));
    golden("frames.tcpdump.txt", packets.map((p) => `${printer.print(packetTimeNs(p), p.frame)}\n`).join(""));
  });

  itWith("tcpdump", "is printed by tcpdump in the same words", () => {
    const { out } = runTool("tcpdump", ["-nvvvXXes", "0", "-r", CAPTURE]);
    expect(out).toBe(readFileSync(file("frames.tcpdump.txt"), "utf8"));
  });

  itWith("tshark", "is read by tshark as pinned", () => {
    const { out, err } = tshark(CAPTURE, ["-T", "fields", ...FIELDS.flatMap((f) => ["-e", f])]);
    expect(err).toBe("");
    golden("frames.tshark.txt", out);
  });

  itWith("capinfos", "is described by capinfos without complaint", () => {
    const { out, err } = runTool("capinfos", ["-M", CAPTURE]);
    expect(err).toBe("");
    expect(out).toContain(`Number of packets:   ${records.length}`);
  });
});
