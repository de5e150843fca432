/** Pictures of the page: the node2 scenario, at the moment in which the proxy puts the request into the tunnel. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { servePage } from "../src/cli/page-server.ts";
import { currentScenario } from "../src/cli/serve.ts";
import { launchBrowser, missingBrowser, SIZES } from "../test/support/chromium.ts";
import { encapsulation, openTab } from "../test/web/page.ts";

const SCENARIO = "scenarios/basic/02-node2-behind-nat.yaml";
const THEMES = ["light", "dark"] as const;
const PANELS = ["phone-network", "phone-packets", "phone-detail", "phone-side"];
/** Tabs of a panel, the first one chosen last. */
const TABS: Record<string, readonly string[]> = {
  "phone-detail": ["tab-packet", "tab-tables", "tab-decision"],
  "phone-side": ["tab-whatif", "tab-lessons", "tab-steps"],
};
/** The README's picture is as wide as this, and sharp on a screen with twice the pixels. */
const README_SIZE = { width: 1280, height: 800 };

/** Writes docs/page.png; or, into `folder`, a picture of every tab in both sizes and both themes. */
export async function takePictures(root: string, folder?: string): Promise<void> {
  const lacks = missingBrowser();
  if (lacks !== undefined) throw new Error(lacks);
  const server = await servePage(0, () => currentScenario(join(root, SCENARIO)));
  const browser = await launchBrowser();
  try {
    if (folder === undefined) {
      const page = await browser.newPage({ viewport: README_SIZE, deviceScaleFactor: 1.5, reducedMotion: "reduce" });
      await page.goto(server.url);
      await encapsulation(page);
      await page.screenshot({ path: join(root, "docs", "page.png"), animations: "disabled" });
      return;
    }
    mkdirSync(folder, { recursive: true });
    for (const [size, viewport] of Object.entries(SIZES))
      for (const colorScheme of THEMES) {
        const page = await browser.newPage({ viewport, colorScheme, reducedMotion: "reduce" });
        await page.goto(server.url);
        await encapsulation(page, size === "phone");
        const shoot = (name: string) =>
          page.screenshot({ path: join(folder, `${size}-${colorScheme}-${name}.png`), animations: "disabled" });
        // A phone shows one panel at a time.
        for (const panel of size === "phone" ? PANELS : []) {
          await page.getByTestId(panel).click();
          await shoot(panel);
          for (const tab of TABS[panel] ?? []) {
            await openTab(page, tab);
            await shoot(tab);
          }
        }
        for (const tab of size === "phone" ? [] : Object.values(TABS).flat()) {
          await openTab(page, tab);
          await shoot(tab);
        }
        await page.close();
      }
  } finally {
    await browser.close();
    await server.close();
  }
}
