/** `guelab diff --against docker` and `guelab run --lab docker --pcap DIR --hooks`: containers' hooks are recorded as those of namespaces are. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { main } from "../../src/cli/main.ts";
import type { DiffReport } from "../../src/diff/types.ts";
import { labObjects } from "../../src/lab/docker/leftovers.ts";
import { checkHookCapture } from "../support/hook-capture.ts";
import { describeDocker } from "./require.ts";

const scenario = resolve(import.meta.dirname, "../../scenarios/basic/02-node2-behind-nat.yaml");
const prefix = `e${randomBytes(3).toString("hex")}`;

describeDocker("hooks of containers", () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), "guelab-docker-diff-"));
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  /** Runs the command line; gives its exit code and what it printed. */
  async function guelab(...argv: string[]): Promise<{ code: number; out: string }> {
    let out = "";
    const said = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
      out += text;
      return true;
    });
    try {
      return { code: await main(argv), out };
    } finally {
      said.mockRestore();
      process.exitCode = undefined;
    }
  }

  it("are compared hook by hook, box by box and as a scenario", async () => {
    const json = join(dir, "report.json");
    const options = ["--against", "docker", "--prefix", prefix, "--out", join(dir, "out"), "--json", json];
    const { code, out } = await guelab("diff", ...options, scenario);
    const [report]: DiffReport[] = JSON.parse(readFileSync(json, "utf8")).scenarios;
    const verdicts = report.levels.map((l) => `${l.level} ${l.verdict}`);
    expect(verdicts, out).toEqual(["a equal", "b equal", "c equal"]);
    expect(code).toBe(0);
    const runs = report.levels[0].counts.find((c) => c.name === "hook runs");
    expect(runs?.count).toBeGreaterThan(10);
    expect(labObjects(prefix)).toEqual({ containers: [], networks: [] });
  });

  it("are in a capture with both sides", async () => {
    const folder = join(dir, "captures");
    const options = ["--lab", "docker", "--prefix", prefix, "--pcap", folder, "--hooks"];
    expect((await guelab("run", ...options, scenario)).code).toBe(0);
    const found = checkHookCapture(readFileSync(join(folder, "02-node2-behind-nat.pcapng")));
    const sides = ["egw/eth1", "node2/eth1"].flatMap((n) => [`${n}:egress:before`, `${n}:ingress:after`]);
    expect(Object.keys(found).sort()).toEqual(sides);
  });
});
