/** Whole runs: from process start, and the 10 MB download in a process that has warmed up. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { nodeSha256 } from "../src/cli/execute.ts";
import { SimLab } from "../src/lab/sim/lab.ts";
import { cfgTopology } from "../src/scenario/cfg.ts";
import { readTextFile } from "../src/scenario/load.ts";
import { parseCommand } from "../src/scenario/parse-command.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
const NODE2 = "scenarios/basic/02-node2-behind-nat.yaml";
const CFG = `${ROOT}scenarios/topologies/basic.cfg`;
const PROCESS_RUNS = 11;
const DOWNLOADS = 12;

const SETUP = [
  "http_start node2 2.2.2.2 4000 200",
  "egw pfc_start eth1 egw 11 11 5000 5010",
  "node2 pfc_start eth1 node2 9 8 6000 6010 10",
  "egw pfc_add eth1 1 200 5erv1ceP@55w0rd! 0 0 tcp 5.5.5.5 3200 2.2.2.2 4000",
  "node2 pfc_add eth1 1 200 5erv1ceP@55w0rd! 172.1.0.3 5000 tcp 5.5.5.5 3200 2.2.2.2 4000",
  "wait 1s",
];

export async function benchScenarios(print: (line: string) => void): Promise<void> {
  const bare = processTimes(["-e", "0"]);
  const run = processTimes(["dist/bin/guelab.js", "run", NODE2]);
  print(
    `  node2 scenario from process start  ${ms(median(run))} median of ${PROCESS_RUNS}; floor (node -e 0) ${ms(median(bare))}`,
  );

  const topology = cfgTopology(CFG, readTextFile(CFG), readTextFile);
  const lab = new SimLab(topology, { sha256: nodeSha256 });
  const hosts = topology.hosts.map((h) => h.name);
  for (const line of SETUP) await lab.run(parseCommand(line, { hosts }));
  const times: number[] = [];
  let hops = 0;
  for (let i = 0; i < DOWNLOADS; i++) {
    const before = lab.hops;
    const started = performance.now();
    const { data } = await lab.run(parseCommand("client curl -o x http://5.5.5.5:3200/data_10M.bin", { hosts }));
    times.push(performance.now() - started);
    hops = lab.hops - before;
    if (data.status !== 200 || data.size !== 10 * 2 ** 20)
      throw new Error(`the download failed: ${JSON.stringify(data)}`);
  }
  const warm = median(times.slice(DOWNLOADS / 2));
  print(
    `  10 MB through egw, tunnel and NAT  first ${ms(times[0])}, second ${ms(times[1])}, warm ${ms(warm)}; ${hops} packet-hops`,
  );
  print(
    `  packet-hops per second             ${(hops / warm / 1000).toFixed(2)} million, all checksums made and verified`,
  );
  print(`  floor: SHA-256 of 10 MB alone      ${ms(hashTime())}`);
  await lab.close();
}

function processTimes(args: string[]): number[] {
  return Array.from({ length: PROCESS_RUNS }, () => {
    const started = performance.now();
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: ROOT });
    if (status !== 0) throw new Error(`node ${args.join(" ")}: exit ${status}\n${stderr}`);
    return performance.now() - started;
  });
}

function hashTime(): number {
  const data = new Uint8Array(10 * 2 ** 20);
  const times = Array.from({ length: 5 }, () => {
    const started = performance.now();
    const hash = nodeSha256();
    hash.update(data, 0, data.length);
    hash.hex();
    return performance.now() - started;
  });
  return median(times);
}

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const ms = (n: number): string => `${n.toFixed(1)} ms`;
