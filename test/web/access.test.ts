/** The page for everybody: axe-core finds nothing serious in both sizes and both themes, and the keyboard alone is enough. */
import axe from "axe-core";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type PageServer, servePage } from "../../src/cli/page-server.ts";
import { currentScenario } from "../../src/cli/serve.ts";
import { encodeShare } from "../../src/replay/share.ts";
import { SIZES } from "../support/chromium.ts";
import { withBrowser } from "./browser.ts";
import { encapsulation, opened, openTab, selectFirst } from "./page.ts";
import { describeWeb } from "./require.ts";

/** What axe-core finds serious or critical, in words. */
async function serious(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = (await page.evaluate("axe.run(document, { resultTypes: ['violations'] })")) as axe.AxeResults;
  return violations
    .filter((v) => v.impact === "serious" || v.impact === "critical")
    .flatMap((v) =>
      v.nodes.map((n) => `${v.id} at ${n.target}: ${n.failureSummary?.split("\n").slice(1, 3).join(" ")}`),
    );
}

describeWeb("access", () => {
  const browser = withBrowser();
  let server: PageServer;
  let empty: PageServer;
  beforeAll(async () => {
    server = await servePage(0, () => currentScenario("scenarios/basic/02-node2-behind-nat.yaml"));
    empty = await servePage(0, () => ({ scenario: null }));
  });
  afterAll(async () => {
    await server.close();
    await empty.close();
  });

  const looks = Object.entries(SIZES).flatMap(([size, viewport]) =>
    (["light", "dark"] as const).map((colorScheme) => ({ size, viewport, colorScheme })),
  );

  it.each(looks)("axe-core finds nothing serious: $size, $colorScheme", async ({ size, viewport, colorScheme }) => {
    const options = { viewport, colorScheme, reducedMotion: "reduce" } as const;
    const { page: chooser } = await browser.open(empty.url, options);
    await chooser.getByTestId("catalogue").waitFor();
    expect(await serious(chooser), "the chooser").toEqual([]);
    const { page } = await browser.open(server.url, options);
    await encapsulation(page, size === "phone");
    if (size === "phone") {
      for (const panel of ["network", "packets", "detail", "side"]) {
        await page.getByTestId(`phone-${panel}`).click();
        expect(await serious(page), panel).toEqual([]);
      }
      await page.getByTestId("phone-detail").click();
    }
    for (const tab of ["tab-packet", "tab-tables", "tab-decision"]) {
      await openTab(page, tab);
      expect(await serious(page), tab).toEqual([]);
    }
    if (size === "phone") await page.getByTestId("phone-side").click();
    for (const tab of ["tab-whatif", "tab-lessons", "tab-steps"]) {
      await openTab(page, tab);
      expect(await serious(page), tab).toEqual([]);
    }
    await page.getByTestId("help-button").click();
    await page.getByTestId("help").waitFor();
    expect(await serious(page), "help").toEqual([]);
  });

  it.each(looks)("and nothing in what comes and goes: $size, $colorScheme", async ({ size, viewport, colorScheme }) => {
    const phone = size === "phone";
    const options = { viewport, colorScheme, reducedMotion: "reduce" } as const;
    const { page } = await browser.open(server.url, options);
    await encapsulation(page, phone);
    if (phone) await page.getByTestId("phone-detail").click();
    // The source of a check, in its dialog.
    await page.getByTestId("checks").getByRole("button", { name: /bpf/ }).first().click();
    await page.getByTestId("source").locator(".src-line.on").first().waitFor();
    expect(await serious(page), "source").toEqual([]);
    await page.keyboard.press("Escape");
    await page.getByTestId("source").waitFor({ state: "detached" });
    // Tables with rows that are new, changed and gone.
    if (phone) await page.getByTestId("phone-packets").click();
    await selectFirst(page, "host == egw and reason == PING_CONSUMED");
    if (phone) await page.getByTestId("phone-detail").click();
    await openTab(page, "tab-tables");
    await page.locator('[data-table="TUNNEL"] tr[data-mark="changed"]').waitFor();
    expect(await serious(page), "a changed table").toEqual([]);
    // A change with its undo, a mistake in the editor, a lesson with an answer.
    if (phone) await page.getByTestId("phone-side").click();
    await openTab(page, "tab-whatif");
    await page.getByTestId("stop-pings").click();
    await page.getByTestId("undo-0").waitFor();
    await page.getByTestId("editor").getByRole("textbox").click();
    await page.keyboard.press("Control+End");
    await page.keyboard.type("  - nonsense\n");
    await page.locator(".cm-lintRange-error").waitFor();
    expect(await serious(page), "a mistake").toEqual([]);
    await openTab(page, "tab-lessons");
    await page.getByTestId("lesson-04-ping-and-hole").click();
    const form = page.locator("form.question").first();
    await form.getByTestId("check").and(form.locator(":enabled")).waitFor();
    await form.getByTestId("answer").fill("nobody");
    await form.getByTestId("check").click();
    await form.getByTestId("hint").click();
    await expect.poll(() => form.getAttribute("data-verdict")).toBe("wrong");
    expect(await serious(page), "a wrong answer").toEqual([]);
  });

  it.each(looks)("nor in an error: $size, $colorScheme", async ({ viewport, colorScheme }) => {
    const link = await encodeShare({ file: "x.yaml", text: "title: t\ntopology: basic.cfg\nsteps:\n  - do: crul\n" });
    const { page } = await browser.open(`${empty.url}#${link}`, { viewport, colorScheme, reducedMotion: "reduce" });
    await page.getByTestId("failed").waitFor();
    expect(await serious(page), "the error").toEqual([]);
    await page.getByTestId("mend").click();
    await page.locator(".cm-lintRange-error").waitFor();
    expect(await serious(page), "the editor").toEqual([]);
  });

  it.each(Object.entries(SIZES))(
    "nothing is wider than the page, and the drawing's texts can be read: %s",
    async (size, viewport) => {
      const { page } = await browser.open(server.url, { viewport });
      await encapsulation(page, size === "phone");
      if (size === "phone") await page.getByTestId("phone-network").click();
      const texts = (await page.evaluate(
        `[...document.querySelectorAll('[data-testid="topology"] text')].map((t) => parseFloat(getComputedStyle(t).fontSize) * t.getScreenCTM().a)`,
      )) as number[];
      expect(texts.length).toBeGreaterThan(10);
      expect(Math.min(...texts)).toBeGreaterThanOrEqual(10.5);
      expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
    },
  );

  it("says where one is after each step", async () => {
    const { page } = await browser.open(server.url);
    await encapsulation(page);
    const said = page.getByRole("status").and(page.getByTestId("announce"));
    expect(await said.innerText()).toMatch(/^Event 36: egw eth1: egress hook, passes, encapsulated/);
    await page.getByTestId("back").click();
    await expect.poll(() => said.innerText()).toMatch(/^Event 35: /);
  });

  it("the keyboard alone: choose, find, look, step, compare", async () => {
    const { page } = await browser.open(empty.url);
    const focus = (selector: string): Promise<boolean> =>
      page.evaluate(`document.activeElement?.matches(${JSON.stringify(selector)}) ?? false`);
    const tabTo = async (selector: string, key = "Tab"): Promise<void> => {
      for (let i = 0; i < 150; i++) {
        if (await focus(selector)) return;
        await page.keyboard.press(key);
      }
      throw new Error(`${key} does not lead to ${selector}`);
    };
    await page.getByTestId("catalogue").waitFor();
    await tabTo('[data-testid="catalogue-search"]');
    await page.keyboard.type("behind nat");
    await tabTo('[data-file="basic/02-node2-behind-nat.yaml"]');
    await page.keyboard.press("Enter");
    await opened(page);
    // The filter, the first row that it leaves, and the decision.
    await page.keyboard.press("/");
    await expect.poll(() => focus('[data-testid="filter"]')).toBe(true);
    await page.keyboard.type("host == egw and reason == PASS_ENCAP");
    await page.keyboard.press("Enter");
    await page.getByTestId("filter-count").getByText("/").waitFor();
    await tabTo('[data-testid="event-list"]');
    await page.keyboard.press("Home");
    await page.getByTestId("delta").getByText("+52 bytes").waitFor();
    const at = async (): Promise<number> => Number(await page.getByTestId("detail").getAttribute("data-index"));
    const hook = await at();
    // Without the filter one step is one event.
    await tabTo('[data-testid="filter"]', "Shift+Tab");
    await page.keyboard.press("Escape");
    await tabTo('[data-testid="event-list"]');
    await page.keyboard.press("ArrowUp");
    await expect.poll(at).toBe(hook - 1);
    await page.keyboard.press("ArrowDown");
    await expect.poll(at).toBe(hook);
    await page.keyboard.press("3");
    await page.getByTestId("tables").waitFor();
    await page.keyboard.press("2");
    await page.getByTestId("packet").waitFor();
    await tabTo('[role="tree"]');
    await page.keyboard.press("Home");
    await page.keyboard.press("End");
    await page.getByTestId("field-about").getByText("bytes").waitFor();
    await page.keyboard.press("?");
    await page.getByTestId("help").waitFor();
    await page.keyboard.press("Escape");
    await page.getByTestId("help").waitFor({ state: "detached" });
    await page.keyboard.press("1");
    await page.getByTestId("decision").waitFor();
  });
});
