// Writes bpf/gen/tables.h from the schema (`npm run gen`); the test of src/ebpf/cheader.ts fails while it is out of date.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const bundle = join(root, "node_modules", ".cache", "guelab-gen.mjs");
mkdirSync(dirname(bundle), { recursive: true });
await build({
  absWorkingDir: root,
  entryPoints: ["src/ebpf/cheader.ts"],
  outfile: bundle,
  bundle: true,
  format: "esm",
  platform: "node",
  logLevel: "warning",
});
const { tablesHeader } = await import(pathToFileURL(bundle).href);
writeFileSync(join(root, "bpf", "gen", "tables.h"), tablesHeader());
rmSync(bundle);
