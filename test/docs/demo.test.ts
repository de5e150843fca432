/** docs/demo.md: every session is played, every line of the original is one that is accepted. */
import { describe, expect, it } from "vitest";
import { findCommand } from "../../src/scenario/commands.ts";
import { loadTopology } from "../../src/scenario/load.ts";
import { parseCommand } from "../../src/scenario/parse-command.ts";
import { topologyContext } from "../../src/scenario/topology-context.ts";
import { RX_FLAGS, TX_FLAGS } from "../../src/tables/schema.ts";
import { matches, playSession, sessionsOf } from "./console.ts";
import { blocksOf, codesIn, readRepo, tableRows } from "./page.ts";

const page = readRepo("docs/demo.md");
const blocks = blocksOf(page);
const sessions = sessionsOf(blocks);
const context = topologyContext(loadTopology("basic.cfg"));

describe("docs/demo.md", () => {
  it("has nothing but sessions in its blocks", () => {
    expect(sessions.length).toBeGreaterThanOrEqual(5);
    for (const { info } of blocks) expect(info).toMatch(/^console( basic\.cfg)?$/);
  });

  it.each(sessions.map((s) => ({ line: s.exchanges[0].line, ...s })))(
    "line $line: the session prints what the page shows",
    async ({ topology, exchanges }) => {
      expect((await playSession(topology, exchanges)).join("\n\n")).toBe("");
    },
  );

  it("compares output line by line, and skips only where the page says so", () => {
    expect(matches(["a", "...", "c"], ["a", "b", "b", "c"])).toBe(true);
    expect(matches(["a", "..."], ["a"])).toBe(true);
    expect(matches(["a", "c"], ["a", "b", "c"])).toBe(false);
    expect(matches(["a", "...", "d"], ["a", "b", "c"])).toBe(false);
    expect(matches([], ["a"])).toBe(false);
  });

  it("gives a line here for every line of the original, both of them commands of the same name", () => {
    const rows = tableRows(page, "| original line | here | why |");
    expect(rows.length).toBe(21);
    const name = (text: string) => parseCommand(text, context).spec.name;
    for (const [original, here] of rows) {
      const [line] = codesIn(original);
      const [first] = here.startsWith("as it is") ? [line] : codesIn(here);
      expect(name(first)).toBe(findCommand(line.split(" ")[0])?.name);
      for (const text of codesIn(here)) name(text);
    }
  });

  it("tells every flag", () => {
    for (const [side, flags] of [
      ["ingress", RX_FLAGS],
      ["egress", TX_FLAGS],
    ] as const)
      expect(tableRows(page, `| ${side} | name | meaning |`).map((r) => [codesIn(r[1])[0], Number(r[0])])).toEqual(
        Object.entries(flags),
      );
  });

  it("names commands that exist", () => {
    for (const code of codesIn(page.replace(/^```[\s\S]*?^```$/gm, "")))
      if (/^[a-z]+_[a-z]+$/.test(code)) expect(findCommand(code), code).toBeDefined();
  });
});
