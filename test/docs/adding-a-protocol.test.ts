/**
 * docs/adding-a-protocol.md: its files and changes are put into the sources, in memory, and its test runs.
 *
 * esbuild makes one module of the page's test, with the page's own version of every file that it names.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build, type Plugin } from "esbuild";
import { expect, it } from "vitest";
import { blocksOf, readRepo } from "./page.ts";

const root = resolve(import.meta.dirname, "../..");
const blocks = blocksOf(readRepo("docs/adding-a-protocol.md"));
const files = new Map<string, string>();
for (const { info, text } of blocks) if (info.startsWith("ts ")) files.set(info.slice(3), text);

/** Applies one hunk: its unmarked lines must stand in the file, in a row and only once. */
function apply(source: string, hunk: string): string {
  const lines = hunk.trimEnd().split("\n");
  const side = (mark: string): string =>
    lines
      .filter((l) => l[0] !== mark)
      .map((l) => l.slice(1))
      .join("\n");
  const before = side("+");
  expect(source.split(`${before}\n`).length, `the lines are in the file once:\n${before}`).toBe(2);
  return source.replace(`${before}\n`, () => `${side("-")}\n`);
}
for (const { info, text } of blocks)
  if (info.startsWith("diff ")) {
    const path = info.slice(5);
    files.set(path, apply(files.get(path) ?? readRepo(path), text));
  }

const [testPath] = [...files.keys()].filter((p) => p.endsWith(".test.ts"));
const bundle = join(root, "node_modules", ".cache", "guelab-page.mjs");

/** Files of the page in place of those of the disk; `it` and `expect` are those of the test that runs. */
const fromPage: Plugin = {
  name: "page",
  setup(b) {
    b.onResolve({ filter: /^vitest$/ }, () => ({ path: "vitest", namespace: "shim" }));
    b.onLoad({ filter: /./, namespace: "shim" }, () => ({
      contents: "export const { it, expect } = globalThis.__page;",
    }));
    b.onResolve({ filter: /^\./ }, (args) => ({ path: resolve(args.resolveDir, args.path) }));
    b.onLoad({ filter: /\.ts$/ }, (args) => {
      const text = files.get(args.path.slice(root.length + 1)) ?? readFileSync(args.path, "utf8");
      return { contents: text, loader: "ts", resolveDir: dirname(args.path) };
    });
  },
};

it("adds files that are not there, and changes some that are", () => {
  expect(blocks.filter((b) => b.info !== "" && !/^(ts|diff) /.test(b.info))).toEqual([]);
  for (const { info } of blocks.filter((b) => b.info !== ""))
    expect(existsSync(join(root, info.split(" ")[1])), info).toBe(info.startsWith("diff "));
});

mkdirSync(dirname(bundle), { recursive: true });
await build({
  stdin: { contents: files.get(testPath) as string, resolveDir: join(root, dirname(testPath)), loader: "ts" },
  outfile: bundle,
  bundle: true,
  format: "esm",
  platform: "node",
  external: ["fast-check"],
  plugins: [fromPage],
  logLevel: "error",
});
(globalThis as Record<string, unknown>).__page = { it, expect };
await import(/* @vite-ignore */ pathToFileURL(bundle).href);
rmSync(bundle);
