import { expect, it } from "vitest";
import { ARP_LEN, arpCheck, arpOper, arpSha, arpSpa, arpTha, arpTpa, writeArp } from "../../src/wire/arp.ts";
import { fromHex, toHex } from "../../src/wire/bytes.ts";

const HEX = "0001080006040002" + "0242ac110003" + "ac010003" + "0242ac110002" + "ac010002";

it("writes and reads a reply, byte for byte as RFC 826 lays it out", () => {
  const b = new Uint8Array(ARP_LEN);
  writeArp(b, 0, 2, 0x0242ac110003, 0xac010003, 0x0242ac110002, 0xac010002);
  expect(toHex(b)).toBe(HEX);
  expect([arpOper(b, 0), arpSha(b, 0), arpSpa(b, 0), arpTha(b, 0), arpTpa(b, 0)]).toEqual([
    2, 0x0242ac110003, 0xac010003, 0x0242ac110002, 0xac010002,
  ]);
});

it("checks length and the four fields that say IPv4 over Ethernet", () => {
  const good = fromHex(HEX)!;
  expect(arpCheck(good, 0, ARP_LEN)).toBe(true);
  expect(arpCheck(good, 0, ARP_LEN - 1)).toBe(false);
  expect(arpCheck(good, 0, ARP_LEN + 1)).toBe(false);
  for (const at of [1, 2, 3, 4, 5]) {
    const bad = good.slice();
    bad[at] ^= 1;
    expect([at, arpCheck(bad, 0, ARP_LEN)]).toEqual([at, false]);
  }
});
