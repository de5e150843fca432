/** Report files opened from the disk: what `--html` wrote is in them, and they ask for nothing else. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { writeHtmlReport } from "../../src/cli/html.ts";
import { main } from "../../src/cli/main.ts";
import { parseVectors } from "../../src/dataplane/vector.ts";
import type { JsonObject } from "../../src/dataplane/vector-check.ts";
import { runVector } from "../../src/dataplane/vector-run.ts";
import { SimLab } from "../../src/lab/sim/lab.ts";
import type { ReportDocument } from "../../src/replay/document.ts";
import { captureBytes } from "../../src/report/capture.ts";
import { loadScenario, loadScenarioFiles } from "../../src/scenario/load.ts";
import { runScenario } from "../../src/scenario/runner.ts";
import { VERSION } from "../../src/version.ts";
import { withBrowser } from "./browser.ts";
import { eventList, filter, opened, rows, selectFirst } from "./page.ts";
import { describeWeb } from "./require.ts";

const NODE2 = "scenarios/basic/02-node2-behind-nat.yaml";

describeWeb("a report from the disk", () => {
  const browser = withBrowser();
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), "guelab-report-"));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  /** `guelab run --html`; gives the file's URL. */
  async function report(name: string, ...files: string[]): Promise<string> {
    const path = join(dir, `${name}.html`);
    const quiet = [vi.spyOn(process.stdout, "write"), vi.spyOn(process.stderr, "write")];
    for (const spy of quiet) spy.mockReturnValue(true);
    try {
      await main(["run", "--html", path, "--jobs", "1", ...files]);
    } finally {
      for (const spy of quiet) spy.mockRestore();
      process.exitCode = undefined;
    }
    return pathToFileURL(path).href;
  }

  function document(name: string, entry: ReportDocument["entries"][number]): string {
    const path = join(dir, `${name}.html`);
    writeHtmlReport(path, { version: VERSION, command: "guelab test", entries: [entry] });
    return pathToFileURL(path).href;
  }

  /** The node2 scenario with an expectation that fails. */
  function failing(): string {
    const path = join(dir, "failing.yaml");
    const text = readFileSync(NODE2, "utf8");
    writeFileSync(path, text.replace("HELLO '200' from 'node2'", "HELLO '200' from 'node1'"));
    return path;
  }

  it("of a failed expectation shows what was expected, what was found, and the packets", async () => {
    const { page, watch } = await browser.open(await report("failed", failing()));
    await opened(page);
    expect(await page.getByTestId("status").innerText()).toContain("failed");
    const banner = page.getByTestId("failed-banner");
    expect(await banner.innerText()).toContain("HELLO '200' from 'node1'");
    expect(await banner.innerText()).toContain("HELLO '200' from 'node2'");
    await selectFirst(page, "host == egw and reason == PASS_ENCAP");
    expect(await page.getByTestId("delta").innerText()).toBe("+52 bytes");
    expect(await page.title()).toContain("guelab");
    expect(watch.requests).toHaveLength(1);
  });

  it("of several scenarios lists them, the failed one first in sight", async () => {
    const { page } = await browser.open(await report("several", NODE2, failing(), "scenarios/basic/01-node1.yaml"));
    await opened(page);
    expect(await page.getByTestId("status").innerText()).toContain("failed");
    const options = await page.getByTestId("picker").locator("option").allInnerTexts();
    expect(options.map((o) => o[0])).toEqual(["✓", "✕", "✓"]);
    await page.getByTestId("picker").selectOption("2");
    await page.getByTestId("status").getByText("passed").waitFor();
  });

  it("says when the page's run comes to something else than the report", async () => {
    const { files } = loadScenarioFiles(NODE2);
    const scenario = loadScenario(NODE2);
    const lab = new SimLab(scenario.topology, { seed: scenario.seed, record: true });
    const own = await runScenario(scenario, lab);
    const entry = { title: own.title, status: own.status, lab: "sim", source: { kind: "scenario", ...files } } as const;
    const same = await browser.open(document("same", { ...entry, report: own }));
    await opened(same.page);
    expect(await same.page.getByTestId("disagrees").count()).toBe(0);
    const other = await browser.open(document("other", { ...entry, report: { ...own, timeNs: own.timeNs + 1 } }));
    await opened(other.page);
    await other.page
      .getByTestId("disagrees")
      .getByText(`timeNs: ${own.timeNs + 1} in the report`)
      .waitFor();
  });

  it("of a capture shows the recorded packets with their hooks", async () => {
    const scenario = loadScenario(NODE2);
    const lab = new SimLab(scenario.topology, { seed: scenario.seed, record: true });
    const recorded = await runScenario(scenario, lab);
    const url = document("capture", {
      title: "captured",
      status: "passed",
      lab: "netns",
      report: recorded,
      source: {
        kind: "capture",
        file: "node2.pcapng",
        bytes: captureBytes(lab.packets(), lab.topology),
        scenario: loadScenarioFiles(NODE2).files,
        report: recorded,
      },
    });
    const { page } = await browser.open(url);
    await opened(page);
    expect(Number(await eventList(page).getAttribute("data-total"))).toBeGreaterThanOrEqual(lab.packets().length);
    await filter(page, "host == node2 and service == 200");
    await rows(page).first().click();
    await page.getByTestId("detail").getByText("172.2.0.3").first().waitFor();
    // Its steps lead to what was seen while they ran.
    await filter(page, "");
    const step = page.getByTestId("steps").getByRole("button", { name: /client curl/ });
    await step.click();
    await expect.poll(() => step.getAttribute("aria-current")).toBe("step");
  });

  it("of a difference shows the packet with both sides", async () => {
    // What a program that drops the packet would give, beside what the reference does.
    const [vector] = parseVectors(readFileSync("test/vectors/encap.jsonl", "utf8"), "encap.jsonl");
    const right = runVector(vector).json;
    const packets = right.packets as JsonObject[];
    const wrong = { ...right, packets: [{ ...packets[0], verdict: "drop", reason: "DROP_HELPER", out: undefined }] };
    const url = document("difference", {
      title: "fuzz-1-2",
      status: "failed",
      lab: "vector",
      source: {
        kind: "vector",
        file: "fuzz-1-2.jsonl",
        text: JSON.stringify(vector.json),
        other: { name: "eBPF programs", text: JSON.stringify(wrong) },
      },
    });
    const { page, watch } = await browser.open(url);
    await opened(page);
    await selectFirst(page, "hook");
    expect(await page.getByTestId("delta").innerText()).toBe("+52 bytes");
    const other = page.getByTestId("other-side");
    await other.getByText("DROP_HELPER").first().waitFor();
    expect(await other.innerText()).toContain("eBPF programs");
    expect(await other.getByRole("listitem").count()).toBeGreaterThan(0);
    const differing = other.locator("tr[data-differs]");
    expect(await differing.evaluateAll((all) => all.map((tr) => tr.getAttribute("data-differs")))).toEqual([
      "verdict",
      "reason",
      "length",
    ]);
    await page.getByTestId("differs-banner").getByText("differ on 1 packet").waitFor();
    await page.getByTestId("status").filter({ hasText: "differs" }).waitFor();
    expect(watch.requests).toHaveLength(1);
  });

  it("of frames that differ marks their bytes and fields on both sides", async () => {
    const [vector] = parseVectors(readFileSync("test/vectors/encap.jsonl", "utf8"), "encap.jsonl");
    const right = runVector(vector).json;
    const [first, ...rest] = right.packets as (JsonObject & { out: string })[];
    // The outer TTL, byte 22.
    const out = `${first.out.slice(0, 44)}3f${first.out.slice(46)}`;
    const url = document("bytes", {
      title: "fuzz-1-3",
      status: "failed",
      lab: "vector",
      source: {
        kind: "vector",
        file: "fuzz-1-3.jsonl",
        text: JSON.stringify(vector.json),
        other: { name: "eBPF programs", text: JSON.stringify({ ...right, packets: [{ ...first, out }, ...rest] }) },
      },
    });
    const { page } = await browser.open(url);
    await opened(page);
    const other = page.getByTestId("other-side");
    await other
      .locator("tr[data-differs]")
      .filter({ hasText: /time to live/i })
      .waitFor();
    await other.getByTestId("hex-other").locator('[data-i="22"]').and(page.locator(".changed")).first().waitFor();
  });

  it("that was cut off says so", async () => {
    const path = join(dir, "cut.html");
    const whole = readFileSync(new URL(await report("whole", NODE2)), "utf8");
    writeFileSync(path, whole.replace(/(id="guelab-document">.{200})[\s\S]*?(<\/script>)/, "$1$2"));
    const { page } = await browser.open(pathToFileURL(path).href);
    await page.getByTestId("failed").getByText("cannot be read").waitFor();
  });
});
