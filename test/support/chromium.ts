/** The browser that tests, the bench and the picture of the README use: Debian's chromium, or that of GUELAB_CHROMIUM. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { WEB } from "../../src/cli/page-server.ts";

const CHROMIUM = process.env.GUELAB_CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // Nothing of a test leaves this machine, whatever the page asks for.
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

/** A laptop's window, and a phone's. */
export const SIZES = { laptop: { width: 1280, height: 720 }, phone: { width: 390, height: 844 } } as const;

/** Why the page cannot be opened here; undefined when it can. */
export function missingBrowser(): string | undefined {
  if (!existsSync(CHROMIUM)) return `there is no ${CHROMIUM}: apt install chromium, or set GUELAB_CHROMIUM`;
  if (!existsSync(join(WEB, "index.html"))) return "the page is not built: npm run build";
  return undefined;
}

/** Starts a browser with a profile of its own, in a temporary folder. */
export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
}
