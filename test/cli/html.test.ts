/** Report files: what stands in them is data, whatever it says, and no scenario is written over. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { execute } from "../../src/cli/execute.ts";
import { htmlReport, scriptJson } from "../../src/cli/html.ts";
import { main } from "../../src/cli/main.ts";
import { DOCUMENT_ID, type ReportDocument } from "../../src/replay/document.ts";

const TEMPLATE = `<!doctype html><title>guelab</title><script type="application/json" id="${DOCUMENT_ID}"></script><p>$&</p>`;
const TEXTS = [
  "</script><script>alert(1)</script>",
  "</SCRIPT >",
  "<!--<script>",
  "-->",
  "]]>",
  "\u2028 and \u2029",
  "$& $` $' $1",
  "\\u003c",
  "\0 \ud800 \ufeff",
  '"\\',
];

describe("JSON in a script element", () => {
  it.each(TEXTS)("keeps %j and lets nothing end the element", (text) => {
    const json = scriptJson({ [text]: [text] });
    expect(json).not.toMatch(/[<\u2028\u2029]/);
    expect(JSON.parse(json)).toEqual({ [text]: [text] });
  });

  it("has bytes in base64, a Buffer's as well", () => {
    const bytes = [0, 255, 60];
    expect(JSON.parse(scriptJson({ a: Uint8Array.from(bytes), b: Buffer.from(bytes) }))).toEqual({
      a: "AP88",
      b: "AP88",
    });
  });
});

const documentOf = (title: string): ReportDocument => ({
  version: "0.0.0",
  command: "guelab run",
  entries: [
    { title, status: "passed", lab: "sim", source: { kind: "scenario", file: "a.yaml", text: title, topologies: {} } },
  ],
});

describe("a report", () => {
  it.each(TEXTS)("of %j is the page with the document in its place", (text) => {
    const html = htmlReport(TEMPLATE, documentOf(text));
    const [, data] = /id="guelab-document">([\s\S]*?)<\/script>/.exec(html) as RegExpExecArray;
    expect(JSON.parse(data)).toEqual(documentOf(text));
    expect(html.match(/<\/?script/gi)).toHaveLength(2);
    expect(html).toContain("<p>$&</p>");
  });

  it("has the run's title, as text", () => {
    expect(htmlReport(TEMPLATE, documentOf("a <b> & c"))).toContain("<title>a &#60;b&#62; &#38; c - guelab</title>");
  });
});

describe("run --html", () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), "guelab-html-"));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  it("holds a simulated run as its sources and its seed, with what it came to", async () => {
    const file = "scenarios/basic/02-node2-behind-nat.yaml";
    const job = { file, lab: "sim", seed: 77, trace: false, colours: false, html: true } as const;
    const { entry, report } = await execute(job);
    expect(entry).toEqual({
      title: report?.title,
      status: "passed",
      lab: "sim",
      report,
      source: {
        kind: "scenario",
        file,
        text: readFileSync(file, "utf8"),
        topologies: { "basic.cfg": readFileSync("scenarios/topologies/basic.cfg", "utf8") },
        seed: 77,
      },
    });
    expect((await execute({ ...job, html: false })).entry).toBeUndefined();
  });

  it.each([
    [["mine.yaml"], "write over the scenario"],
    [["mine.YML"], "write over the scenario"],
    [["-"], "needs the name of a file"],
    [["r.html", "--json", "r.html"], "both write to r.html"],
  ])("refuses %j", async (args, message) => {
    const before = process.cwd();
    const said = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    process.chdir(dir);
    try {
      writeFileSync("mine.yaml", "title: mine\n");
      expect(await main(["run", "mine.yaml", "--html", ...args])).toBe(2);
      expect(said.mock.calls.join("")).toContain(message);
      expect(readFileSync("mine.yaml", "utf8")).toBe("title: mine\n");
      expect(readdirSync(".")).toEqual(["mine.yaml"]);
    } finally {
      process.chdir(before);
      said.mockRestore();
      process.exitCode = undefined;
    }
  });
});
