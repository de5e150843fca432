// Builds dist/: the library (what src/index.ts needs) with its declarations by tsc, the command line as a bundle that starts fast by esbuild, and the page by vite.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { inlineNumbers } from "./inline-numbers.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const require = createRequire(import.meta.url);
const tsc = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");

rmSync(join(root, "dist"), { recursive: true, force: true });
// The page takes as long as all the rest; they need nothing of each other.
const page = spawn(process.execPath, [join(root, "scripts", "build-web.mjs")], { stdio: "inherit", cwd: root });
const pageBuilt = once(page, "exit");
process.on("exit", () => page.kill());
const types = spawnSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], { stdio: "inherit", cwd: root });
if (types.status !== 0) process.exit(types.status ?? 1);

const common = {
  absWorkingDir: root,
  outdir: "dist/bin",
  bundle: true,
  minifySyntax: true,
  plugins: [inlineNumbers],
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

// In a process of its own, with its report unseen: tests judge scenarios, not the build.
spawnSync(process.execPath, [join(root, "scripts", "code-cache.mjs")], { stdio: ["ignore", "ignore", "inherit"] });

const [status] = await pageBuilt;
if (status !== 0) process.exit(status ?? 1);
