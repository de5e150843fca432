/** The built program: `guelab serve` prints the page's address, the page opens there, and Ctrl-C ends it well. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { afterEach, expect, it } from "vitest";
import { withBrowser } from "./browser.ts";
import { opened } from "./page.ts";
import { describeWeb } from "./require.ts";

const PROGRAM = resolve(import.meta.dirname, "../../dist/bin/guelab.js");

describeWeb("guelab serve", () => {
  const browser = withBrowser();
  let child: ChildProcess | undefined;
  afterEach(() => child?.kill("SIGKILL"));

  it("opens the scenario, and ends with Ctrl-C", async () => {
    child = spawn(process.execPath, [PROGRAM, "serve", "scenarios/basic/02-node2-behind-nat.yaml"]);
    const [chunk] = await once(child.stdout as NonNullable<typeof child.stdout>, "data");
    const url = String(chunk).trim();
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    const { page } = await browser.open(url);
    await opened(page);
    await page.getByTestId("title").getByText("node2 behind NAT").waitFor();
    const ended = once(child, "exit");
    child.kill("SIGINT");
    expect(await ended).toEqual([0, null]);
  });
});
