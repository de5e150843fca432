import { describe, expect, it } from "vitest";
import { fromHex } from "../../src/wire/bytes.ts";
import {
  seqDiff,
  seqLt,
  TCPOPT_EOL,
  TCPOPT_MSS,
  TCPOPT_NOP,
  TCPOPT_TIMESTAMP,
  TCPOPT_WINDOW,
  tcpAckno,
  tcpCheck,
  tcpChecksum,
  tcpDport,
  tcpFindOption,
  tcpFlags,
  tcpHlen,
  tcpSeq,
  tcpSport,
  tcpWindow,
} from "../../src/wire/tcp.ts";

/** A header with the given option bytes. */
function header(options: string): Uint8Array {
  const opt = fromHex(options)!;
  const b = new Uint8Array(20 + opt.length);
  b[12] = (b.length / 4) << 4;
  b.set(opt, 20);
  return b;
}

describe("TCP", () => {
  it("reads the header's fields", () => {
    const b = fromHex("9c410fa0 ffffffff 80000001 a012 faf0 1234 0000")!;
    expect([tcpSport(b, 0), tcpDport(b, 0), tcpSeq(b, 0), tcpAckno(b, 0)]).toEqual([
      40001, 4000, 0xffffffff, 0x80000001,
    ]);
    expect([tcpHlen(b, 0), tcpFlags(b, 0), tcpWindow(b, 0), tcpChecksum(b, 0)]).toEqual([40, 0x12, 0xfaf0, 0x1234]);
  });

  it("checks the data offset against 20 and the end", () => {
    const b = header("01010101");
    expect([tcpCheck(b, 0, 24), tcpCheck(b, 0, 23), tcpCheck(b, 0, 25), tcpCheck(b, 0, 19)]).toEqual([
      true,
      false,
      false,
      false,
    ]);
    b[12] = 0x40;
    expect(tcpCheck(b, 0, 24)).toBe(false);
  });

  it("finds options at any alignment", () => {
    const b = header("01 0204 05b4 0303 07 01 080a 00000001 00000002 00 00 00 00 00");
    expect(tcpFindOption(b, 0, TCPOPT_MSS)).toBe(21);
    expect(tcpFindOption(b, 0, TCPOPT_WINDOW)).toBe(25);
    expect(tcpFindOption(b, 0, TCPOPT_TIMESTAMP)).toBe(29);
    expect(tcpFindOption(b, 0, 99)).toBe(-1);
    expect([tcpFindOption(b, 0, TCPOPT_NOP), tcpFindOption(b, 0, TCPOPT_EOL)]).toEqual([-1, -1]);
  });

  it.each([
    ["the end of the list", "00 0204 05b4 000000"],
    ["a length of 1", "0301 0204 05b4 0000"],
    ["a length of 0", "0300 0204 05b4 0000"],
    ["a length beyond the header", "0309 0204 05b4 0000"],
    ["a kind without a length", "01010102"],
    ["an MSS cut by the header's end", "01010204"],
  ])("stops at %s", (_what, options) => {
    expect(tcpFindOption(header(options), 0, TCPOPT_MSS)).toBe(-1);
  });

  it("looks through all 40 option bytes", () => {
    expect(tcpFindOption(header(`${"01".repeat(36)}020405b4`), 0, TCPOPT_MSS)).toBe(56);
  });

  it("compares sequence numbers across the wrap", () => {
    expect([seqLt(0xffffffff, 0), seqLt(0, 0xffffffff), seqLt(5, 5)]).toEqual([true, false, false]);
    expect([seqDiff(1, 0xffffffff), seqDiff(0xffffffff, 1)]).toEqual([2, -2]);
  });
});
