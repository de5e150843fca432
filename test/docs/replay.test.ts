/** docs/replay.md: its session is played, its tables are those of the source, and its filters are filters. */
import { PassThrough, Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { stepThrough } from "../../src/cli/step.ts";
import { FILTER_FIELDS } from "../../src/replay/filter.ts";
import { EVENT_KINDS } from "../../src/replay/types.ts";
import { record } from "../replay/support.ts";
import { blocksOf, codesIn, readRepo, tableRows } from "./page.ts";

const page = readRepo("docs/replay.md");

it("shows what the terminal shows", async () => {
  const [block, ...others] = blocksOf(page);
  expect(others).toEqual([]);
  const [command, ...lines] = block.text.trimEnd().split("\n");
  const [, input, file] = /^\$ printf '(.*)' \| guelab run --step (\S+)$/.exec(command) as RegExpExecArray;
  const output = new PassThrough();
  const chunks: Buffer[] = [];
  output.on("data", (c: Buffer) => chunks.push(c));
  const path = fileURLToPath(new URL(`../../${file}`, import.meta.url));
  await stepThrough(path, {}, { input: Readable.from([input.replaceAll("\\n", "\n")]), output });
  const printed = Buffer.concat(chunks).toString().split("\n");
  let at = 0;
  for (const line of lines.filter((l) => l !== "...")) {
    const found = printed.indexOf(line, at);
    expect(found, line).toBeGreaterThanOrEqual(0);
    at = found + 1;
  }
});

it("lists the fields and the kinds of events that there are", () => {
  const fields = tableRows(page, "| field | what it is |").map(([name, doc]) => [codesIn(name)[0], doc]);
  expect(fields).toEqual(Object.entries(FILTER_FIELDS).map(([name, { doc }]) => [name, doc]));
  const kinds = tableRows(page, "| kind | what happened |").map(([name]) => codesIn(name)[0]);
  expect(kinds).toEqual([...EVENT_KINDS]);
});

it("gives filters that work", async () => {
  const run = await record("security/01-wrong-key");
  for (const [cell] of tableRows(page, "| filter | lets through |"))
    for (const filter of codesIn(cell)) expect(() => run.events(filter)).not.toThrow();
});
