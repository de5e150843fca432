/** The import rules of docs/architecture.md: layers point one way, and what runs in a browser imports nothing of Node. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, it } from "vitest";

const src = resolve(import.meta.dirname, "../src");
/** Each layer may import itself and those before it. */
const LAYERS = [
  "wire",
  "tables",
  "dataplane",
  "control",
  "sim",
  "scenario",
  "ebpf",
  "lab",
  "diff",
  "report",
  "replay",
  "lesson",
  "cli",
];
/** Layers, and parts of layers, that run in a browser. */
const BROWSER = /^(wire|tables|dataplane|control|sim|scenario|lab\/(sim|common)|replay|lesson|[a-z]+\.ts$)/;
const LOADER = "scenario/load.ts";
/** Neither clock nor chance of their own: both are given to them. */
const PURE = /^(wire|tables|dataplane|control|sim)\//;

interface Module {
  path: string;
  text: string;
  imports: string[];
}

const modules: Module[] = readdirSync(src, { recursive: true, encoding: "utf8" })
  .filter((f) => f.endsWith(".ts"))
  .map((f) => {
    const text = readFileSync(join(src, f), "utf8");
    const imports = [
      ...stripComments(text).matchAll(
        /(?:^import\s|^export\s[^;]*?\sfrom\s|^[\w\s{},*$]*\sfrom\s|\bimport\()\s*"([^"\n]+)"/gm,
      ),
    ].map((m) => m[1]);
    return { path: f.replaceAll("\\", "/"), text, imports };
  });

const layerOf = (path: string): number => LAYERS.indexOf(path.split("/")[0]);

it("finds the source", () => {
  expect(modules.length).toBeGreaterThan(20);
});

it("lets imports point down the layers only", () => {
  const wrong: string[] = [];
  for (const m of modules)
    for (const spec of m.imports.filter((i) => i.startsWith("."))) {
      const target = relative(src, resolve(join(src, dirname(m.path)), spec)).replaceAll("\\", "/");
      if (layerOf(m.path) >= 0 && layerOf(target) > layerOf(m.path)) wrong.push(`${m.path} imports ${target}`);
    }
  expect(wrong).toEqual([]);
});

it("keeps what all layers use free of them", () => {
  const wrong = modules
    .filter((m) => layerOf(m.path) < 0 && m.path !== "index.ts")
    .flatMap((m) => m.imports.map((i) => `${m.path} imports ${i}`));
  expect(wrong).toEqual([]);
});

it("keeps Node and native packages out of what runs in a browser", () => {
  const allowed = new Set(["yaml", "zod", "zod/mini"]);
  const wrong = modules
    .filter((m) => BROWSER.test(m.path) && m.path !== LOADER)
    .flatMap((m) =>
      m.imports.filter((i) => !i.startsWith(".") && !allowed.has(i)).map((i) => `${m.path} imports ${i}`),
    );
  expect(wrong).toEqual([]);
});

it("keeps wall time and chance out of the simulation", () => {
  const wrong = modules
    .filter((m) => PURE.test(m.path))
    .filter((m) =>
      /\b(Date\.|new Date|Math\.random|setTimeout\(|setInterval\(|performance\.)/.test(stripComments(m.text)),
    )
    .map((m) => m.path);
  expect(wrong).toEqual([]);
});

function stripComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/\/\/.*$/gm, "");
}
