/**
 * The teaching page in a browser with 100,000 packets, as a capture and as a simulated run: from the page's address to a list
 * that is painted, in parts, and how long a step, a tab and a filter take. The floors: an empty page, fetching the document and
 * decoding it and no more, and for a step a frame of the screen.
 */
import type { Page } from "playwright-core";
import { servePage } from "../src/cli/page-server.ts";
import type { CaptureSource, OpenSource, ScenarioSource } from "../src/replay/protocol.ts";
import { recordScenario } from "../src/replay/record.ts";
import { captureBytes } from "../src/report/capture.ts";
import { loadScenarioFiles } from "../src/scenario/load.ts";
import { launchBrowser, missingBrowser, SIZES } from "../test/support/chromium.ts";

const FILE = "scenarios/basic/02-node2-behind-nat.yaml";
const LARGE = "scenarios/large/1000-nodes.yaml";
const PACKETS = 100_000;
const STEPS = 60;
const OPEN_MS = 120_000;

type Print = (line: string) => void;

export async function benchPage(print: Print): Promise<void> {
  const lacks = missingBrowser();
  if (lacks !== undefined) {
    print(`skipped: ${lacks}`);
    return;
  }
  await benchSource(print, "capture", await capture());
  await benchSource(print, "simulated run", downloads());
  await benchSource(print, "1,000 nodes", { kind: "scenario", ...loadScenarioFiles(LARGE).files });
}

async function benchSource(print: Print, what: string, source: OpenSource): Promise<void> {
  const server = await servePage(0, () => ({ scenario: source }));
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage({ viewport: SIZES.laptop });
    const empty = await timed(() => page.goto(`${server.url}none`));
    const fetched = (await run<number[]>(page, FETCH))[0];
    await page.addInitScript(WATCH);
    await page.goto(server.url, { waitUntil: "commit" });
    await page.waitForSelector('[data-testid="detail"][data-index]', { timeout: OPEN_MS });
    const { opening, ready, painted } = await run<Marks>(page, PAINTED);
    const rows = Number(await page.getAttribute(LIST, "data-total")).toLocaleString("en-US");
    print(`${what}: ${rows} events, list painted after ${ms(painted)}   floor (empty page) ${ms(empty)}`);
    print(
      `  page and document ${ms(opening)}   floor (document only) ${ms(fetched)}   the worker opens it ${ms(ready - opening)}   painting ${ms(painted - ready)}`,
    );
    await run(page, HELPERS);
    const frame = median(await run(page, FRAMES));
    print(
      `  floor of what follows (a frame) ${ms(frame)}; medians and 95th percentiles, with how many floors the latter is`,
    );
    for (const [name, code] of ACTS) {
      const times = await run<number[]>(page, code);
      if (times.length > 0)
        print(`  ${name.padEnd(26)} ${ms(median(times))}  ${ms(p95(times))}  ${(p95(times) / frame).toFixed(1)}`);
    }
  } finally {
    await browser.close();
    await server.close();
  }
}

/** 100,000 packets of requests to node2, each with its own bytes. */
async function capture(): Promise<CaptureSource> {
  const steps = [1000, 1000, 500].map(
    (n) => `  - repeat: ${n}\n    steps:\n      - do: client curl http://5.5.5.5:3200/hello\n`,
  );
  const recording = await recordScenario(node2(steps.join("")));
  const packets = recording.packets().slice(0, PACKETS);
  if (packets.length < PACKETS) throw new Error(`the run gave no more than ${packets.length} packets`);
  const { kind: _kind, ...scenario } = node2("");
  const bytes = Buffer.from(captureBytes(packets, undefined)).toString("base64");
  return { kind: "capture", file: "100000.pcapng", bytes, scenario };
}

/** 15 MB through the tunnel, over a link that loses some of it. */
const downloads = (): ScenarioSource => ({
  ...node2([10, 5].map((n) => `  - do: client curl http://5.5.5.5:3200/data_${n}M.bin\n`).join("")),
  changes: [{ kind: "link", link: "node2/eth1", faults: "loss 0.2%" }],
});

/** The scenario up to where node2 can be reached, and what is done then. */
function node2(then: string): ScenarioSource {
  const { files } = loadScenarioFiles(FILE);
  const head = files.text.slice(0, files.text.indexOf("  - do: client curl"));
  return { kind: "scenario", ...files, text: head + then };
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await act();
  return performance.now() - started;
}

/** Runs code of the page; it is text, since this is no program of a browser. */
const run = <T = number[]>(page: Page, code: string): Promise<T> => page.evaluate(code);

const LIST = '[data-testid="event-list"]';

interface Marks {
  opening: number;
  ready: number;
  painted: number;
}

