/** The page of `guelab diff --html`: the first difference of each level, with what both sides made of the packet. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { diffEntries } from "../../src/cli/diff-entries.ts";
import { writeHtmlReport } from "../../src/cli/html.ts";
import { diffReport } from "../../src/diff/report.ts";
import { VERSION } from "../../src/version.ts";
import { recordVectorRun, tamperedRun } from "../diff/hook-history.ts";
import { record, scenarioFile, tampered } from "../diff/support.ts";
import { withBrowser } from "./browser.ts";
import { opened, rows, selectFirst } from "./page.ts";
import { describeWeb } from "./require.ts";

const NAME = "basic/02-node2-behind-nat";
const TTL = 22;

describeWeb("a page of differences", () => {
  const browser = withBrowser();
  let dir: string;
  let url: string;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "guelab-diff-page-"));
    const run = await record(NAME);
    const at = run.packets.findIndex((p) => p.host === "nat" && p.nic === "eth1" && p.direction === "out");
    const real = tampered(run, at, (frame) => void frame[TTL]++);
    const file = scenarioFile(NAME);
    const histories = [tamperedRun(recordVectorRun("encap", "encap"), TTL)];
    const kind = { against: "netns", dataPath: "ebpf" } as const;
    const report = diffReport({ file, ...kind, levels: ["a", "b"], real, histories });
    expect(report.levels.map((l) => l.verdict)).toEqual(["different", "different", "not run"]);
    const path = join(dir, "diff.html");
    const entries = diffEntries({ file, report, real });
    writeHtmlReport(path, { version: VERSION, command: "guelab diff", entries });
    url = pathToFileURL(path).href;
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  it("begins with the first one at a hook: what the reference made of the packet, beside what the real hook made", async () => {
    const { page, watch } = await browser.open(url);
    await opened(page);
    const options = await page.getByTestId("picker").locator("option").allInnerTexts();
    expect(options).toHaveLength(3);
    expect(options[0]).toContain("hook by hook: egw/eth1 egress");
    expect(options[1]).toContain("box by box: nat/eth1");
    await selectFirst(page, "hook");
    expect(await page.getByTestId("delta").innerText()).toBe("+52 bytes");
    const other = page.getByTestId("other-side");
    await other.getByText("the frame differs from byte 22 on").waitFor();
    expect(await other.innerText()).toContain("the real hook");
    expect(watch.requests).toHaveLength(1);
  });

  it("has a box's packet and that of its twin side by side, and the real run behind them", async () => {
    const { page } = await browser.open(url);
    await opened(page);
    await page.getByTestId("picker").selectOption("1");
    await rows(page).getByText("nat/eth1:real").first().waitFor();
    await rows(page).first().click();
    const other = page.getByTestId("other-side");
    await other.getByText("ipv4 time to live: 64 here, 63 there").waitFor();
    expect(await other.innerText()).toContain("the reference");
    expect(await other.getByRole("listitem").allInnerTexts()).toEqual(["ipv4 time to live: 64 here, 63 there"]);
    await page.getByTestId("picker").selectOption("2");
    await page.getByTestId("status").filter({ hasText: "differs" }).waitFor();
  });
});
