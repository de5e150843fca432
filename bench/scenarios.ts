/** Whole runs of the program, from process start to its end. The floor is a Node process that does nothing. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const RUNS: readonly [what: string, file: string, times: number][] = [
  ["the node2 scenario", "scenarios/basic/02-node2-behind-nat.yaml", 15],
  ["1,000 nodes behind 100 NATs", "scenarios/large/1000-nodes.yaml", 3],
];

/** Runs of the scenario and of the bare process take turns, so that both meet the same load of the machine. */
export async function benchScenarios(print: (line: string) => void): Promise<void> {
  for (const [what, file, times] of RUNS) {
    const runs: number[] = [];
    const bare: number[] = [];
    for (let i = 0; i < times; i++) {
      bare.push(wallTime(["-e", "0"]));
      runs.push(wallTime(["dist/bin/guelab.js", "run", file]));
    }
    print(
      `${what.padEnd(30)} ${ms(median(runs))} median, ${ms(Math.min(...runs))} least of ${times}   floor (node -e 0) ${ms(median(bare))}`,
    );
  }
}

function wallTime(args: string[]): number {
  const started = performance.now();
  const { status } = spawnSync(process.execPath, args, { cwd: ROOT, stdio: ["ignore", "ignore", "inherit"] });
  if (status !== 0) throw new Error(`node ${args.join(" ")}: exit ${status}`);
  return performance.now() - started;
}

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const ms = (n: number): string => `${n.toFixed(1).padStart(7)} ms`;
