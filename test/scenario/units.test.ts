import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LabError } from "../../src/errors.ts";
import {
  formatDuration,
  formatPercent,
  formatRate,
  formatSize,
  parseDuration,
  parsePercent,
  parseRate,
  parseSize,
} from "../../src/scenario/units.ts";

describe("durations", () => {
  it.each([
    ["0", 0],
    ["0s", 0],
    ["1ns", 1],
    ["250us", 250_000],
    ["10ms", 10_000_000],
    ["1.5s", 1_500_000_000],
    ["0.1ms", 100_000],
    ["5m", 300_000_000_000],
    ["1h", 3_600_000_000_000],
  ])("%s is %d ns", (text, ns) => {
    expect(parseDuration(text)).toBe(ns);
  });

  it.each([
    "",
    "5",
    "5 s",
    "-1s",
    "1.s",
    ".5s",
    "1e3s",
    "5sec",
    "0.5ns",
    "9007199254740993ns",
    "9999999h",
    "constructor",
    "1S",
  ])("refuses '%s'", (text) => {
    expect(() => parseDuration(text)).toThrow(LabError);
  });

  it("says that the unit is missing, and where", () => {
    const position = { file: "a.yaml", line: 3, column: 7 };
    try {
      parseDuration("5", position);
      expect.unreachable();
    } catch (e) {
      expect(e).toBeInstanceOf(LabError);
      expect((e as LabError).format()).toBe(
        "a.yaml:3:7: '5' is not a duration: it has no unit (ERR_BAD_VALUE)\n  A duration is a number with ns, us, ms, s, m or h, such as 5s, 10ms or 250us.",
      );
    }
  });
});

describe("rates", () => {
  it.each([
    ["0", 0],
    ["unlimited", 0],
    ["100mbit", 100e6],
    ["100Mbit", 100e6],
    ["1gbit", 1e9],
    ["2.5mbit", 2.5e6],
    ["9600bit", 9600],
  ])("%s is %d bit/s", (text, bps) => {
    expect(parseRate(text)).toBe(bps);
  });

  it.each(["", "100", "100mbps", "100m", "-1mbit", "0.5bit", "toString"])("refuses '%s'", (text) => {
    expect(() => parseRate(text)).toThrow(LabError);
  });
});

describe("sizes", () => {
  it.each([
    ["0", 0],
    ["1400", 1400],
    ["64K", 65_536],
    ["10M", 10_485_760],
    ["1.5k", 1536],
    ["1G", 1_073_741_824],
  ])("%s is %d bytes", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each(["", "M", "10MB", "1.5", "-1", "1T", "0x10"])("refuses '%s'", (text) => {
    expect(() => parseSize(text)).toThrow(LabError);
  });
});

describe("probabilities", () => {
  it.each<[string | number, number]>([
    ["1%", 0.01],
    ["0.5%", 0.005],
    ["100%", 1],
    ["0.01", 0.01],
    [0.01, 0.01],
    [0, 0],
    [1, 1],
  ])("%s is %d", (text, p) => {
    expect(parsePercent(text)).toBeCloseTo(p, 15);
  });

  it.each<[string | number]>([["101%"], [2], [-0.1], ["1 %"], [""], ["%"], [Number.NaN], ["1s"]])(
    "refuses '%s'",
    (text) => {
      expect(() => parsePercent(text)).toThrow(LabError);
    },
  );
});

describe("formatting", () => {
  it("gives the shortest exact form", () => {
    expect(formatDuration(1_500_000)).toBe("1500us");
    expect(formatDuration(0)).toBe("0");
    expect(formatRate(100e6)).toBe("100mbit");
    expect(formatRate(0)).toBe("unlimited");
    expect(formatSize(10_485_760)).toBe("10M");
    expect(formatSize(1400)).toBe("1400");
    expect(formatPercent(0.01)).toBe("1%");
  });

  it("is undone by parsing", () => {
    fc.assert(
      fc.property(fc.nat({ max: 10 ** 14 }), (n) => {
        expect(parseDuration(formatDuration(n))).toBe(n);
        expect(parseRate(formatRate(n))).toBe(n);
        expect(parseSize(formatSize(n))).toBe(n);
      }),
    );
  });

  it("never throws anything but LabError", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        for (const parse of [parseDuration, parseRate, parseSize, parsePercent]) {
          try {
            expect(Number.isFinite(parse(text))).toBe(true);
          } catch (e) {
            expect(e).toBeInstanceOf(LabError);
          }
        }
      }),
    );
  });
});
