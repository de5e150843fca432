import { expect, it } from "vitest";
import { fromHex } from "../../src/wire/bytes.ts";
import { inetChecksum } from "../../src/wire/checksum.ts";
import {
  icmpCheck,
  icmpChecksum,
  icmpCode,
  icmpId,
  icmpIsError,
  icmpMtu,
  icmpSendCheck,
  icmpSeq,
  icmpType,
} from "../../src/wire/icmp.ts";

it("reads echo and fragmentation needed", () => {
  const echo = fromHex("0800f7ff 0000 0000")!;
  expect([icmpType(echo, 0), icmpCode(echo, 0), icmpChecksum(echo, 0)]).toEqual([8, 0, 0xf7ff]);
  expect(inetChecksum(echo, 0, 8)).toBe(0);
  const ids = fromHex("08000000 1234 5678")!;
  expect([icmpId(ids, 0), icmpSeq(ids, 0)]).toEqual([0x1234, 0x5678]);
  expect(icmpMtu(fromHex("03040000 0000 05a8")!, 0)).toBe(1448);
});

it("checks that a whole header is there", () => {
  const b = new Uint8Array(9);
  expect([icmpCheck(b, 1, 9), icmpCheck(b, 2, 9), icmpCheck(b, 2, 10)]).toEqual([true, false, false]);
});

it("computes the checksum over odd lengths", () => {
  const b = fromHex("0800ffff 0001 0002 616263")!;
  icmpSendCheck(b, 0, b.length);
  expect(inetChecksum(b, 0, b.length)).toBe(0);
});

it("tells errors, which quote a packet, from queries", () => {
  const errors = Array.from({ length: 256 }, (_, type) => type).filter(icmpIsError);
  expect(errors).toEqual([3, 4, 5, 11, 12]);
});
