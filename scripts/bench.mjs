// Bundles bench/main.ts as the command line is bundled, and runs it: `npm run bench [-- NAME...]`.
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { inlineNumbers } from "./inline-numbers.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
// As deep as dist/bin: bpf/ and scenarios/ are found from there.
const outfile = join(root, "build", "bench", "bench.mjs");
mkdirSync(dirname(outfile), { recursive: true });
await build({
  absWorkingDir: root,
  entryPoints: ["bench/main.ts"],
  outfile,
  bundle: true,
  minifySyntax: true,
  plugins: [inlineNumbers],
  format: "esm",
  platform: "node",
  target: "node20",
  external: ["koffi", "playwright-core"],
  banner: { js: 'import { createRequire as __cr } from "node:module"; const require = __cr(import.meta.url);' },
  logLevel: "warning",
});
await import(pathToFileURL(outfile).href);
