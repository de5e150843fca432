/**
 * The 10 MB download through egw, tunnel and NAT: all checksums made and verified, the body hashed at the client. Each run is
 * a process of its own, since the first download in a process is slow: V8 runs the code in its interpreter until it has
 * compiled what is hot.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { nodeSha256 } from "../src/cli/execute.ts";
import { SimLab } from "../src/lab/sim/lab.ts";
import { cfgTopology } from "../src/scenario/cfg.ts";
import { readTextFile } from "../src/scenario/load.ts";
import { parseCommand } from "../src/scenario/parse-command.ts";

const CFG = fileURLToPath(new URL("../../scenarios/topologies/basic.cfg", import.meta.url));
const SIZE = 10 * 2 ** 20;
const PROCESSES = 9;
const DOWNLOADS = 10;
/** Argument that makes the bench program a process of this bench. */
export const CHILD = "--download-child";

const SETUP = [
  "http_start node2 2.2.2.2 4000 200",
  "egw pfc_start eth1 egw 11 11 5000 5010",
  "node2 pfc_start eth1 node2 9 8 6000 6010 10",
  "egw pfc_add eth1 1 200 5erv1ceP@55w0rd! 0 0 tcp 5.5.5.5 3200 2.2.2.2 4000",
  "node2 pfc_add eth1 1 200 5erv1ceP@55w0rd! 172.1.0.3 5000 tcp 5.5.5.5 3200 2.2.2.2 4000",
  "wait 1s",
];

interface Run {
  /** ms of each download in turn: by the clock, and of processor time, V8's compiler threads included. */
  times: number[];
  cpu: number[];
  /** Packet-hops of one. */
  hops: number;
  /** ms of hashing as many bytes. */
  hash: number;
}

/** Downloads some times and prints a Run as JSON. */
export async function downloadChild(print: (line: string) => void): Promise<void> {
  const topology = cfgTopology(CFG, readTextFile(CFG), readTextFile);
  const hosts = topology.hosts.map((h) => h.name);
  const lab = new SimLab(topology, { sha256: nodeSha256 });
  for (const line of SETUP) await lab.run(parseCommand(line, { hosts }));
  const run: Run = { times: [], cpu: [], hops: 0, hash: 0 };
  for (let i = 0; i < DOWNLOADS; i++) {
    const { hops } = lab;
    const used = process.cpuUsage();
    const started = performance.now();
    const { data } = await lab.run(parseCommand("client curl -o x http://5.5.5.5:3200/data_10M.bin", { hosts }));
    run.times.push(performance.now() - started);
    const { user, system } = process.cpuUsage(used);
    run.cpu.push((user + system) / 1000);
    if (data.status !== 200 || data.size !== SIZE) throw new Error(`the download failed: ${JSON.stringify(data)}`);
    run.hops = lab.hops - hops;
  }
  await lab.close();
  run.hash = Math.min(...Array.from({ length: 5 }, hashTime));
  print(JSON.stringify(run));
}

function hashTime(): number {
  const data = new Uint8Array(SIZE);
  const started = performance.now();
  const hash = nodeSha256();
  hash.update(data, 0, data.length);
  hash.hex();
  return performance.now() - started;
}

export async function benchDownload(print: (line: string) => void): Promise<void> {
  const runs = Array.from({ length: PROCESSES }, child);
  const { hops } = runs[0];
  print(`${PROCESSES} processes, ${DOWNLOADS} downloads each, of ${hops} packet-hops`);
  const show = (what: string, pick: (values: number[]) => number[]): number => {
    const times = runs.flatMap((r) => pick(r.times));
    const cpu = runs.flatMap((r) => pick(r.cpu));
    print(
      `${what.padEnd(28)} ${ms(median(times))} median, ${ms(Math.min(...times))} least, ${ms(median(cpu))} of processor time`,
    );
    return Math.min(...times);
  };
  show("first in a process", (v) => [v[0]]);
  show("second", (v) => [v[1]]);
  const warm = show("from the sixth on", (v) => v.slice(DOWNLOADS / 2));
  print(`floor: SHA-256 of 10 MB      ${ms(Math.min(...runs.map((r) => r.hash)))}`);
  print(`least of the warm runs: ${(hops / warm / 1000).toFixed(2)} million packet-hops/s`);
}

function child(): Run {
  const self = fileURLToPath(import.meta.url);
  const { status, stdout, stderr } = spawnSync(process.execPath, [self, CHILD], { encoding: "utf8" });
  if (status !== 0) throw new Error(`exit ${status}\n${stderr}`);
  return JSON.parse(stdout) as Run;
}

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const ms = (n: number): string => `${n.toFixed(1).padStart(6)} ms`;
