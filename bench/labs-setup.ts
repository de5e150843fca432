/** How long labs take to come up and go, beside scripts of plain tools that do the same (labs-plain.ts); best of some rounds in turns. */
import { spawnSync } from "node:child_process";
import { nodeSha256 } from "../src/cli/execute.ts";
import { LabError } from "../src/errors.ts";
import { DEFAULT_IMAGE } from "../src/lab/docker/image.ts";
import { openDockerLab } from "../src/lab/docker/lab.ts";
import { requireDocker } from "../src/lab/docker/require.ts";
import type { LinuxLab } from "../src/lab/linux/lab.ts";
import { openNetnsLab } from "../src/lab/netns/lab.ts";
import type { Topology } from "../src/scenario/topology.ts";
import { type PlainScript, plainDocker, plainScript } from "./labs-plain.ts";

const ROUNDS = 7;
const DOCKER_ROUNDS = 2;
const PREFIX = "guelabbench";

type Print = (line: string) => void;

/** What is timed, in ms. */
interface Times {
  name: string;
  up: number[];
  down: number[];
  run(): Promise<void>;
}

export async function comingUp(topology: Topology, print: Print): Promise<void> {
  const options = { prefix: "bench", sha256: nodeSha256 };
  const netns = [
    plain("plain ip, sysctl, iptables", plainScript(topology, PREFIX)),
    ...(["ebpf", "reference"] as const).map((dataPath) =>
      lab(`netns, ${dataPath}`, () => openNetnsLab(topology, { ...options, dataPath })),
    ),
  ];
  await inTurns(netns, ROUNDS, print);
  try {
    requireDocker(DEFAULT_IMAGE);
  } catch (err) {
    if (!(err instanceof LabError)) throw err;
    print(`  docker: not measured: ${err.message}`);
    return;
  }
  const docker = [
    plain("plain docker", plainDocker(topology, PREFIX, DEFAULT_IMAGE)),
    lab("docker, ebpf", () => openDockerLab(topology, options)),
  ];
  await inTurns(docker, DOCKER_ROUNDS, print);
}

async function inTurns(all: readonly Times[], rounds: number, print: Print): Promise<void> {
  for (let i = 0; i < rounds; i++) for (const one of all) await one.run();
  const best = (times: readonly number[]): number => Math.min(...times);
  const cell = (of: Times, which: "up" | "down"): string =>
    `${best(of[which]).toFixed(0).padStart(5)} ms  ${(best(of[which]) / best(all[0][which])).toFixed(2)} x plain`;
  for (const one of all) print(`  ${one.name.padEnd(28)} set-up ${cell(one, "up")}   teardown ${cell(one, "down")}`);
}

function lab(name: string, open: () => Promise<LinuxLab>): Times {
  const times: Times = {
    name,
    up: [],
    down: [],
    async run() {
      const from = performance.now();
      const opened = await open();
      times.up.push(performance.now() - from);
      const isUp = performance.now();
      await opened.close();
      times.down.push(performance.now() - isUp);
    },
  };
  return times;
}

function plain(name: string, script: PlainScript): Times {
  const timed = (lines: string): number => {
    const from = performance.now();
    const env = { ...process.env, PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin` };
    const { status, stderr } = spawnSync("sh", ["-s"], { input: lines, encoding: "utf8", env });
    if (status !== 0) throw new LabError("ERR_BENCH", `${name}: ${stderr.trim().split("\n").slice(-2).join(": ")}`);
    return performance.now() - from;
  };
  const times: Times = {
    name,
    up: [],
    down: [],
    async run() {
      try {
        times.up.push(timed(script.up));
      } finally {
        times.down.push(timed(script.down));
      }
    },
  };
  return times;
}
