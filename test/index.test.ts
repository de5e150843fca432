/** guelab as a library: what the README shows. */
import { resolve } from "node:path";
import { runInNewContext } from "node:vm";
import { build } from "esbuild";
import { expect, it } from "vitest";
import pkg from "../package.json" with { type: "json" };
import { parseCommand, type RunReport, readScenario, runScenario, SimLab } from "../src/index.ts";
import { VERSION } from "../src/version.ts";

const TEXT = `
title: a ping in an inline topology
topology:
  networks:
    public: { subnet: 172.1.0.0/16, members: [client, egw] }
  hosts:
    client: client
    egw: { role: proxy, ip: 5.5.5.5 }
steps:
  - do: client ping -c 2 5.5.5.5
    expect: { received: 2 }
`;
const loadTopology = (): never => {
  throw new Error("no topology file is named");
};

it("runs a scenario from a string and gives a report", async () => {
  const scenario = readScenario(TEXT, { file: "inline.yaml", loadTopology });
  const lab = new SimLab(scenario.topology, { seed: scenario.seed, record: true });
  const report = await runScenario(scenario, lab);
  expect(report.status).toBe("passed");
  expect(lab.packets().some((p) => p.host === "egw" && p.direction === "in")).toBe(true);
});

it("runs single commands", async () => {
  const scenario = readScenario(TEXT, { file: "inline.yaml", loadTopology });
  const lab = new SimLab(scenario.topology);
  const result = await lab.run(parseCommand("client ping -c 1 9.9.9.9", { hosts: ["client", "egw"] }));
  expect(result.data).toMatchObject({ sent: 1, received: 0 });
});

it("runs in a browser: its bundle has no import left, and needs no global of Node", async () => {
  const bundle = await build({
    stdin: {
      contents: `
        import { readScenario, runScenario, SimLab } from "./src/index.ts";
        const scenario = readScenario(text, { file: "inline.yaml", loadTopology: () => {} });
        globalThis.report = runScenario(scenario, new SimLab(scenario.topology, { record: true }));`,
      resolveDir: resolve(import.meta.dirname, ".."),
    },
    bundle: true,
    platform: "browser",
    format: "iife",
    metafile: true,
    write: false,
  });
  const imports = Object.values(bundle.metafile.inputs).flatMap((m) => m.imports.map((i) => i.path));
  expect(imports.length).toBeGreaterThan(50);
  expect(imports.filter((path) => path.startsWith("node:"))).toEqual([]);
  const page: { text: string; report?: Promise<RunReport>; [name: string]: unknown } = {
    text: TEXT,
    TextEncoder,
    TextDecoder,
  };
  runInNewContext(bundle.outputFiles[0].text, page);
  expect(await page.report).toMatchObject({ status: "passed", counts: { failed: 0, checks: 1 } });
});

it("has the version of its package", () => {
  expect(VERSION).toBe(pkg.version);
});
