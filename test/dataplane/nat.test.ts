import { expect, it } from "vitest";
import { clampMss } from "../../src/dataplane/mss.ts";
import { csumUpdate, delta16, delta32 } from "../../src/dataplane/nat.ts";
import { inetChecksum } from "../../src/wire/checksum.ts";

it("updates a checksum as the example of RFC 1624 section 4 does", () => {
  // A header sum of 0xdd2f, a field that goes from 0x5555 to 0x3285: eqn. 3 gives 0x0000, eqn. 2 gave 0xffff.
  expect(csumUpdate(0xdd2f, delta16(0x5555, 0x3285))).toBe(0x0000);
});

it("never gives 0xffff, not even where every word is a zero", () => {
  expect(csumUpdate(0xffff, delta16(0xffff, 0))).toBe(0);
  expect(csumUpdate(0xffff, delta32(0xffffffff, 0))).toBe(0);
  expect(csumUpdate(0xffff, delta16(0, 0))).toBe(0);
});

it("takes addresses as signed and as unsigned words", () => {
  expect(delta32(0xac010002, 0xfffefdfc)).toBe(delta32(0xac010002 | 0, 0xfffefdfc | 0));
});

it("agrees with the whole sum for every 16-bit change of one word", () => {
  const b = Uint8Array.from([0x45, 0, 0, 40, 0x12, 0x34, 0x40, 0]);
  const v = new DataView(b.buffer);
  const before = inetChecksum(b, 0, 8);
  for (let to = 0; to <= 0xffff; to++) {
    v.setUint16(4, to);
    const want = inetChecksum(b, 0, 8);
    if (csumUpdate(before, delta16(0x1234, to)) !== want) expect.fail(`wrong for ${to}`);
  }
});

/** A SYN whose header is `doff` words long and has these option bytes; its end lies `cut` bytes before theirs. */
function syn(options: number[], doff = 5 + options.length / 4, cut = 0): [DataView, number] {
  const b = new Uint8Array(20 + options.length);
  b[12] = doff << 4;
  b[13] = 2;
  b.set(options, 20);
  return [new DataView(b.buffer), b.length - cut];
}

it("leaves a SYN alone whose options do not lie within the packet, or not within the header", () => {
  const mss = [2, 4, 0x05, 0xb4];
  expect(clampMss(syn(mss)[0], 0, 24, 1500)).toBe(true);
  const [short, end] = syn(mss, 6, 1);
  expect(clampMss(short, 0, end, 1500)).toBe(false);
  const [hidden, all] = syn(mss, 5);
  expect(clampMss(hidden, 0, all, 1500)).toBe(false);
  const [tiny, whole] = syn(mss, 4);
  expect(clampMss(tiny, 0, whole, 1500)).toBe(false);
});

it("lets the first MSS option decide, and only one of 4 bytes", () => {
  const [twice, end] = syn([2, 4, 0x05, 0x00, 2, 4, 0x05, 0xb4]);
  expect(clampMss(twice, 0, end, 1500)).toBe(false);
  const [odd, end2] = syn([2, 3, 0xff, 2, 4, 0x05, 0xb4, 0]);
  expect(clampMss(odd, 0, end2, 1500)).toBe(false);
});

it("does not clamp with an MTU above what an MSS can say", () => {
  const [v, end] = syn([2, 4, 0xff, 0xff]);
  expect(clampMss(v, 0, end, 0xffffffff)).toBe(false);
  expect(clampMss(v, 0, end, 65_535)).toBe(true);
});
