/** What comes from elsewhere or is too much: each gives a message, and the page goes on. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type PageServer, servePage } from "../../src/cli/page-server.ts";
import { currentScenario } from "../../src/cli/serve.ts";
import { encodeShare } from "../../src/replay/share.ts";
import { withBrowser } from "./browser.ts";
import { eventList, filter, opened, openTab } from "./page.ts";
import { describeWeb } from "./require.ts";

const NODE2 = "scenarios/basic/02-node2-behind-nat.yaml";

describeWeb("links and scenarios from elsewhere", () => {
  const browser = withBrowser();
  let server: PageServer;
  let dir: string;
  let file: string;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), "guelab-robust-"));
    file = join(dir, "mine.yaml");
    server = await servePage(0, () => currentScenario(file));
  });
  afterAll(async () => {
    await server.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const scenario = (...steps: string[]): void =>
    writeFileSync(file, `title: mine\ntopology: basic.cfg\nsteps:\n${steps.map((s) => `  ${s}\n`).join("")}`);

  it.each([
    ["cut off", async (link: string) => link.slice(0, -20)],
    [
      "with one character changed",
      async (link: string) => link.replace(/.{10}$/, (end) => `${end[0] === "A" ? "B" : "A"}${end.slice(1)}`),
    ],
    ["of letters", async () => "s1.garbage"],
    ["of a later version", async (link: string) => link.replace("s1.", "s9.")],
    ["far too long", async () => `s1.${"A".repeat(100_000)}`],
    ["of something else", async () => encodeShare({ file: "x.yaml", text: "not: [a scenario" })],
    [
      "with a change that cannot be made",
      async () =>
        encodeShare({
          file: "x.yaml",
          text: "title: t\ntopology: basic.cfg\nsteps:\n  - wait: 1s\n",
          changes: [{ kind: "key", host: "nobody", group: 1, service: 1, key: "k" }],
        }),
    ],
  ])("a link %s is refused in words", async (_, damage) => {
    scenario("- wait: 1s");
    const link = await encodeShare({
      file: "mine.yaml",
      text: "title: t\ntopology: basic.cfg\nsteps:\n  - wait: 1s\n",
    });
    const { page } = await browser.open(`${server.url}#${await damage(link)}`);
    const failed = page.getByTestId("failed");
    await failed.waitFor();
    expect(await failed.innerText()).toMatch(/ERR_[A-Z_]+/);
    // The page is alive.
    await page.getByTestId("home").click();
    await page.getByTestId("catalogue").waitFor();
  });

  it("a link to a scenario with a mistake can be mended in place", async () => {
    scenario("- wait: 1s");
    const text = "title: t\ntopology: basic.cfg\nsteps:\n  - wait: 1q\n";
    const { page } = await browser.open(`${server.url}#${await encodeShare({ file: "x.yaml", text })}`);
    await page.getByTestId("failed").getByText("x.yaml:4").waitFor();
    await page.getByTestId("mend").click();
    await page.locator(".cm-lintRange-error").waitFor();
    await page.keyboard.press("Control+End");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("End");
    await page.keyboard.press("Backspace");
    await page.keyboard.type("s");
    await page.getByTestId("run").and(page.locator(":enabled")).click();
    await opened(page);
    await eventList(page).getByText("wait 1s").first().waitFor();
  });

  it("a link to a lesson opens the lesson, with its own run; one to a lesson that there is not says so", async () => {
    scenario("- wait: 1s");
    const { page, context } = await browser.open(server.url);
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await opened(page);
    await openTab(page, "tab-lessons");
    await page.getByTestId("lesson-03-encapsulation").click();
    await page.getByTestId("lesson-link").click();
    await page.getByTestId("notice").getByText("copied").waitFor();
    const link = await page.evaluate<string>("navigator.clipboard.readText()");
    const { page: other } = await browser.open(link);
    await opened(other);
    await other.locator('[data-lesson="03-encapsulation"]').waitFor();
    await other.getByTestId("check").first().and(other.locator(":enabled")).waitFor();
    const text = "title: t\ntopology: basic.cfg\nsteps:\n  - wait: 1s\n";
    const none = await encodeShare({ file: "x.yaml", text, lesson: "99-none" });
    const { page: third } = await browser.open(`${server.url}#${none}`);
    await third.getByTestId("notice").getByText("99-none").waitFor();
    await opened(third);
  });

  it("a link opens what it was made of", async () => {
    scenario("- wait: 1s");
    const { page, context } = await browser.open(server.url);
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await opened(page);
    await filter(page, "step");
    await openTab(page, "tab-whatif");
    await page.getByTestId("copy-link").click();
    await page.getByTestId("notice").getByText("copied").waitFor();
    const link = await page.evaluate<string>("navigator.clipboard.readText()");
    scenario("- wait: 2s");
    const other = await browser.open(link);
    await opened(other.page);
    await expect.poll(() => other.page.getByTestId("filter").inputValue()).toBe("step");
    await eventList(other.page).getByText("wait 1s").first().waitFor();
  });

  it("a scenario with a mistake says where, and can be loaded again once it is mended", async () => {
    scenario("- do: client crul http://5.5.5.5:3200/");
    const { page } = await browser.open(server.url);
    const failed = page.getByTestId("failed");
    await failed.getByText("mine.yaml:4").waitFor();
    expect(await failed.innerText()).toMatch(/crul[\s\S]*ERR_/);
    scenario("- wait: 1s");
    await page.reload();
    await opened(page);
  });

  it("a topology that is not there is named", async () => {
    writeFileSync(file, "title: t\ntopology: none.cfg\nsteps:\n  - wait: 1s\n");
    const { page } = await browser.open(server.url);
    await page.getByTestId("failed").getByText("none.cfg").first().waitFor();
  });

  it("a file that has gone is named", async () => {
    rmSync(file, { force: true });
    const { page } = await browser.open(server.url);
    await page.getByTestId("failed").getByText("there is no file").waitFor();
  });

  /** A download of 10 MB, a thousand times: far more than any budget. */
  const endless = (): void => {
    const text = readFileSync("scenarios/faults/01-download-10M.yaml", "utf8");
    const [steps] = /^ {2}- do: client curl .*$/m.exec(text) as RegExpExecArray;
    writeFileSync(file, `${text.slice(0, text.indexOf(steps))}  - repeat: 1000\n    steps:\n    ${steps}\n`);
  };

  it("a huge run can be cancelled, and what was recorded until then can be looked at", async () => {
    endless();
    const { page } = await browser.open(server.url);
    const opening = page.getByTestId("opening");
    // Not before the run is well under way.
    await opening.getByText(/\d{2},\d{3} packets/).waitFor();
    await page.getByTestId("cancel").click();
    await page.getByTestId("truncated").getByText("cancelled").waitFor();
    await opened(page);
    expect(Number(await eventList(page).getAttribute("data-total"))).toBeGreaterThan(10_000);
    await page.getByRole("button", { name: "First event" }).click();
    await page.getByTestId("next").click();
    await page.locator('[data-testid="detail"][data-index="1"]').waitFor();
  });

  it("a huge run ends at its budget and says so; the page answers all the while", async () => {
    endless();
    const { page } = await browser.open(server.url);
    await page
      .getByTestId("opening")
      .getByText(/packets/)
      .waitFor();
    await page.getByTestId("help-button").click();
    await page.getByTestId("help").waitFor();
    await page.keyboard.press("Escape");
    await page.getByTestId("truncated").getByText("the run was ended").waitFor({ timeout: 90_000 });
    await opened(page);
    await page.getByRole("button", { name: "First event" }).click();
    await page.getByTestId("next").click();
    await page.locator('[data-testid="detail"][data-index="1"]').waitFor();
  }, 120_000);

  it("what-if: without pings the request is dropped at egw, for a reason that is told", async () => {
    const own = await servePage(0, () => currentScenario(NODE2));
    try {
      const { page } = await browser.open(own.url);
      await opened(page);
      await page.getByTestId("status").getByText("passed").waitFor();
      await openTab(page, "tab-whatif");
      await page.getByTestId("ping-first").check();
      await page.getByTestId("stop-pings").click();
      await page.getByTestId("status").getByText("failed").waitFor();
      await filter(page, "");
      await page.getByRole("button", { name: "First event" }).click();
      await page.getByTestId("next-drop").click();
      const decision = page.getByTestId("decision");
      await decision.getByTestId("reason").first().getByText("DROP_UNRESOLVED").waitFor();
      expect(await decision.getByTestId("headline").innerText()).toContain("egw eth1: egress hook");
      // And back again.
      await page.getByTestId("undo-0").click();
      await page.getByTestId("status").getByText("passed").waitFor();
    } finally {
      await own.close();
    }
  });
});
