/** Whether this machine can open the page in a browser; why not is in the skipped test's title. */
import { describe } from "vitest";
import { missingBrowser } from "../support/chromium.ts";
import { requirement } from "../support/require.ts";

const lacks = requirement("browser", missingBrowser);

/** `describe` for tests in a browser: skipped with the reason, or failed where GUELAB_REQUIRE=browser. */
export function describeWeb(title: string, body: () => void): void {
  if (lacks === undefined) describe(title, body);
  else describe.skip(`${title} (skipped: ${lacks})`, body);
}
