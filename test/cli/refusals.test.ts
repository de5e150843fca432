/** Scenarios that cannot run here, among others that can. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect, it, vi } from "vitest";
import { main } from "../../src/cli/main.ts";

const dir = mkdtempSync(join(tmpdir(), "guelab-lacking-"));
const file = (name: string, text: string): string => {
  writeFileSync(join(dir, name), `title: ${name}\ntopology: basic.cfg\n${text}`);
  return join(dir, name);
};
const good = file("good.yaml", "steps:\n  - client ping -c 1 5.5.5.5\n");
const real = file("real.yaml", "labs: [netns]\nsteps:\n  - client ping -c 1 5.5.5.5\n");
const wrong = file("wrong.yaml", "steps:\n  - egw pfc_stop eth1\n");

let out: string;
beforeEach(() => {
  out = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    out += text;
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation(() => true);
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});
afterAll(() => rmSync(dir, { recursive: true }));

it("are counted as such, with what is missing, and end with exit code 2", async () => {
  expect(await main(["run", "-j", "1", good, real])).toBe(2);
  expect(out).toContain(`○ cannot run here  ${real}: this scenario does not run in sim (ERR_LAB_KIND)`);
  expect(out.trimEnd().split("\n").slice(-2)).toEqual([
    "1 passed, 0 failed, 1 cannot run here:",
    "  1 needs what is missing: this scenario does not run in sim (ERR_LAB_KIND)",
  ]);
});

it("are not those whose command is refused", async () => {
  expect(await main(["run", "-j", "1", good, wrong])).toBe(2);
  expect(out.trimEnd().split("\n").at(-1)).toBe("1 passed, 1 failed");
});
