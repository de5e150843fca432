/** docs/vectors.md: its example runs as it wants, its table of tables is the reader's. */
import { expect, it } from "vitest";
import { parseVectors } from "../../src/dataplane/vector.ts";
import { runVector } from "../../src/dataplane/vector-run.ts";
import type { LabError } from "../../src/errors.ts";
import { blocksOf, codesIn, readRepo, tableRows } from "./page.ts";

const page = readRepo("docs/vectors.md");

it("the example runs, and all is as it wants", () => {
  const [block, ...more] = blocksOf(page);
  expect(more).toEqual([]);
  const vectors = parseVectors(block.text, "vectors.md");
  expect(vectors.length).toBe(1);
  for (const vector of vectors) {
    expect(vector.packets[0].want.reason).toBeDefined();
    expect(runVector(vector).mismatches).toEqual([]);
  }
});

it("the tables are those that a vector can have", () => {
  const read = (tables: object): unknown => {
    try {
      return parseVectors(JSON.stringify({ name: "t", tables, packets: [] }), "t").length;
    } catch (err) {
      return (err as LabError).code;
    }
  };
  const names = tableRows(page, "| table | row |").flatMap((r) => codesIn(r[0]));
  for (const name of names) expect(read({ [name]: name === "epoch" ? 0 : {} }), name).toBe(1);
  expect(read({ nix: {} })).toMatch(/^ERR_VECTOR_/);
  // Rows that are complete JSON are read as they stand.
  let complete = 0;
  for (const [name, text] of tableRows(page, "| table | row |"))
    for (const row of codesIn(text).filter((c) => /^"[^"]+": ./.test(c) && !/\{"\w+",|"key"|"\.\."/.test(c))) {
      expect(read({ [codesIn(name)[0]]: JSON.parse(`{${row}}`) }), row).toBe(1);
      complete++;
    }
  expect(complete).toBeGreaterThanOrEqual(4);
});
