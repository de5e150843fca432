import { describe, expect, it } from "vitest";
import { bytesEqual, copyBytes, fromHex, rd16, rd32, toHex, wr16, wr32 } from "../../src/wire/bytes.ts";

describe("loads and stores", () => {
  it("are big-endian and unsigned", () => {
    const b = Uint8Array.of(0xff, 0xfe, 0xfd, 0xfc);
    expect([rd16(b, 1), rd32(b, 0)]).toEqual([0xfefd, 0xfffefdfc]);
    wr32(b, 0, 0x80000001);
    expect([...b]).toEqual([0x80, 0, 0, 1]);
    wr16(b, 1, 0x12345);
    expect([...b]).toEqual([0x80, 0x23, 0x45, 1]);
  });
});

it("compares and copies ranges", () => {
  const b = Uint8Array.of(1, 2, 3, 4, 5);
  expect(bytesEqual(b, 0, Uint8Array.of(9, 1, 2), 1, 2)).toBe(true);
  expect(bytesEqual(b, 0, Uint8Array.of(9, 1, 3), 1, 2)).toBe(false);
  copyBytes(b, 0, b, 2, 3);
  expect([...b]).toEqual([3, 4, 5, 4, 5]);
});

it("reads and writes hex", () => {
  expect(toHex(Uint8Array.of(0, 0xab, 1), 1)).toBe("ab01");
  expect(toHex(Uint8Array.of(1, 2, 3), 1, 2)).toBe("02");
  expect(fromHex("00:Ab 01-02")).toEqual(Uint8Array.of(0, 0xab, 1, 2));
  expect(fromHex("abc")).toBeUndefined();
  expect(fromHex("0g")).toBeUndefined();
});
