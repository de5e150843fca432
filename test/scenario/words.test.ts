import { describe, expect, it } from "vitest";
import { LabError } from "../../src/errors.ts";
import { quoteWord, splitWords } from "../../src/scenario/words.ts";

const texts = (line: string): string[] => splitWords(line).map((w) => w.text);

describe("words", () => {
  it("splits at blanks and tabs, and keeps where each word stands", () => {
    expect(splitWords("  ab \t c")).toEqual([
      { text: "ab", offset: 2, end: 4, quoted: false },
      { text: "c", offset: 7, end: 8, quoted: false },
    ]);
  });

  it("takes quotes as a shell does, and expands nothing", () => {
    expect(texts(`'a b' "c \\" d" e\\ f '' x"y"'z'`)).toEqual(["a b", 'c " d', "e f", "", "xyz"]);
    expect(texts("$HOME `id` *.cfg $(x) a;b a|b")).toEqual(["$HOME", "`id`", "*.cfg", "$(x)", "a;b", "a|b"]);
  });

  it("ends at a comment, which starts a word", () => {
    expect(texts("a b#c # d")).toEqual(["a", "b#c"]);
  });

  it.each([
    ["a 'b", 3],
    ['a "b\\"', 3],
    ["ab\\", 3],
    ["a\nb", 2],
    ["a \u0007", 3],
  ])("refuses %j at its column", (line, column) => {
    try {
      splitWords(line);
      expect.unreachable();
    } catch (err) {
      expect(err).toBeInstanceOf(LabError);
      expect(err).toMatchObject({ code: "ERR_COMMAND_SYNTAX", position: { column } });
    }
  });

  it("quotes a word so that it comes back", () => {
    for (const word of ["a", "", "a b", "it's", '"', "\\", "#x", "{i}", "5erv1ceP@55w0rd!"])
      expect(texts(quoteWord(word))).toEqual([word]);
  });
});
