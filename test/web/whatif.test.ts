/** What if, in a browser: changes with undo, a fault dragged onto a link, mistakes in place, completion, links that hold everything. */
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type PageServer, servePage } from "../../src/cli/page-server.ts";
import { currentScenario } from "../../src/cli/serve.ts";
import { withBrowser } from "./browser.ts";
import { opened, openTab } from "./page.ts";
import { describeWeb } from "./require.ts";

const SCENARIO = "scenarios/gue/04-pings-keep-mapping.yaml";

describeWeb("what if", () => {
  const browser = withBrowser();
  let server: PageServer;
  beforeAll(async () => {
    server = await servePage(0, () => currentScenario(SCENARIO));
  });
  afterAll(() => server.close());

  async function start(): Promise<Page> {
    const { page } = await browser.open(server.url);
    await opened(page);
    await openTab(page, "tab-whatif");
    return page;
  }

  const status = (page: Page, text: string): Promise<void> =>
    page.getByTestId("status").filter({ hasText: text }).waitFor();
  /** One of the completions on offer. */
  const offered = (page: Page, label: string) =>
    page.locator(".cm-tooltip-autocomplete").getByText(label, { exact: true });
  const editor = (page: Page) => page.getByTestId("editor").getByRole("textbox");

  /** Puts the cursor at the end of the editor's text and types. */
  async function type(page: Page, text: string): Promise<void> {
    await editor(page).click();
    await page.keyboard.press("Control+End");
    await page.keyboard.type(text);
  }

  it("stops the pings, shows what becomes of it, and undoes it", async () => {
    const page = await start();
    await status(page, "passed");
    await page.getByTestId("stop-pings").click();
    await status(page, "failed");
    await page.getByTestId("changes").getByText(/ping/i).waitFor();
    await page.getByTestId("next-drop").click();
    await page.getByTestId("undo-0").click();
    await status(page, "passed");
    expect(await page.getByTestId("changes").count()).toBe(0);
  });

  it("drags a fault onto a link of the drawing", async () => {
    const page = await start();
    const chip = await page.getByTestId("fault-down").boundingBox();
    const cable = await page.locator('line[data-link="node2/eth1"]').boundingBox();
    if (!chip || !cable) throw new Error("nothing to drag, or no link");
    await page.mouse.move(chip.x + chip.width / 2, chip.y + chip.height / 2);
    await page.mouse.down();
    await page.mouse.move(cable.x + cable.width / 2, cable.y + cable.height / 2, { steps: 5 });
    await page.locator('line[data-link="node2/eth1"].drop-target').waitFor({ state: "attached" });
    await page.mouse.up();
    await page.getByTestId("changes").getByText("node2/eth1").waitFor();
    await status(page, "failed");
  });

  it("puts a fault on a link by the keyboard alone", async () => {
    const page = await start();
    await page.getByTestId("fault-delay").focus();
    await page.keyboard.press("Enter");
    await page.getByTestId("fault-value").fill("3ms");
    await page.getByTestId("fault-link").selectOption("egw/eth1");
    await page.getByTestId("fault-apply").focus();
    await page.keyboard.press("Enter");
    await page
      .getByTestId("changes")
      .getByText(/egw\/eth1 has delay 3ms/)
      .waitFor();
    // What cannot be is said, and nothing changes.
    await page.getByTestId("fault-value").fill("much");
    await page.getByTestId("fault-apply").click();
    await page.getByTestId("notice").getByText(/much/).waitFor();
    expect(await page.getByTestId("changes").getByRole("listitem").count()).toBe(1);
  });

  it("changes a key and the NAT's memory, and writes both into the text", async () => {
    const page = await start();
    await page.getByTestId("key-service").selectOption("node2 1/200");
    await page.getByTestId("key-apply").click();
    await status(page, "failed");
    await page.getByTestId("nat-seconds").fill("60");
    await page.getByTestId("nat-apply").click();
    await page.getByTestId("undo-1").waitFor();
    await page.getByTestId("write-down").click();
    await expect.poll(() => page.getByTestId("changes").count()).toBe(0);
    await expect.poll(() => editor(page).innerText()).toContain("nf_conntrack_udp_timeout: 60");
    await page.getByTestId("reset").click();
    await status(page, "passed");
    await expect.poll(() => editor(page).innerText()).toContain("nf_conntrack_udp_timeout: 2");
  });

  it("marks a mistake where it is, and does not run it", async () => {
    const page = await start();
    await type(page, "  - egw pfc_lst\n");
    await page.getByTestId("problem").getByText('there is no command "pfc_lst"').waitFor();
    await page.locator(".cm-lintRange-error").waitFor();
    expect(await page.getByTestId("run").isDisabled()).toBe(true);
    const lines = readFileSync(SCENARIO, "utf8").split("\n").length;
    expect(await page.getByTestId("problem").innerText()).toContain(`${lines}:9`);
  });

  it("completes hosts and commands, and runs what was typed", async () => {
    const page = await start();
    await type(page, "  - do: eg");
    await offered(page, "egw").click();
    await page.keyboard.type(" pfc_li");
    await offered(page, "pfc_list").click();
    await page.keyboard.press("Control+Enter");
    await openTab(page, "tab-steps");
    await page.getByTestId("steps").getByText("egw pfc_list").waitFor();
  });

  it("gives a link that holds all of it, and says what is wrong with a damaged one", async () => {
    const page = await start();
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.getByTestId("stop-pings").click();
    await status(page, "failed");
    const before = await page.getByTestId("where").innerText();
    await page.getByTestId("next-drop").click();
    await expect.poll(() => page.getByTestId("where").innerText()).not.toBe(before);
    const at = await page.getByTestId("where").innerText();
    await page.getByTestId("copy-link").click();
    await page.getByTestId("notice").getByText("The link is copied").waitFor();
    const link = (await page.evaluate("navigator.clipboard.readText()")) as string;
    const { page: other } = await browser.open(link);
    await opened(other);
    await status(other, "failed");
    await other.getByTestId("where").getByText(at.split("/")[0].trim(), { exact: true }).waitFor();
    await openTab(other, "tab-whatif");
    await other.getByTestId("undo-0").waitFor();
    const { page: damaged } = await browser.open(link.slice(0, -9));
    await damaged.getByTestId("failed").getByText("the link is damaged or cut off").waitFor();
  });

  it("gives the scenario and the packets as files", async () => {
    const page = await start();
    const bytesOf = async (testid: string): Promise<{ name: string; bytes: Buffer }> => {
      const waiting = page.waitForEvent("download");
      await page.getByTestId(testid).click();
      const file = await waiting;
      return { name: file.suggestedFilename(), bytes: readFileSync(await file.path()) };
    };
    const scenario = await bytesOf("download-scenario");
    expect(scenario.name).toBe("04-pings-keep-mapping.yaml");
    expect(scenario.bytes.toString()).toBe(readFileSync(SCENARIO, "utf8"));
    const capture = await bytesOf("download-pcapng");
    expect(capture.name).toBe("04-pings-keep-mapping.pcapng");
    // Section header block of pcapng.
    expect(capture.bytes.readUInt32LE(0)).toBe(0x0a0d0d0a);
  });
});
