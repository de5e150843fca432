/** Files that `npm run gen` writes are as the source makes them. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { generatedFiles } from "../../scripts/generated.ts";
import { COMMANDS, findCommand } from "../../src/scenario/commands.ts";
import { parseCommand } from "../../src/scenario/parse-command.ts";
import { usage } from "../../src/scenario/usage.ts";
import { REASON_NAMES } from "../../src/tables/reasons.ts";

const files = generatedFiles();
const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

it.each(Object.keys(files))("%s is up to date (npm run gen)", (path) => {
  // The formatter lays JSON out in its own way.
  if (path.endsWith(".json")) expect(JSON.parse(read(path))).toEqual(JSON.parse(files[path]));
  else expect(read(path)).toBe(files[path]);
});

it("docs/commands.md shows each command with its usage, and an example that is one", () => {
  const page = read("docs/commands.md");
  for (const spec of COMMANDS) {
    expect(page).toContain(`\n### ${spec.name}\n`);
    expect(page).toContain(`\`\`\`\n${usage(spec)}\n\`\`\`\n`);
    expect(parseCommand(spec.example).spec).toBe(spec);
    if (spec.undo) expect(findCommand(spec.undo), spec.undo).toBeDefined();
  }
});

it("docs/reasons.md has every reason once", () => {
  const named = [...read("docs/reasons.md").matchAll(/^\| \d+ \| `(\w+)` \|/gm)].map((m) => m[1]);
  expect(named.sort()).toEqual([...REASON_NAMES].sort());
});
