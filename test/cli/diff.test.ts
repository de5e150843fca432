import { describe, expect, it } from "vitest";
import { main } from "../../src/cli/main.ts";
import { scenarioFile } from "../diff/support.ts";

/** Runs the command line, with what it writes to standard error. */
async function guelab(...argv: string[]): Promise<{ code: number; err: string }> {
  const write = process.stderr.write;
  let err = "";
  process.stderr.write = ((text: string) => {
    err += text;
    return true;
  }) as typeof process.stderr.write;
  try {
    return { code: await main(["diff", ...argv]), err };
  } finally {
    process.stderr.write = write;
    process.exitCode = undefined;
  }
}

describe("guelab diff refuses, with exit code 2 and in words,", () => {
  it.each([
    [["--level", "d", scenarioFile("basic/01-node1")], "'d' is no level"],
    [[], "missing required argument 'file'"],
    [["no-such-file.yaml"], "no-such-file.yaml"],
    [["--against", "sim", scenarioFile("basic/01-node1")], "Allowed choices are netns, docker"],
    [["--against", "docker", "--datapath", "reference", scenarioFile("basic/01-node1")], "TAP interfaces"],
    [["--json", scenarioFile("basic/01-node1"), scenarioFile("basic/02-node2-behind-nat")], "write over the scenario"],
    [["--out", "/dev/null/x", scenarioFile("basic/01-node1")], "/dev/null/x"],
    [["--programs", "/dev", scenarioFile("basic/01-node1")], "/dev holds no programs"],
    [["--programs", "bpf", "--level", "b,c", scenarioFile("basic/01-node1")], "compared hook by hook"],
    [["--programs", "bpf", "--datapath", "reference", scenarioFile("basic/01-node1")], "compared hook by hook"],
  ])("%s", async (argv, message) => {
    const { code, err } = await guelab(...argv);
    expect(err).toContain(message);
    expect(err).not.toContain("    at ");
    expect(code).toBe(2);
  });
});
