// Runs the node2 scenario with the built command line, then stores the code that was compiled for it (src/cli/launch.ts).
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CODE_CACHE, loadApp } from "../dist/bin/launch.js";

const { app, script } = loadApp();
await app.main(["run", fileURLToPath(new URL("../scenarios/basic/02-node2-behind-nat.yaml", import.meta.url))]);
writeFileSync(CODE_CACHE, script.createCachedData());
