/**
 * What the README's numbers come from: `npm run bench`, or `npm run bench -- dataplane sim` for some of it. Each figure stands
 * beside a floor that is measured in the same run, since machines differ and are noisy.
 */
import { cpus, loadavg } from "node:os";
import { benchDataplane } from "./dataplane.ts";
import { benchDownload, CHILD, downloadChild } from "./download.ts";
import { benchEbpf } from "./ebpf.ts";
import { benchLabs } from "./labs.ts";
import { benchMasquerade } from "./masquerade.ts";
import { benchPage } from "./page.ts";
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
  download: benchDownload,
  scenarios: benchScenarios,
  ebpf: benchEbpf,
  labs: benchLabs,
  page: benchPage,
};

async function run(wanted: string[]): Promise<void> {
  const unknown = wanted.filter((name) => !(name in BENCHES));
  if (unknown.length > 0) {
    process.stderr.write(`bench: there is no ${unknown.join(", ")}; there is ${Object.keys(BENCHES).join(", ")}\n`);
    process.exitCode = 2;
    return;
  }
  print(
    `node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? "unknown CPU"}, ${new Date().toISOString()}`,
  );
  for (const [name, bench] of Object.entries(BENCHES)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    print(`\n${name}   (load average ${loadavg()[0].toFixed(1)})`);
    await bench(print);
  }
}

if (process.argv[2] === CHILD) await downloadChild(print);
else await run(process.argv.slice(2));
