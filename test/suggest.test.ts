import { describe, expect, it } from "vitest";
import { didYouMean, editDistance, suggest } from "../src/suggest.ts";

describe("did you mean", () => {
  it("counts inserts, deletions, replacements and swaps", () => {
    expect(["abc", "ab", "abxc", "axc", "bac", ""].map((w) => editDistance("abc", w))).toEqual([0, 1, 1, 1, 1, 3]);
  });

  it("offers what is near, nearest first, and nothing where nothing is", () => {
    expect(suggest("pfc_lits", ["pfc_stop", "pfc_list", "port_list"])[0]).toBe("pfc_list");
    expect(suggest("zzzzzz", ["pfc_list"])).toEqual([]);
    expect(didYouMean("noxe", ["node", "nose"], "none")).toBe("Did you mean node or nose?");
    expect(didYouMean("zzzzzz", ["pfc_list"], "none")).toBe("none");
  });
});
