/**
 * What the README's numbers come from: `npm run bench`, or `npm run bench -- dataplane sim` for some of it. Each figure stands
 * beside a floor that is measured in the same run, since machines differ and are noisy.
 */
import { cpus } from "node:os";
import { benchDataplane } from "./dataplane.ts";
import { benchEbpf } from "./ebpf.ts";
import { benchMasquerade } from "./masquerade.ts";
import { benchScenarios } from "./scenarios.ts";
import { benchSim } from "./sim.ts";
import { benchTcp } from "./tcp.ts";

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};
const BENCHES: Record<string, (print: (line: string) => void) => Promise<void>> = {
  dataplane: benchDataplane,
  masquerade: benchMasquerade,
  sim: benchSim,
  tcp: benchTcp,
  scenarios: benchScenarios,
  ebpf: benchEbpf,
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in BENCHES));
if (unknown.length > 0) {
  process.stderr.write(`bench: there is no ${unknown.join(", ")}; there is ${Object.keys(BENCHES).join(", ")}\n`);
  process.exit(2);
}
print(`node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? "unknown CPU"}`);
for (const [name, bench] of Object.entries(BENCHES)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  print(`\n${name}`);
  await bench(print);
}
