/**
 * Loads the command line's bundle together with V8's code cache, which scripts/build.mjs stores beside it after a run of
 * the node2 scenario. The functions that such a run needs are then there without being parsed or compiled: from process
 * start to end it takes 0.12 s in place of 0.20 s (docs/performance.md).
 *
 * V8 refuses a cache of another version of itself, or of other flags; the bundle then loads without it, only slower.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { Script } from "node:vm";
import type * as App from "./app.ts";

const BUNDLE = fileURLToPath(new URL("./app.cjs", import.meta.url));
/** Path of the code cache. */
export const CODE_CACHE = `${BUNDLE}.cache`;

/** The bundle's exports, and its script for making the cache of what has been compiled by then. */
export function loadApp(): { app: typeof App; script: Script } {
  // The bundler writes ASCII; as Latin-1 it becomes a string without being decoded.
  const source = readFileSync(BUNDLE, "latin1");
  const script = new Script(`(function (exports, require, module, __filename, __dirname) { ${source}\n})`, {
    filename: BUNDLE,
    cachedData: readCache(),
  });
  const module = { exports: {} as typeof App };
  script.runInThisContext()(module.exports, createRequire(BUNDLE), module, BUNDLE, dirname(BUNDLE));
  return { app: module.exports, script };
}

function readCache(): Buffer | undefined {
  try {
    return readFileSync(CODE_CACHE);
  } catch {
    return undefined;
  }
}
