// Makes docs/page.png, the README's picture, from the built page: `npm run screenshot [-- FOLDER]`. With a folder, pictures of both sizes and both themes go there instead.
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
// As deep as dist/bin: the page is found from there.
const bundle = join(root, "node_modules", ".cache", "guelab-picture.mjs");
await build({
  absWorkingDir: root,
  entryPoints: ["scripts/picture.ts"],
  outfile: bundle,
  bundle: true,
  format: "esm",
  platform: "node",
  packages: "external",
  logLevel: "warning",
});
const { takePictures } = await import(pathToFileURL(bundle).href);
rmSync(bundle);
await takePictures(root, process.argv[2]);
