import { describe, expect, it } from "vitest";
import { packetTimeNs } from "../../src/wire/capture-types.ts";
import { isCapture, readCapture } from "../../src/wire/pcap-reader.ts";
import { PcapngWriter, pcapngBuffer } from "../../src/wire/pcapng.ts";
import { FRAMES } from "../support/frames.ts";
import { itWith, runTool, tshark, withFile } from "../support/tools.ts";

function capture(): Uint8Array {
  const buf = pcapngBuffer();
  const w = new PcapngWriter(buf.sink, { hardware: "simulated", os: "virtual" });
  const egw = w.addInterface({ name: "egw/eth1", description: "egw on public", mac: 0x020000010003, mtu: 1500 });
  const cut = w.addInterface({ name: "nat/eth2", snaplen: 60, ip: 0xac020002, prefix: 16 });
  Object.values(FRAMES).forEach((frame, i) => {
    w.packet(egw, i * 1_000_000_123, frame, {
      direction: i % 2 ? "out" : "in",
      comment: `egress: pass ✓ ${i}`,
      verdict: i === 0 ? -1 : 2,
    });
  });
  w.packet(cut, 2 ** 50 + 1, FRAMES.gueData);
  return buf.bytes();
}

describe("PcapngWriter", () => {
  it("writes a section header, little-endian, with the application's name", () => {
    const buf = pcapngBuffer();
    new PcapngWriter(buf.sink);
    expect([...buf.bytes()]).toEqual([
      ...[0x0a, 0x0d, 0x0d, 0x0a],
      ...[44, 0, 0, 0],
      ...[0x4d, 0x3c, 0x2b, 0x1a],
      ...[1, 0, 0, 0],
      ...[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
      ...[4, 0, 6, 0, 0x67, 0x75, 0x65, 0x6c, 0x61, 0x62, 0, 0],
      ...[0, 0, 0, 0],
      ...[44, 0, 0, 0],
    ]);
  });

  it("gives the same bytes for the same calls", () => {
    expect(capture()).toEqual(capture());
  });

  it("refuses an interface that was never added", () => {
    const w = new PcapngWriter(() => {});
    expect(() => w.packet(0, 0, FRAMES.udp)).toThrow(RangeError);
  });

  it("is read back whole", () => {
    const back = readCapture(capture());
    expect(isCapture(capture())).toBe(true);
    expect(back.application).toBe("guelab");
    expect(back.interfaces.map((i) => [i.name, i.description, i.snaplen])).toEqual([
      ["egw/eth1", "egw on public", 0],
      ["nat/eth2", undefined, 60],
    ]);
    const frames = Object.values(FRAMES);
    expect(back.packets.length).toBe(frames.length + 1);
    frames.forEach((frame, i) => {
      const p = back.packets[i];
      expect([...p.frame]).toEqual([...frame]);
      expect([p.ifId, packetTimeNs(p), p.direction, p.comments, p.verdict]).toEqual([
        0,
        i * 1_000_000_123,
        i % 2 ? "out" : "in",
        [`egress: pass ✓ ${i}`],
        i === 0 ? -1 : 2,
      ]);
    });
    const last = back.packets.at(-1)!;
    expect([last.ifId, last.frame.length, last.origLen]).toEqual([1, 60, FRAMES.gueData.length]);
    expect(packetTimeNs(last)).toBe(2 ** 50 + 1);
  });

  it("cuts a comment that no option can hold at a whole character", () => {
    const buf = pcapngBuffer();
    const w = new PcapngWriter(buf.sink);
    w.packet(w.addInterface({ name: "a" }), 0, FRAMES.udp, { comment: "✓".repeat(30_000) });
    expect(readCapture(buf.bytes()).packets[0].comments).toEqual(["✓".repeat(21_845)]);
  });

  itWith("tshark", "is read by tshark without complaint, no checksum is bad", () => {
    withFile("a.pcapng", capture(), (path) => {
      const fields = ["frame.interface_name", "frame.comment", "frame.time_epoch", "frame.packet_flags_direction"];
      const { out, err } = tshark(path, ["-T", "fields", ...fields.flatMap((f) => ["-e", f])]);
      expect(err).toBe("");
      const lines = out.trimEnd().split("\n");
      expect(lines.length).toBe(Object.keys(FRAMES).length + 1);
      expect(lines[3]).toBe("egw/eth1\tegress: pass ✓ 3\t3.000000369\t0x00000002");
      expect(lines[4]).toBe("egw/eth1\tegress: pass ✓ 4\t4.000000492\t0x00000001");
      expect(lines.at(-1)).toMatch(/^nat\/eth2\t/);
      const bad =
        "ip.checksum.status==0 || tcp.checksum.status==0 || udp.checksum.status==0 || icmp.checksum.status==0";
      // The quoted packets of ICMP errors are cut short, and the first fragment holds no UDP header of its own.
      expect(tshark(path, ["-Y", `(${bad}) && !(icmp.type==3 || icmp.type==11)`]).out).toBe("");
      expect(tshark(path, ["-Y", "_ws.malformed && frame.cap_len == frame.len"]).out).toBe("");
    });
  });

  itWith("capinfos", "is described by capinfos: nanoseconds, names, packet count", () => {
    withFile("a.pcapng", capture(), (path) => {
      const { out, err } = runTool("capinfos", [path]);
      expect(err).toBe("");
      expect(out).toContain(`Number of packets:   ${Object.keys(FRAMES).length + 1}`);
      expect(out).toContain("File timestamp precision:  nanoseconds (9)");
      expect(out).toContain("Capture application: guelab");
      expect(out).toContain("Capture hardware:    simulated");
      expect(out).toContain("Name = egw/eth1");
      expect(out).toContain("Description = egw on public");
    });
  });
});
