/** Every function that a check leads to can be read in the page. */
import { expect, it } from "vitest";
import { PLACES } from "../../src/replay/checks.ts";
import { sources } from "../../web/src/sources.ts";

it("the page holds the source that checks lead to, and nothing else", () => {
  const links = PLACES.flatMap(({ code, twin }) => [code, twin]);
  for (const { file, name } of links) expect(sources.get(file), `${file} with ${name}`).toContain(name);
  expect([...sources.keys()].sort()).toEqual([...new Set(links.map((l) => l.file))].sort());
});
