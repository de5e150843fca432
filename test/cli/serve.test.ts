/** `guelab serve` with what cannot be served: a message, exit code 2, and nothing that goes on. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { main } from "../../src/cli/main.ts";

let out = "";
let err = "";
beforeEach(() => {
  out = err = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    out += text;
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    err += text;
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
});

it.each([
  [["nosuch.yaml"], /^guelab: there is no file nosuch\.yaml \(ERR_FILE_NOT_FOUND\)/],
  [["package.json"], /^guelab: package\.json:\d+:\d+: .*\(ERR_SCENARIO_SYNTAX\)/],
  [["scenarios"], /ERR_FILE_IS_DIRECTORY/],
  [["--port", "65536"], /^guelab: .*Expected 0 to 65535/],
  [["--port", "http"], /^guelab: .*Expected 0 to 65535/],
  [["--open", "perhaps"], /^guelab: .*Allowed choices are yes, no/],
  [["a.yaml", "b.yaml"], /^guelab: too many arguments/],
])("serve %j", async (args, message) => {
  expect(await main(["serve", ...args])).toBe(2);
  expect(err).toMatch(message);
  expect(err).not.toMatch(/^\s+at /m);
  expect(out).toBe("");
});
