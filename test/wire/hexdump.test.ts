import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LabError } from "../../src/errors.ts";
import { toHex } from "../../src/wire/bytes.ts";
import { hexdump, parseHex } from "../../src/wire/hexdump.ts";

describe("parseHex", () => {
  it.each([
    ["4500abCD", "4500abcd"],
    ["0x4500", "4500"],
    ["45 00\tab", "4500ab"],
    ["45:00-ab", "4500ab"],
    ["\t0x0000:  4500 0054  E..T\n\t0x0010:  ab                 .", "45000054ab"],
    ["00000000: 4500 0054 6162 6364                      E..Tabcd", "4500005461626364"],
    ["0000: 45 00 00 54", "45000054"],
    ["12:00:00.1 IP 1.1.1.1 > 2.2.2.2: x\n\t0x0000:  4500  E.\n12:00:00.2 IP y\n\t0x0000:  6000  `.", "4500"],
  ])("reads %j", (text, hex) => {
    expect(toHex(parseHex(text))).toBe(hex);
  });

  it("reads back every dump", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 100 }), (b) => {
        expect(toHex(parseHex(hexdump(b).join("\n")))).toBe(toHex(b));
      }),
    );
  });

  it.each([
    ["45 0g", 1, 5, '"g" is no hex digit'],
    ["4500\n45z0", 2, 3, '"z"'],
    ["450", 1, 3, "odd number"],
    ["", 1, 1, "no bytes"],
  ])("names line and column of %j", (text, line, column, message) => {
    let err: unknown;
    try {
      parseHex(text, "f");
    } catch (e) {
      err = e;
    }
    expect(err).toBeInstanceOf(LabError);
    const e = err as LabError;
    expect([e.code, e.position]).toEqual(["ERR_HEX", { file: "f", line, column }]);
    expect(e.message).toContain(message);
  });
});
