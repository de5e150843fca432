import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../../src/wire/bytes.ts";
import { ipv4ChecksumOk } from "../../src/wire/checksum.ts";
import {
  formatIpv4,
  IP_DF,
  IP_MF,
  ipCheck,
  ipDaddr,
  ipFragOff,
  ipHlen,
  ipId,
  ipIsFragment,
  ipProto,
  ipSaddr,
  ipSendCheck,
  ipTos,
  ipTotLen,
  ipTtl,
  ipVersion,
  ipv4Check,
  parseIpv4,
  writeIpv4,
} from "../../src/wire/ipv4.ts";

/** A header from a textbook capture, checksum 0xb861. */
const HEX = "4500007300004000 4011b861 c0a80001 c0a800c7";

describe("IPv4", () => {
  it("reads the header's fields", () => {
    const b = fromHex(HEX)!;
    expect([ipVersion(b, 0), ipHlen(b, 0), ipTos(b, 0), ipTotLen(b, 0), ipId(b, 0), ipFragOff(b, 0)]).toEqual([
      4,
      20,
      0,
      0x73,
      0,
      IP_DF,
    ]);
    expect([ipTtl(b, 0), ipProto(b, 0), ipCheck(b, 0), ipSaddr(b, 0), ipDaddr(b, 0)]).toEqual([
      64, 17, 0xb861, 0xc0a80001, 0xc0a800c7,
    ]);
    expect(ipv4ChecksumOk(b, 0)).toBe(true);
  });

  it("writes the same header", () => {
    const b = new Uint8Array(21);
    writeIpv4(b, 1, 0x73, 0, IP_DF, 64, 17, 0xc0a80001, 0xc0a800c7);
    expect(toHex(b, 1)).toBe(HEX.replaceAll(" ", ""));
  });

  it("computes the checksum over options too", () => {
    const b = fromHex("46000018000000004001ffff0a0000010a00000294040000")!;
    ipSendCheck(b, 0);
    expect(ipv4ChecksumOk(b, 0)).toBe(true);
  });

  it("checks version, header length and total length against each other and the end", () => {
    const b = new Uint8Array(40);
    writeIpv4(b, 0, 40, 0, 0, 64, 17, 1, 2);
    expect(ipv4Check(b, 0, 40)).toBe(true);
    expect(ipv4Check(b, 0, 39)).toBe(false);
    expect(ipv4Check(b, 0, 41)).toBe(false);
    expect(ipv4Check(b, 0, 19)).toBe(false);
    for (const [first, ok] of [
      [0x45, true],
      [0x4a, true],
      [0x4b, false],
      [0x44, false],
      [0x65, false],
    ] as const) {
      b[0] = first;
      expect([first, ipv4Check(b, 0, 40)]).toEqual([first, ok]);
    }
    writeIpv4(b, 0, 19, 0, 0, 64, 17, 1, 2);
    expect(ipv4Check(b, 0, 40)).toBe(false);
    writeIpv4(b, 0, 20, 0, 0, 64, 17, 1, 2);
    expect(ipv4Check(b, 0, 40)).toBe(true);
  });

  it("tells fragments by MF or offset, not by DF", () => {
    const b = new Uint8Array(20);
    for (const [word, fragment] of [
      [0, false],
      [IP_DF, false],
      [IP_MF, true],
      [1, true],
      [0x1fff, true],
      [0x8000, false],
    ] as const) {
      writeIpv4(b, 0, 20, 0, word, 64, 17, 1, 2);
      expect([word, ipIsFragment(b, 0)]).toEqual([word, fragment]);
    }
  });

  it("formats and parses addresses, strictly", () => {
    expect(formatIpv4(0xffffffff)).toBe("255.255.255.255");
    expect(parseIpv4("172.1.0.3")).toBe(0xac010003);
    for (const bad of [
      "",
      "1.2.3",
      "1.2.3.4.5",
      "1.2.3.256",
      "01.2.3.4",
      "1.2.3.-4",
      " 1.2.3.4",
      "1.2.3.4 ",
      "a.b.c.d",
    ])
      expect(parseIpv4(bad)).toBeUndefined();
  });
});
