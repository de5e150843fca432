// Writes every file that is made from the source (`npm run gen`); a test fails while one is out of date.
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const bundle = join(root, "node_modules", ".cache", "guelab-gen.mjs");
await build({
  absWorkingDir: root,
  entryPoints: ["scripts/generated.ts"],
  outfile: bundle,
  bundle: true,
  format: "esm",
  platform: "node",
  packages: "external",
  logLevel: "warning",
});
const { generatedFiles } = await import(pathToFileURL(bundle).href);
const files = generatedFiles();
for (const [path, text] of Object.entries(files)) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}
rmSync(bundle);
// JSON as the formatter wants it.
const biome = createRequire(import.meta.url).resolve("@biomejs/biome/bin/biome");
const json = Object.keys(files).filter((path) => path.endsWith(".json"));
const { status } = spawnSync(process.execPath, [biome, "format", "--write", ...json], { cwd: root, stdio: "inherit" });
process.exit(status ?? 1);
