import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../../src/wire/bytes.ts";
import {
  GUE_DATA_HLEN,
  GUE_OVERHEAD,
  GUE_PING_LEN,
  gueCheck,
  gueDefaultTunnelId,
  gueFlags,
  gueGroup,
  gueHlen,
  gueIsControl,
  gueProto,
  gueService,
  gueTunnelId,
  gueVersion,
  writeGueData,
  writeGuePing,
} from "../../src/wire/gue.ts";

const KEY = new TextEncoder().encode("5erv1ceP@55w0rd!");
const KEY_HEX = "35657276316365504035357730726421";

describe("GUE", () => {
  it("writes the data header of SPEC section 2", () => {
    const b = new Uint8Array(GUE_DATA_HLEN);
    writeGueData(b, 0, 1, 200, KEY);
    expect(toHex(b)).toBe(`0504a000000100c8${KEY_HEX}`);
    expect([gueVersion(b, 0), gueIsControl(b, 0), gueHlen(b, 0), gueProto(b, 0), gueFlags(b, 0)]).toEqual([
      0,
      false,
      5,
      4,
      0xa000,
    ]);
    expect([gueGroup(b, 0), gueService(b, 0)]).toEqual([1, 200]);
    expect(GUE_OVERHEAD).toBe(20 + 8 + GUE_DATA_HLEN);
  });

  it("writes the ping, with its tunnel id", () => {
    const b = new Uint8Array(GUE_PING_LEN);
    writeGuePing(b, 0, 1, 200, KEY, 65736);
    expect(toHex(b)).toBe(`2601a000000100c8${KEY_HEX}000100c8`);
    expect([gueIsControl(b, 0), gueHlen(b, 0), gueProto(b, 0), gueTunnelId(b, 0)]).toEqual([true, 6, 1, 65736]);
  });

  it("makes the older ping's tunnel id of group and service, unsigned", () => {
    expect(gueDefaultTunnelId(1, 200)).toBe(65736);
    expect(gueDefaultTunnelId(0xffff, 0xffff)).toBe(0xffffffff);
  });

  it("reads version, C and Hlen from one byte", () => {
    const b = Uint8Array.of(0xff, 0, 0, 0);
    expect([gueVersion(b, 0), gueIsControl(b, 0), gueHlen(b, 0)]).toEqual([3, true, 31]);
    b[0] = 0x1f;
    expect([gueVersion(b, 0), gueIsControl(b, 0), gueHlen(b, 0)]).toEqual([0, false, 31]);
  });

  it("checks that all words of Hlen are there", () => {
    const b = fromHex(`0504a000000100c8${KEY_HEX}`)!;
    for (let end = 0; end <= 24; end++) expect([end, gueCheck(b, 0, end)]).toEqual([end, end === 24]);
    expect(gueCheck(b, 0, 25)).toBe(false);
    expect(gueCheck(fromHex("00040000")!, 0, 4)).toBe(true);
  });
});
