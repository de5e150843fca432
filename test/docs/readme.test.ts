/** README.md and the paths that all pages name: samples are real, code runs, every file is there. */

import { existsSync, readdirSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { LIVE_COMMANDS } from "../../src/cli/live.ts";
import * as guelab from "../../src/index.ts";
import { SimLab } from "../../src/lab/sim/lab.ts";
import { traceLines } from "../../src/report/trace.ts";
import { loadTopology } from "../../src/scenario/load.ts";
import { runScenario } from "../../src/scenario/runner.ts";
import type { Scenario } from "../../src/scenario/scenario.ts";
import { readScenario } from "../../src/scenario/scenario-yaml.ts";
import { playSession, sessionsOf } from "./console.ts";
import { blocksOf, readRepo } from "./page.ts";

const root = resolve(import.meta.dirname, "../..");
const page = readRepo("README.md");
const blocks = blocksOf(page);
const read = (text: string): Scenario =>
  readScenario(text, { file: "README.md", loadTopology: (name, at) => loadTopology(name, ".", at) });

async function run(text: string): Promise<{ status: string; lab: SimLab }> {
  const scenario = read(text);
  const lab = new SimLab(scenario.topology, { seed: scenario.seed, record: true });
  return { status: (await runScenario(scenario, lab)).status, lab };
}

describe("README.md", () => {
  it("shows a scenario that passes", async () => {
    const [yaml] = blocks.filter((b) => b.info === "yaml");
    expect((await run(yaml.text)).status).toBe("passed");
  });

  it("shows lines of a trace as they are printed", async () => {
    const { lab } = await run(readRepo("scenarios/basic/02-node2-behind-nat.yaml"));
    const steady = (line: string): string => line.replace(/:52241|seq=\d+/g, "").trimEnd();
    const lines = [...traceLines(lab.packets(), lab.drops(), { topology: lab.topology })].map(steady);
    const [shown] = blocks.filter((b) => b.info === "trace");
    for (const line of shown.text.trimEnd().split("\n")) expect(lines).toContain(steady(line));
  });

  it.each(sessionsOf(blocks))("shows a session as it runs", async ({ topology, exchanges }) => {
    expect((await playSession(topology, exchanges)).join("\n\n")).toBe("");
  });

  it("shows code that runs", async () => {
    const [ts] = blocks.filter((b) => b.info === "ts");
    const body = ts.text.replace(/^import (\{.*\}) from "guelab";$/m, "const $1 = guelab;");
    const files: Record<string, string> = { "basic.cfg": readRepo("scenarios/topologies/basic.cfg") };
    const text = readRepo("scenarios/basic/02-node2-behind-nat.yaml");
    const AsyncFunction = (async () => {}).constructor as FunctionConstructor;
    const main = new AsyncFunction("guelab", "files", "text", `${body}\nreturn { report, packets };`);
    const { report, packets } = await main(guelab, files, text);
    expect(report.status).toBe("passed");
    expect(packets.length).toBe(report.counts.packets);
  });

  it("has no other block than those, commands and the picture", () => {
    expect([...new Set(blocks.map((b) => b.info))].sort()).toEqual(
      ["", "console basic.cfg", "sh", "trace", "ts", "yaml"].sort(),
    );
  });
});

describe("the paths that pages name", () => {
  const pages = ["README.md", "CONTRIBUTING.md", ...readdirSync(resolve(root, "docs")).map((f) => `docs/${f}`)].filter(
    (f) => f.endsWith(".md"),
  );
  // The tutorial's own new files are looked at by its test.
  const invented = /sctp/;

  it.each(pages)("%s", (path) => {
    const text = readRepo(path);
    const links = [...text.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map((m) => m[1]).filter((l) => !l.includes(":"));
    for (const link of links) expect(existsSync(resolve(root, path, "..", link)), link).toBe(true);
    const named = text.matchAll(/(?<![\w/.-])((?:src|docs|test|bpf|scenarios|schema|scripts|bench)\/[\w./-]*[\w/])/g);
    for (const [, name] of named)
      if (!invented.test(name)) expect(existsSync(resolve(root, name)), `${path} names ${name}`).toBe(true);
  });

  it("docs/architecture.md: a packet's way names files beside the one before", () => {
    let checked = 0;
    for (const line of readRepo("docs/architecture.md").split("\n")) {
      const [path, ...more] = line.match(/[\w./-]+\.ts\b/g) ?? [];
      if (!path?.startsWith("src/")) continue;
      for (const name of more.filter((n) => !n.includes("/"))) {
        expect(existsSync(resolve(root, path, "..", name)), `${path}, ${name}`).toBe(true);
        checked++;
      }
    }
    expect(checked).toBeGreaterThan(5);
  });

  it("name npm scripts and guelab commands that exist", async () => {
    const scripts = Object.keys(JSON.parse(readRepo("package.json")).scripts);
    const main = readRepo("src/cli/main.ts");
    const live = new Set(LIVE_COMMANDS.map((c) => c.name));
    for (const path of pages)
      for (const [, npm, command] of readRepo(path).matchAll(/(?:npm run ([\w:-]+)|`(?:npx )?guelab ([a-z_]+))/g)) {
        if (npm) expect(scripts, path).toContain(npm);
        else if (!live.has(command)) expect(main, path).toContain(`"${command}",`);
      }
  });

  it("links to headings that are there", () => {
    for (const path of pages)
      for (const [, file, heading] of readRepo(path).matchAll(/\]\(([\w./-]*)#([\w-]+)\)/g)) {
        const target = file === "" ? path : resolve(root, path, "..", file).slice(root.length + 1);
        const headings = [...readRepo(target).matchAll(/^#+ (.*)$/gm)].map((m) =>
          m[1]
            .toLowerCase()
            .replace(/[^\w\s-]/g, "")
            .replace(/\s/g, "-"),
        );
        expect(headings, `${path} links to ${target}`).toContain(heading);
      }
  });
});
