import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatKey, parseKey } from "../../src/control/key.ts";
import { toHex } from "../../src/wire/bytes.ts";

describe("parseKey", () => {
  it("takes text, hex and base64", () => {
    expect(toHex(parseKey("5erv1ceP@55w0rd!"))).toBe("35657276316365504035357730726421");
    expect(toHex(parseKey("hex:000102030405060708090a0b0c0d0e0f"))).toBe("000102030405060708090a0b0c0d0e0f");
    expect(toHex(parseKey("base64:AAECAwQFBgcICQoLDA0ODw=="))).toBe("000102030405060708090a0b0c0d0e0f");
    expect(toHex(parseKey("base64:AAECAwQFBgcICQoLDA0ODw"))).toBe("000102030405060708090a0b0c0d0e0f");
  });

  it.each(["", "short", "17 characters....", "hex:00", "hex:zz", "base64:AAAA", "base64:=A==", "schlüssel1234567"])(
    "refuses %j",
    (text) => {
      expect(() => parseKey(text)).toThrow(/key/);
    },
  );

  it("reads back what formatKey prints, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (key) => {
        expect(parseKey(formatKey(key))).toEqual(key);
        expect(parseKey(`base64:${Buffer.from(key).toString("base64")}`)).toEqual(key);
      }),
    );
  });
});
