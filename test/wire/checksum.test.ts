import { describe, expect, it } from "vitest";
import { fromHex } from "../../src/wire/bytes.ts";
import {
  csumFold,
  csumPseudo,
  csumReplace16,
  csumReplace32,
  inetChecksum,
  ipv4ChecksumOk,
  l4ChecksumOk,
} from "../../src/wire/checksum.ts";

describe("Internet checksum", () => {
  it("gives the example of RFC 1071 section 3", () => {
    expect(inetChecksum(fromHex("0001f203f4f5f6f7")!, 0, 8)).toBe(~0xddf2 & 0xffff);
  });
  it("counts an odd last byte as the high half of a word", () => {
    expect(inetChecksum(Uint8Array.of(0x12), 0, 1)).toBe(~0x1200 & 0xffff);
    expect(inetChecksum(Uint8Array.of(0, 0, 0x12), 0, 3)).toBe(~0x1200 & 0xffff);
  });
  it("is 0xffff over nothing and over zeros", () => {
    expect(inetChecksum(new Uint8Array(0), 0, 0)).toBe(0xffff);
    expect(inetChecksum(new Uint8Array(20), 0, 20)).toBe(0xffff);
  });
  it("folds sums above 32 bits with end-around carry", () => {
    expect(csumFold(0xffff * 5)).toBe(0xffff);
    expect(csumFold(2 ** 32)).toBe(1);
    expect(csumFold(2 ** 52 + 3)).toBe(2 ** (52 % 16) + 3);
    expect(csumFold(0x1fffffffe)).toBe(csumFold(0x1fffffffe % 0xffff) || 0xffff);
  });
  it("folds every sum twice: header IDs that carry a second time", () => {
    const header = fromHex("4500003400000000401100000a0000010a000002")!;
    for (let id = 0; id < 0x10000; id++) {
      header[4] = id >>> 8;
      header[5] = id;
      header[10] = header[11] = 0;
      const check = inetChecksum(header, 0, 20);
      header[10] = check >>> 8;
      header[11] = check;
      if (!ipv4ChecksumOk(header, 0)) throw new Error(`wrong for ID ${id}`);
    }
    header[11] ^= 1;
    expect(ipv4ChecksumOk(header, 0)).toBe(false);
  });
});

describe("incremental update", () => {
  it("gives the example of RFC 1624 section 4, where eqn. 2 fails", () => {
    expect(csumReplace16(0xdd2f, 0x5555, 0x3285)).toBe(0x0000);
  });
  it("leaves the checksum when nothing changed", () => {
    expect(csumReplace16(0x1234, 0xabcd, 0xabcd)).toBe(0x1234);
    expect(csumReplace32(0x1234, 0xabcdef01, 0xabcdef01)).toBe(0x1234);
  });
  it("a 32-bit change is two 16-bit ones", () => {
    const two = csumReplace16(csumReplace16(0x0102, 0xac01, 0x0505), 0x0002, 0x0506);
    expect(csumReplace32(0x0102, 0xac010002, 0x05050506)).toBe(two);
  });
});

it("verifies a UDP checksum over the pseudo header", () => {
  // 10.0.0.1:1 > 10.0.0.2:2, no payload: computed by hand, 0x0a00+1+0x0a00+2+17+8+1+2+8 = 0x1427.
  const packet = fromHex("4500001c0000000040110000 0a000001 0a000002 0001000200080000")!;
  const check = ~0x1427 & 0xffff;
  packet[26] = check >>> 8;
  packet[27] = check;
  expect(l4ChecksumOk(packet, 0, 20, 8, 17)).toBe(true);
  packet[27] ^= 1;
  expect(l4ChecksumOk(packet, 0, 20, 8, 17)).toBe(false);
  expect(csumFold(csumPseudo(0x0a000001, 0x0a000002, 17, 8))).toBe(0x141c);
});
