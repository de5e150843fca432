// Builds dist/: the library with its declarations by tsc, and the command line as a bundle that starts fast by esbuild.
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const require = createRequire(import.meta.url);
const tsc = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");

rmSync(join(root, "dist"), { recursive: true, force: true });
const types = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], { stdio: "inherit", cwd: root });
if (types.status !== 0) process.exit(types.status ?? 1);

const common = {
  absWorkingDir: root,
  outdir: "dist/bin",
  bundle: true,
  minifySyntax: true,
  charset: "ascii",
  platform: "node",
  target: "node20",
  sourcemap: "linked",
  logLevel: "warning",
};
// All commands in one file, loaded as a script: only a script can bring its compiled code along (src/cli/launch.ts).
await build({
  ...common,
  entryPoints: { app: "src/cli/app.ts" },
  outExtension: { ".js": ".cjs" },
  format: "cjs",
  supported: { "dynamic-import": false },
  define: { "import.meta.url": "__url" },
  banner: { js: 'const __url = require("node:url").pathToFileURL(__filename).href;' },
  external: ["koffi", "piscina"],
});
await build({
  ...common,
  entryPoints: { guelab: "src/cli/guelab.ts", worker: "src/cli/worker.ts", launch: "src/cli/launch.ts" },
  format: "esm",
  splitting: true,
});

// The compiled code of what a usual run needs. The cache holds whatever the run comes to: tests judge scenarios.
const { CODE_CACHE, loadApp } = await import(pathToFileURL(join(root, "dist", "bin", "launch.js")).href);
const { app, script } = loadApp();
await app.main(["run", "--quiet", join(root, "scenarios", "basic", "02-node2-behind-nat.yaml")]);
process.exitCode = 0;
writeFileSync(CODE_CACHE, script.createCachedData());
