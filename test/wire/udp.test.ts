import { expect, it } from "vitest";
import { fromHex, toHex, wr16 } from "../../src/wire/bytes.ts";
import { udpCheck, udpChecksum, udpDport, udpLength, udpSport, writeUdp } from "../../src/wire/udp.ts";

it("writes and reads a header, its checksum over the pseudo header", () => {
  const b = fromHex("0000000000000000 6869")!;
  writeUdp(b, 0, 1024, 7, 2, 0x0a000001, 0x0a000002);
  expect(toHex(b)).toBe("04000007000a7f676869");
  expect([udpSport(b, 0), udpDport(b, 0), udpLength(b, 0), udpChecksum(b, 0)]).toEqual([1024, 7, 10, 0x7f67]);
});

it("sends a computed 0 as 0xffff", () => {
  const b = new Uint8Array(10);
  // Choose the payload so that the sum is 0xffff: what the checksum is without it.
  writeUdp(b, 0, 1, 2, 2, 3, 4);
  wr16(b, 8, udpChecksum(b, 0));
  writeUdp(b, 0, 1, 2, 2, 3, 4);
  expect(udpChecksum(b, 0)).toBe(0xffff);
});

it("checks the length against 8 and the end", () => {
  const b = new Uint8Array(20);
  for (const [len, ok] of [
    [7, false],
    [8, true],
    [20, true],
    [21, false],
    [0, false],
    [0xffff, false],
  ] as const) {
    wr16(b, 4, len);
    expect([len, udpCheck(b, 0, 20)]).toEqual([len, ok]);
  }
  wr16(b, 4, 8);
  expect([udpCheck(b, 0, 7), udpCheck(b, 0, 21), udpCheck(b, 13, 20)]).toEqual([false, false, false]);
});
