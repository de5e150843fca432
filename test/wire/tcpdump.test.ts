import { describe, expect, it } from "vitest";
import { PcapngWriter, pcapngBuffer } from "../../src/wire/pcapng.ts";
import { TcpdumpPrinter, tcpdumpTime } from "../../src/wire/tcpdump.ts";
import { FRAMES, ODD_FRAMES } from "../support/frames.ts";
import { itWith, runTool, withFile } from "../support/tools.ts";

const frames = [...Object.values(FRAMES), ...Object.values(ODD_FRAMES)];
const at = (i: number): number => i * 61_000_123_456;

function printed(options?: { dump: boolean }): string {
  const printer = new TcpdumpPrinter(options);
  return frames.map((f, i) => `${printer.print(at(i), f)}\n`).join("");
}

describe("TcpdumpPrinter", () => {
  it("prints virtual time as time of day", () => {
    expect(tcpdumpTime(0)).toBe("00:00:00.000000");
    expect(tcpdumpTime(86_399_999_999_999)).toBe("23:59:59.999999");
    expect(tcpdumpTime(90_000_123_456_789)).toBe("01:00:00.123456");
  });

  it("prints a UDP packet with its dump", () => {
    expect(new TcpdumpPrinter().print(1_500_000, FRAMES.udp).split("\n")).toEqual([
      "00:00:00.001500 02:00:00:01:00:02 > 02:00:00:01:00:03, ethertype IPv4 (0x0800), length 54: (tos 0x10, ttl 64, id 0, offset 0, flags [none], proto UDP (17), length 40)",
      "    172.1.0.2.33000 > 5.5.5.5.3200: [udp sum ok] UDP, length 12",
      "\t0x0000:  0200 0001 0003 0200 0001 0002 0800 4510  ..............E.",
      "\t0x0010:  0028 0000 0000 4011 c4a8 ac01 0002 0505  .(....@.........",
      "\t0x0020:  0505 80e8 0c80 0014 7c04 6865 6c6c 6f2c  ........|.hello,",
      "\t0x0030:  2077 6f72 6c64                           .world",
    ]);
  });

  itWith("tcpdump", "prints every kind of frame as tcpdump -nvvvXXes 0 does", () => {
    const buf = pcapngBuffer();
    const w = new PcapngWriter(buf.sink);
    const id = w.addInterface({ name: "eth1" });
    frames.forEach((f, i) => {
      w.packet(id, at(i), f);
    });
    withFile("a.pcapng", buf.bytes(), (path) => {
      const { out } = runTool("tcpdump", ["-nvvvXXes", "0", "-r", path]);
      expect(printed()).toBe(out);
    });
  });

  it("never throws, at every truncation", () => {
    const printer = new TcpdumpPrinter();
    for (const frame of frames)
      for (let end = 0; end <= frame.length; end++)
        expect(printer.print(0, frame.slice(0, end))).toMatch(/^00:00:00\.000000 /);
  });
});
