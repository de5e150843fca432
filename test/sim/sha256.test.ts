import { createHash } from "node:crypto";
import fc from "fast-check";
import { expect, it } from "vitest";
import { batched, type Hasher, Sha256 } from "../../src/sim/sha256.ts";

const native = (): Hasher => {
  const h = createHash("sha256");
  return batched(
    (b) => h.update(b),
    () => h.digest("hex"),
  );
};

it("gives the digests of FIPS 180-4's examples", () => {
  expect(new Sha256().hex()).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const abc = new Sha256();
  abc.update(new TextEncoder().encode("xabcx"), 1, 3);
  expect(abc.hex()).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

it("agrees with another implementation however the bytes are cut", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }), (pieces) => {
      const ours = new Sha256();
      const theirs = createHash("sha256");
      const collected = native();
      for (const p of pieces) {
        ours.update(p, 0, p.length);
        theirs.update(p);
        collected.update(p, 0, p.length);
      }
      const want = theirs.digest("hex");
      expect(ours.hex()).toBe(want);
      expect(collected.hex()).toBe(want);
    }),
  );
});

it("collects across the edge of a batch", () => {
  const bytes = new Uint8Array(200_001).map((_, i) => i * 7);
  const collected = native();
  for (let at = 0; at < bytes.length; at += 1448) collected.update(bytes, at, Math.min(1448, bytes.length - at));
  expect(collected.hex()).toBe(createHash("sha256").update(bytes).digest("hex"));
});
