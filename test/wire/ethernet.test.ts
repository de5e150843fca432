import { describe, expect, it } from "vitest";
import { fromHex } from "../../src/wire/bytes.ts";
import {
  ethCheck,
  ethDst,
  ethSrc,
  ethType,
  formatMac,
  MAC_BROADCAST,
  parseMac,
  setEthDst,
  setEthSrc,
  setEthType,
} from "../../src/wire/ethernet.ts";

const frame = fromHex("ffffffffffff 02 42 ac 11 00 02 0800 45")!;

describe("Ethernet", () => {
  it("reads the header's fields", () => {
    expect(ethCheck(frame, 0, frame.length)).toBe(true);
    expect([ethDst(frame, 0), ethSrc(frame, 0), ethType(frame, 0)]).toEqual([MAC_BROADCAST, 0x0242ac110002, 0x0800]);
  });
  it("refuses less than 14 bytes, and ends beyond the array", () => {
    expect(ethCheck(frame, 0, 13)).toBe(false);
    expect(ethCheck(frame, 2, frame.length)).toBe(false);
    expect(ethCheck(frame, 0, frame.length + 1)).toBe(false);
    expect(ethCheck(frame, -1, 14)).toBe(false);
  });
  it("writes each field without touching the others", () => {
    const b = new Uint8Array(16).fill(0xee);
    setEthDst(b, 1, 0x0242ac110002);
    setEthSrc(b, 1, 0xf242ac110003);
    setEthType(b, 1, 0x0806);
    expect(b).toEqual(fromHex("ee 0242ac110002 f242ac110003 0806 ee"));
  });
  it("formats and parses addresses", () => {
    expect(formatMac(0x0242ac110002)).toBe("02:42:ac:11:00:02");
    expect(formatMac(0)).toBe("00:00:00:00:00:00");
    expect(parseMac("FF:ff:ff:ff:ff:fe")).toBe(0xfffffffffffe);
    for (const bad of ["", "02:42:ac:11:00", "02:42:ac:11:00:0", "02-42-ac-11-00-02", "02:42:ac:11:00:0g"])
      expect(parseMac(bad)).toBeUndefined();
  });
});
