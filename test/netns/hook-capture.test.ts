/** `guelab run --pcap DIR --hooks` on the kernel's own stack: the capture has both sides of every hook, as in the simulation. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { main } from "../../src/cli/main.ts";
import { DATA_PATH_KINDS } from "../../src/lab/linux/data-path.ts";
import { checkHookCapture } from "../support/hook-capture.ts";
import { tshark } from "../support/tools.ts";
import { describeNetns } from "./require.ts";

const scenario = resolve(import.meta.dirname, "../../scenarios/basic/02-node2-behind-nat.yaml");
const prefix = `k${randomBytes(3).toString("hex")}`;

describeNetns("captures with both sides of hooks", () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), "guelab-hooks-"));
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  it.each(DATA_PATH_KINDS)("with the data path %s", async (dataPath) => {
    const folder = join(dir, dataPath);
    const said = vi.spyOn(process.stdout, "write").mockReturnValue(true);
    try {
      const args = ["--lab", "netns", "--datapath", dataPath, "--prefix", prefix, "--pcap", folder, "--hooks"];
      expect(await main(["run", ...args, scenario])).toBe(0);
    } finally {
      said.mockRestore();
      process.exitCode = undefined;
    }
    const path = join(folder, "02-node2-behind-nat.pcapng");
    const found = checkHookCapture(readFileSync(path));
    const sides = ["egw/eth1", "node2/eth1"].flatMap((n) => [`${n}:egress:before`, `${n}:ingress:after`]);
    expect(Object.keys(found).sort()).toEqual(sides);
    for (const side of sides) expect(found[side]).toBeGreaterThan(2);
    const { err } = tshark(path, ["-T", "fields", "-e", "frame.interface_name"]);
    expect(err).toBe("");
  });
});
