import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LabError } from "../../src/errors.ts";
import { isCapture, readCapture } from "../../src/wire/pcap-reader.ts";
import { PcapngWriter, pcapngBuffer } from "../../src/wire/pcapng.ts";
import { FRAMES } from "../support/frames.ts";
import { itWith, runTool, withFile } from "../support/tools.ts";

/** Bytes of numbers: `le(4, 1)` is 01 00 00 00. */
function num(little: boolean, size: number, v: number): number[] {
  const out = Array.from({ length: size }, (_, i) => Math.floor(v / 256 ** i) & 0xff);
  return little ? out : out.reverse();
}

function block(little: boolean, type: number, body: number[]): number[] {
  const len = 12 + body.length;
  return [...num(little, 4, type), ...num(little, 4, len), ...body, ...num(little, 4, len)];
}
const section = (le: boolean): number[] =>
  block(le, 0x0a0d0d0a, [...num(le, 4, 0x1a2b3c4d), ...num(le, 2, 1), ...num(le, 2, 0), ...Array(8).fill(0xff)]);
const idb = (le: boolean, snaplen: number, options: number[] = []): number[] =>
  block(le, 1, [...num(le, 2, 1), 0, 0, ...num(le, 4, snaplen), ...options]);
const epb = (le: boolean, itf: number, hi: number, lo: number, data: number[], options: number[] = []): number[] =>
  block(le, 6, [
    ...[itf, hi, lo, data.length, data.length].flatMap((v) => num(le, 4, v)),
    ...data,
    ...Array((4 - (data.length % 4)) % 4).fill(0),
    ...options,
  ]);

function pcap(little: boolean, nano: boolean): Uint8Array {
  const n = (size: number, v: number) => num(little, size, v);
  const frame = [...FRAMES.udp];
  return Uint8Array.from([
    ...n(4, nano ? 0xa1b23c4d : 0xa1b2c3d4),
    ...n(2, 2),
    ...n(2, 4),
    ...n(4, 0),
    ...n(4, 0),
    ...n(4, 65535),
    ...n(4, 1),
    ...n(4, 1_700_000_000),
    ...n(4, 999_999),
    ...n(4, frame.length),
    ...n(4, 1500),
    ...frame,
  ]);
}

