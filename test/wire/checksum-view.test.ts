import fc from "fast-check";
import { expect, it } from "vitest";
import { Skb } from "../../src/dataplane/skb.ts";
import { csumFold, csumPartial, csumView } from "../../src/wire/checksum.ts";

it("gives the sum of csumPartial at every length and alignment", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(20), fc.nat(0xffffffff), (bytes, at, sum) => {
      const off = Math.min(at, bytes.length);
      const len = bytes.length - off;
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      expect(csumFold(csumView(view, off, len, sum))).toBe(csumFold(csumPartial(bytes, off, len, sum)));
    }),
  );
});

it("does not overflow on the largest packet", () => {
  const bytes = new Uint8Array(131_072).fill(0xff);
  expect(csumView(new DataView(bytes.buffer), 0, bytes.length)).toBe(65_535 * 65_536);
});

it("follows a packet whose buffer was replaced", () => {
  const skb = new Skb();
  skb.reset(8);
  const before = skb.view;
  expect(skb.view).toBe(before);
  skb.reset(9000);
  expect(skb.view.byteLength).toBe(skb.buf.length);
  skb.buf = new Uint8Array(new ArrayBuffer(64), 16, 32);
  skb.buf[0] = 7;
  expect(skb.view.getUint8(0)).toBe(7);
});
