/** Whether this machine can open the page in a browser; why not is in the skipped test's title. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe } from "vitest";
import { WEB } from "../../src/cli/page-server.ts";
import { requirement } from "../support/require.ts";

/** Debian's, from the package chromium. */
export const CHROMIUM = process.env.GUELAB_CHROMIUM ?? "/usr/bin/chromium";

/** Undefined when the page can be opened. */
export function missingBrowser(): string | undefined {
  if (!existsSync(CHROMIUM)) return `there is no ${CHROMIUM}: apt install chromium, or set GUELAB_CHROMIUM`;
  if (!existsSync(join(WEB, "index.html"))) return "the page is not built: npm run build";
  return undefined;
}

const lacks = requirement("browser", missingBrowser);

/** `describe` for tests in a browser: skipped with the reason, or failed where GUELAB_REQUIRE=browser. */
export function describeWeb(title: string, body: () => void): void {
  if (lacks === undefined) describe(title, body);
  else describe.skip(`${title} (skipped: ${lacks})`, body);
}