/** Notes when a run begins to open, when its first row and details are in the page, and when they have been painted. */
const WATCH = `
  window.bench = {};
  const has = (s) => document.querySelector(s) !== null;
  const look = () => {
    const b = window.bench;
    if (!b.opening && has('[data-testid="opening"]')) b.opening = performance.now();
    if (b.ready || !has('${LIST} [data-index][aria-selected="true"]') || !has('[data-testid="detail"][data-index]')) return;
    b.ready = performance.now();
    requestAnimationFrame(() => setTimeout(() => { b.painted = performance.now(); }));
  };
  addEventListener("DOMContentLoaded", () =>
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true, attributes: true }));
`;

const PAINTED = `(async () => {
  while (!window.bench.painted) await new Promise((done) => requestAnimationFrame(done));
  return window.bench;
})()`;

/** The document is fetched and its bytes decoded; nothing is made of them. */
const FETCH = `(async () => {
  const t = performance.now();
  const { scenario } = await (await fetch("/api/scenario")).json();
  if (typeof scenario.bytes === "string") atob(scenario.bytes);
  return [performance.now() - t];
})()`;

const FRAMES = `(async () => {
  const times = [];
  for (let i = 0; i < ${STEPS}; i++) {
    const t = performance.now();
    await new Promise((done) => requestAnimationFrame(done));
    times.push(performance.now() - t);
  }
  return times;
})()`;

/** `measure`: times from an act until \`done\` holds and the page is laid out; two frames of rest after each. */
const HELPERS = `
  window.one = (testid) => document.querySelector('[data-testid="' + testid + '"]');
  window.until = (done) => new Promise((resolve, reject) => {
    if (done()) return resolve();
    const timer = setTimeout(() => reject(new Error("the page did not get to " + done)), 10000);
    const observer = new MutationObserver(() => {
      if (!done()) return;
      clearTimeout(timer);
      observer.disconnect();
      resolve();
    });
    observer.observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
  });
  window.frame = () => new Promise((done) => requestAnimationFrame(done));
  window.measure = async (times, act, done) => {
    const out = [];
    for (let i = 0; i < times; i++) {
      const t = performance.now();
      act(i);
      await until(done(i));
      document.body.offsetHeight;
      out.push(performance.now() - t);
      await frame();
      await frame();
    }
    return out;
  };
  window.shown = () => one("detail").dataset.index;
  window.other = () => { const before = window.before; return () => shown() !== before; };
  window.steps = (times, act) => measure(times, (i) => { window.before = shown(); act(i); }, other);
  window.key = (at, name) => at.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
  window.type = (text) => {
    const input = one("filter");
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(input, text);
    input.dispatchEvent(new Event("input", { bubbles: true }));
    key(input, "Enter");
  };
  [];
`;

const FILTERS = ["service == 200", "host == egw and kind == hook", "syn", ""];

/** What is measured, in this order: each leaves the page as it found it, but for the selected event. */
const ACTS: readonly (readonly [string, string])[] = [
  ["next event", `steps(${STEPS}, () => one("next").click())`],
  ["back one event", `steps(${STEPS}, () => one("back").click())`],
  [
    "any row: far jumps",
    `steps(${STEPS / 3}, (i) => key(one("timeline"), ["End", "PageDown", "Home", "PageUp"][i % 4]))`,
  ],
  [
    "a row in sight",
    `steps(${STEPS / 3}, (i) => document.querySelectorAll('${LIST} [data-index]')[5 + (i % 2)].click())`,
  ],
  [
    "a tab",
    `measure(${STEPS / 2}, (i) => one(["tab-packet", "tab-tables", "tab-decision"][i % 3]).click(),
    (i) => () => one(["tab-packet", "tab-tables", "tab-decision"][i % 3]).ariaSelected === "true")`,
  ],
  [
    "next event, tables open",
    `(async () => {
    one("tab-tables").click();
    await frame();
    const times = await steps(${STEPS / 2}, () => one("next").click());
    one("tab-decision").click();
    return times;
  })()`,
  ],
  [
    "a filter",
    `measure(${FILTERS.length * 3}, (i) => type(${JSON.stringify(FILTERS)}[i % ${FILTERS.length}]),
    (i) => () => one("event-list").dataset.filter === ${JSON.stringify(FILTERS)}[i % ${FILTERS.length}])`,
  ],
  [
    "next drop",
    `(async () => one("next-drop").disabled ? [] : (key(one("timeline"), "Home"), await frame(), steps(10, () => one("next-drop").click())))()`,
  ],
];

const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
const median = (values: readonly number[]): number => sorted(values)[Math.floor(values.length / 2)];
const p95 = (values: readonly number[]): number => sorted(values)[Math.floor(values.length * 0.95)];
const ms = (n: number): string => `${n.toFixed(1).padStart(7)} ms`;
