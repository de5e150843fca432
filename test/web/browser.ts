/**
 * A browser for the tests of a file, and pages that are watched: what they ask for and what they complain of is known, and
 * must be nothing but the page's own files and no complaint.
 */
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { launchBrowser, SIZES } from "../support/chromium.ts";

/** What was seen of one page. */
export interface Watch {
  /** URL of every request that left the browser: blob: and data: stay inside it. */
  requests: string[];
  /** Errors and warnings of the console, and exceptions that nothing caught. */
  complaints: string[];
}

export interface Opened {
  page: Page;
  context: BrowserContext;
  watch: Watch;
}

/** Starts a fresh browser before the tests of a `describe` and ends it after them. */
export function withBrowser(): { open(url: string, options?: BrowserContextOptions): Promise<Opened> } {
  const opened: { watch: Watch; allowed: string; context: BrowserContext }[] = [];
  let browser: Browser | undefined;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());
  afterEach(async () => {
    const seen = structuredClone(opened.map(({ watch, allowed }) => ({ watch, allowed })));
    for (const { context } of opened.splice(0)) await context.close();
    for (const { watch, allowed } of seen) {
      expect(watch.complaints, "what the browser complained of").toEqual([]);
      const off = watch.requests.filter((url) => (allowed.endsWith("/") ? !url.startsWith(allowed) : url !== allowed));
      expect(off, "requests off the page's origin").toEqual([]);
      expect(watch.requests.length, "the page itself was asked for").toBeGreaterThan(0);
    }
  });
  return {
    async open(url, options = {}) {
      if (browser === undefined) throw new Error("there is no browser");
      const context = await browser.newContext({ viewport: SIZES.laptop, ...options });
      // Long enough for a machine that does other things, too.
      context.setDefaultTimeout(15_000);
      const watch: Watch = { requests: [], complaints: [] };
      const page = await context.newPage();
      context.on("request", (r) => {
        if (!/^(blob|data):/.test(r.url())) watch.requests.push(r.url().replace(/#.*$/s, ""));
      });
      page.on("websocket", (socket) => watch.requests.push(socket.url()));
      context.on("requestfailed", (r) => watch.complaints.push(`${r.url()}: ${r.failure()?.errorText}`));
      context.on("console", (m) => {
        if (m.type() === "error" || m.type() === "warning") watch.complaints.push(m.text());
      });
      context.on("weberror", (e) => watch.complaints.push(String(e.error().stack ?? e.error())));
      opened.push({
        watch,
        context,
        allowed: url.startsWith("file:") ? url.replace(/#.*$/s, "") : `${new URL(url).origin}/`,
      });
      await page.goto(url);
      return { page, context, watch };
    },
  };
}