describe("readCapture", () => {
  it.each([
    [true, true],
    [true, false],
    [false, true],
    [false, false],
  ])("reads classic pcap (little-endian %s, nanoseconds %s)", (little, nano) => {
    const cap = readCapture(pcap(little, nano));
    expect(cap.format).toBe("pcap");
    expect(cap.interfaces).toEqual([{ name: "", linktype: 1, snaplen: 65535 }]);
    expect(cap.packets.length).toBe(1);
    const [p] = cap.packets;
    expect([p.sec, p.nsec, p.origLen]).toEqual([1_700_000_000, nano ? 999_999 : 999_999_000, 1500]);
    expect([...p.frame]).toEqual([...FRAMES.udp]);
  });

  it("reads sections of both byte orders, each with interfaces of its own, and skips blocks it does not know", () => {
    const file = Uint8Array.from([
      ...section(false),
      ...idb(false, 0, [...num(false, 2, 9), ...num(false, 2, 1), 0x8a, 0, 0, 0]),
      ...block(false, 0x0bad, [1, 2, 3, 4]),
      ...epb(false, 0, 0, 1536, [1, 2, 3, 4, 5]),
      ...section(true),
      ...idb(true, 4),
      ...block(true, 2, Array(24).fill(0)),
      ...block(true, 3, [...num(true, 4, 6), 9, 8, 7, 6]),
      ...epb(true, 0, 1, 5, [0xaa], [...num(true, 2, 2), ...num(true, 2, 4), ...num(true, 4, 2), 0, 0, 0, 0]),
    ]);
    const cap = readCapture(file);
    expect(cap.packets.map((p) => [p.ifId, p.sec, p.nsec, [...p.frame], p.origLen, p.direction])).toEqual([
      // 1536 units of 2^-10 s.
      [0, 1, 500_000_000, [1, 2, 3, 4, 5], 5, undefined],
      // A simple packet of 6 bytes, cut at the interface's 4.
      [1, 0, 0, [9, 8, 7, 6], 6, undefined],
      // 2^32 + 5 us.
      [1, 4294, 967_301_000, [0xaa], 1, "out"],
    ]);
  });

  it("honours if_tsoffset", () => {
    const file = Uint8Array.from([
      ...section(true),
      ...idb(true, 0, [...num(true, 2, 14), ...num(true, 2, 8), ...num(true, 4, 100), 0, 0, 0, 0]),
      ...epb(true, 0, 0, 2_000_001, [1]),
    ]);
    expect(readCapture(file).packets.map((p) => [p.sec, p.nsec])).toEqual([[102, 1000]]);
  });

  const good = section(true);
  it.each([
    ["no capture at all", [1, 2, 3, 4, 5, 6, 7, 8], "byte 0"],
    ["an empty file", [], "byte 0"],
    ["a cut pcap header", [...pcap(true, true)].slice(0, 20), "byte 20"],
    ["a cut record", [...pcap(true, true)].slice(0, 60), "byte 24"],
    ["a cut record header", [...pcap(true, true)].slice(0, 30), "byte 24"],
    ["a wrong magic", [...good.slice(0, 8), 9, 9, 9, 9, ...good.slice(12)], "byte 8"],
    ["a cut block", good.slice(0, 20), "byte 0"],
    ["a length that is no multiple of 4", [...good.slice(0, 4), 29, ...good.slice(5)], "byte 4"],
    ["two lengths", [...good.slice(0, -4), 32, 0, 0, 0], `byte ${good.length - 4}`],
    ["an unknown interface", [...good, ...epb(true, 0, 0, 0, [1])], `byte ${good.length + 8}`],
    ["a packet before its interface", [...good, ...block(true, 3, [0, 0, 0, 0])], `byte ${good.length}`],
    [
      "an option beyond its block",
      [...good, ...idb(true, 0, [...num(true, 2, 2), ...num(true, 2, 9)])],
      `byte ${good.length + 16}`,
    ],
    [
      "a packet beyond its block",
      [...good, ...idb(true, 0), ...block(true, 3, [99, 0, 0, 0])],
      `byte ${good.length + 28}`,
    ],
  ])("names the byte of %s", (_what, bytes, where) => {
    let err: unknown;
    try {
      readCapture(Uint8Array.from(bytes));
    } catch (e) {
      err = e;
    }
    expect(err).toBeInstanceOf(LabError);
    expect((err as LabError).code).toBe("ERR_CAPTURE_FORMAT");
    expect((err as LabError).message).toContain(`${where}:`);
  });

  it("throws nothing but LabError, whatever the bytes", () => {
    const buf = pcapngBuffer();
    const w = new PcapngWriter(buf.sink);
    const id = w.addInterface({ name: "a/b" });
    w.packet(id, 5, FRAMES.udp, { comment: "c", direction: "in", verdict: -1 });
    w.packet(id, 6, FRAMES.syn);
    const seeds = [buf.bytes(), pcap(true, true), pcap(false, false)];
    const change = fc.array(fc.tuple(fc.nat(4000), fc.integer({ min: 0, max: 255 })), { maxLength: 4 });
    fc.assert(
      fc.property(fc.constantFrom(...seeds), change, fc.nat(4000), (seed, changes, cut) => {
        const b = seed.slice(0, cut % 2 ? seed.length : cut % seed.length);
        for (const [at, v] of changes) if (b.length > 0) b[at % b.length] = v;
        try {
          for (const p of readCapture(b).packets) expect(p.frame.length).toBeLessThanOrEqual(b.length);
        } catch (e) {
          if (!(e instanceof LabError)) throw e;
        }
      }),
      { numRuns: 1000 },
    );
  });

  itWith("tshark", "reads what tshark writes, in every format it has", () => {
    const buf = pcapngBuffer();
    const w = new PcapngWriter(buf.sink);
    const id = w.addInterface({ name: "a" });
    Object.values(FRAMES).forEach((f, i) => {
      w.packet(id, 1_500_000_000 + i * 1000, f);
    });
    withFile("a.pcapng", buf.bytes(), (path) => {
      for (const format of ["pcapng", "pcap", "nsecpcap"]) {
        const { out } = runTool("sh", ["-c", `tshark -r ${path} -F ${format} -w - 2>/dev/null | base64 -w0`]);
        const bytes = Uint8Array.from(atob(out), (c) => c.charCodeAt(0));
        expect(isCapture(bytes)).toBe(true);
        const cap = readCapture(bytes);
        expect(cap.packets.map((p) => [...p.frame])).toEqual(Object.values(FRAMES).map((f) => [...f]));
        expect([cap.packets[2].sec, cap.packets[2].nsec]).toEqual([1, 500_002_000]);
      }
    });
  });
});
