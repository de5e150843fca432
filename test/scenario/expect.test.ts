import { describe, expect, it } from "vitest";
import { LabError } from "../../src/errors.ts";
import { checkResult, compileCount, compileMatcher, type MatcherSpec, show } from "../../src/scenario/expect.ts";

const tests = (spec: MatcherSpec, value: unknown): boolean => compileMatcher(spec).test(value);
const code = (fn: () => unknown): string => {
  try {
    fn();
  } catch (err) {
    if (err instanceof LabError) return err.code;
    throw err;
  }
  return "accepted";
};

describe("matchers", () => {
  it.each<[MatcherSpec, unknown[], unknown[]]>([
    [200, [200], [404, "200 OK", undefined]],
    ["hello", ["hello", "hello\n"], ["hello world", "Hello", undefined, 5]],
    ["/^he.*o$/", ["hello"], ["oh hello!", undefined]],
    ["/HELLO/i", ["say hello"], ["bye"]],
    [">=2", [2, 3, "4"], [1, "x", undefined]],
    ["<1K", [1023], [1024]],
    ["<=5s", [5e9], [5e9 + 1]],
    ["!=0", [1], [0, undefined]],
    ["!=1.2.3.4:5", ["1.2.3.4:6"], ["1.2.3.4:5", undefined]],
    ["3..5", [3, 4, 5], [2, 6, undefined]],
    ["10M", [10 * 1024 * 1024], [10]],
    [true, [true], [false, undefined]],
    [
      [">=1", "<=3"],
      [1, 3],
      [0, 4],
    ],
    ["5000,5001", [[5000, 5001]], [[5001, 5000]]],
  ])("%j", (spec, good, bad) => {
    for (const value of good) expect(tests(spec, value)).toBe(true);
    for (const value of bad) expect(tests(spec, value)).toBe(false);
  });

  it("refuses what cannot be compiled", () => {
    for (const spec of ["/(/", ">=x", "5..3", []]) expect(code(() => compileMatcher(spec))).toBe("ERR_EXPECT_SYNTAX");
  });

  it("refuses a count that always holds, or is no number", () => {
    for (const spec of [">=0", "<=1000000000000", "!=-1", "many", "/./"])
      expect(code(() => compileCount(spec))).toBe("ERR_EXPECT_SYNTAX");
    for (const spec of [0, ">=1", "1..3", "!=0"]) expect(code(() => compileCount(spec))).toBe("accepted");
  });
});

describe("checks on a result", () => {
  const check = (name: string, spec: MatcherSpec, data: Record<string, unknown>, output: string[] = [], took = 0) =>
    checkResult({ name, matcher: compileMatcher(spec) }, { data, output }, took);

  it("compares a value, and says what was there instead", () => {
    expect(check("status", 200, { status: 200 }).ok).toBe(true);
    expect(check("status", 200, { status: 404 })).toMatchObject({ ok: false, expected: "200", actual: "404" });
    expect(check("status", 200, { error: "ETIMEDOUT" })).toMatchObject({
      ok: false,
      actual: "nothing by that name (there is error)",
      detail: ['the command failed: "ETIMEDOUT"'],
    });
  });

  it("fails is the errno of a command that ran", () => {
    expect(check("fails", "ETIMEDOUT", { error: "ETIMEDOUT" }).ok).toBe(true);
    expect(check("fails", "ETIMEDOUT", { status: 200 })).toMatchObject({ ok: false, actual: "it succeeded" });
  });

  it("output is a line, a part of it, or a pattern", () => {
    const lines = ["one fish", "two fish"];
    for (const spec of ["two", "one fish", "/^two/"]) expect(check("output", spec, {}, lines).ok).toBe(true);
    for (const spec of ["three", "/^fish/"]) expect(check("output", spec, {}, lines).ok).toBe(false);
  });

  it("time is how long it took", () => {
    expect(check("time", "<1s", {}, [], 5e8).ok).toBe(true);
    expect(check("time", "<1s", {}, [], 5e9).ok).toBe(false);
  });

  it("shows long values shortened", () => {
    expect(show("x".repeat(1000)).length).toBeLessThan(260);
    expect(show([])).toBe("none");
  });
});
