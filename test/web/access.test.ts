/** The page for everybody: axe-core finds nothing serious in both sizes and both themes, and the keyboard alone is enough. */
import axe from "axe-core";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type PageServer, servePage } from "../../src/cli/page-server.ts";
import { currentScenario } from "../../src/cli/serve.ts";
import { SIZES } from "../support/chromium.ts";
import { withBrowser } from "./browser.ts";
import { encapsulation, opened, openTab } from "./page.ts";
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
