/**
 * Labs on real Linux, each figure beside what it costs without guelab: coming up and going (labs-setup.ts), packets through the
 * tunnel (labs-packets.ts), requests and streams through it (labs-traffic.ts).
 */
import { fileURLToPath } from "node:url";
import { LabError } from "../src/errors.ts";
import { cfgTopology } from "../src/scenario/cfg.ts";
import { readTextFile } from "../src/scenario/load.ts";
import { packets } from "./labs-packets.ts";
import { comingUp } from "./labs-setup.ts";
import { traffic } from "./labs-traffic.ts";

const CFG = fileURLToPath(new URL("../../scenarios/topologies/basic.cfg", import.meta.url));

export async function benchLabs(print: (line: string) => void): Promise<void> {
  const topology = cfgTopology(CFG, readTextFile(CFG), readTextFile);
  for (const [i, part] of [comingUp, packets, traffic].entries()) {
    if (i > 0) print("");
    try {
      await part(topology, print);
    } catch (err) {
      if (!(err instanceof LabError)) throw err;
      print(`  not measured: ${err.message}`);
    }
  }
}
