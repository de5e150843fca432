/**
 * The teaching page in a browser, with a capture of 100,000 packets: from the page's address to a list that answers keys, and
 * one step forward, back or along a packet's way. The floors are an empty page, and a frame of the screen.
 */
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { servePage } from "../src/cli/page-server.ts";
import { SimLab } from "../src/lab/sim/lab.ts";
import type { CaptureSource } from "../src/replay/protocol.ts";
import { captureBytes } from "../src/report/capture.ts";
import type { PacketRecord } from "../src/scenario/lab.ts";
import { loadScenarioFiles, loadTopology } from "../src/scenario/load.ts";
import { runScenario } from "../src/scenario/runner.ts";
import { readScenario } from "../src/scenario/scenario-yaml.ts";
import { launchBrowser, missingBrowser, SIZES } from "../test/support/chromium.ts";

const FILE = "scenarios/basic/02-node2-behind-nat.yaml";
const PACKETS = 100_000;
const STEPS = 60;

export async function benchPage(print: (line: string) => void): Promise<void> {
  const lacks = missingBrowser();
  if (lacks !== undefined) {
    print(`skipped: ${lacks}`);
    return;
  }
  const source = await capture();
  const server = await servePage(0, () => ({ scenario: source }));
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage({ viewport: SIZES.laptop });
    const empty = await timed(() => page.goto(`${server.url}none`));
    const ready = await timed(async () => {
      await page.goto(server.url);
      await page.waitForSelector('[data-testid="event-list"] [aria-selected="true"]');
      await page.keyboard.press("ArrowRight");
      await page.waitForSelector('[data-testid="event-list"] [data-index="1"][aria-selected="true"]');
    });
    const rows = await page.getAttribute('[data-testid="event-list"]', "data-total");
    print(`${PACKETS} packets, ${rows} rows: list answers ${ms(ready)}   floor (empty page) ${ms(empty)}`);
    const frame = median(await inPage(page, FRAMES));
    for (const [what, testid] of BUTTONS) {
      const times = await inPage(page, clicks(testid));
      print(
        `${what.padEnd(32)} ${ms(median(times))} median, ${ms(Math.max(...times))} most of ${STEPS}   floor (a frame) ${ms(frame)}`,
      );
    }
  } finally {
    await browser.close();
    await server.close();
  }
}

const BUTTONS = [
  ["next event", "next"],
  ["back one event", "back"],
] as const;

/** The node2 scenario's packets, over and over. */
async function capture(): Promise<CaptureSource> {
  const { files } = loadScenarioFiles(FILE);
  const scenario = readScenario(readFileSync(FILE, "utf8"), { file: FILE, loadTopology: (name) => loadTopology(name) });
  const lab = new SimLab(scenario.topology, { seed: scenario.seed, record: true });
  const report = await runScenario(scenario, lab);
  const once = [...lab.packets()];
  const records: PacketRecord[] = [];
  for (let round = 0; records.length < PACKETS; round++)
    for (const r of once.slice(0, PACKETS - records.length))
      records.push({ ...r, timeNs: r.timeNs + round * report.timeNs });
  return {
    kind: "capture",
    file: "100000.pcapng",
    bytes: base64(captureBytes(records, lab.topology)),
    scenario: files,
  };
}

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

async function timed(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await run();
  return performance.now() - started;
}

/** Runs code of the page; it is text, since this is no program of a browser. */
const inPage = (page: Page, code: string): Promise<number[]> => page.evaluate(code);

const FRAMES = `(async () => {
  const times = [];
  for (let i = 0; i < ${STEPS}; i++) {
    const t = performance.now();
    await new Promise((done) => requestAnimationFrame(done));
    times.push(performance.now() - t);
  }
  return times;
})()`;

/** Clicks on a button; each time until the details of the event that it leads to are on the screen. */
const clicks = (testid: string): string => `(async () => {
  const button = document.querySelector('[data-testid="${testid}"]');
  const shown = () => document.querySelector('[data-testid="detail"]').dataset.index;
  const times = [];
  for (let i = 0; i < ${STEPS}; i++) {
    const before = shown();
    const t = performance.now();
    button.click();
    while (shown() === before) await new Promise((done) => requestAnimationFrame(done));
    times.push(performance.now() - t);
  }
  return times;
})()`;

const median = (values: number[]): number => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const ms = (n: number): string => `${n.toFixed(1).padStart(7)} ms`;
