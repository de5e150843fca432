// Builds dist/: the library with its declarations by tsc, and the command line as bundles that start fast by esbuild.
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const require = createRequire(import.meta.url);
const tsc = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");

rmSync(join(root, "dist"), { recursive: true, force: true });
const types = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], { stdio: "inherit", cwd: root });
if (types.status !== 0) process.exit(types.status ?? 1);
await build({
  absWorkingDir: root,
  entryPoints: { guelab: "src/cli/main.ts", worker: "src/cli/worker.ts" },
  outdir: "dist/bin",
  bundle: true,
  splitting: true,
  minifySyntax: true,
  format: "esm",
  platform: "node",
  target: "node20",
  sourcemap: "linked",
  // Bundled CommonJS dependencies (commander) call require() for node: modules.
  banner: { js: 'import { createRequire as __cr } from "node:module"; const require = __cr(import.meta.url);' },
  external: ["koffi", "piscina"],
  logLevel: "warning",
});
