/** `guelab diff` itself: each level fails by what is wrong on the real side, with exit code 1 and the files that show it. */
import { randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { main } from "../../src/cli/main.ts";
import type { DiffLevel, DiffReport } from "../../src/diff/types.ts";
import { tryRun } from "../../src/ebpf/exec.ts";
import { labNamespaces } from "../../src/lab/netns/claim.ts";
import { readCapture } from "../../src/wire/pcap-reader.ts";
import { MUTANTS, mutantSource } from "../kernel/mutants.ts";
import { describeNetns } from "./require.ts";

const prefix = `g${randomBytes(3).toString("hex")}`;

/** node2's ping crosses nat, whose rules were changed before; then egw encapsulates a request. */
const SCENARIO = `title: a ping through nat, and a request
topology: basic.cfg
steps:
  - do: http_start node2 2.2.2.2 4000 200
  - do: egw pfc_start eth1 egw 11 11 5000 5010
  - do: node2 pfc_start eth1 node2 9 8 6000 6010
  - do: egw pfc_add eth1 1 200 5erv1ceP@55w0rd! 0 0 tcp 5.5.5.5 3200 2.2.2.2 4000
  - do: nat iptables -t nat -A POSTROUTING -o eth1 -j MASQUERADE
  - do: node2 pfc_add -p eth1 1 200 5erv1ceP@55w0rd! 172.1.0.3 5000 tcp 5.5.5.5 3200 2.2.2.2 4000
  - until: tunnel egw 65736 remote 172.1.0.5:6000
    within: 1s
  - do: client curl http://5.5.5.5:3200/hello
`;

/** In place of iptables: nat chooses another source port for what node2 sends. */
const WRONG_RULE = `exec "$real" -t nat -I POSTROUTING -o eth1 -p udp -j MASQUERADE --to-ports 7000-7010`;

/** Beside it: what goes to egw's port of tunnels is lost between nat and egw. */
const LOST_PACKET = `ip netns exec guelab-${prefix}-net1 \\
  ebtables -A FORWARD -p IPv4 --ip-protocol udp --ip-destination-port 5000 -j DROP
exec "$real" "$@"`;

interface Outcome {
  code: number;
  report: DiffReport;
  /** What was printed. */
  out: string;
  /** Where files of the difference are. */
  folder: string;
}

describeNetns("guelab diff, as a command,", () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), "guelab-diff-cli-"));
    writeFileSync(join(dir, "ping.yaml"), SCENARIO);
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  /** Runs it with a program of our own in place of iptables. */
  async function diff(name: string, options: readonly string[], iptables?: string): Promise<Outcome> {
    const folder = join(dir, name);
    const json = join(dir, `${name}.json`);
    const before = process.env.PATH;
    if (iptables !== undefined) process.env.PATH = `${replaced(name, iptables)}${delimiter}${before}`;
    let out = "";
    const said = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
      out += text;
      return true;
    });
    try {
      const args = ["--prefix", prefix, "--out", folder, "--json", json, ...options, join(dir, "ping.yaml")];
      const code = await main(["diff", ...args]);
      return { code, out, folder, report: JSON.parse(readFileSync(json, "utf8")).scenarios[0] };
    } finally {
      said.mockRestore();
      process.env.PATH = before;
      process.exitCode = undefined;
    }
  }

  function replaced(name: string, script: string): string {
    const bin = join(dir, `${name}-bin`);
    mkdirSync(bin);
    const real = tryRun("which", ["iptables"]).stdout.trim();
    writeFileSync(join(bin, "iptables"), `#!/bin/sh\nreal=${real}\n${script}\n`);
    chmodSync(join(bin, "iptables"), 0o755);
    return bin;
  }

  const verdicts = ({ levels }: DiffReport): string[] => levels.map((l) => `${l.level} ${l.verdict}`);
  const firstOf = ({ levels }: DiffReport, level: DiffLevel) => levels.find((l) => l.level === level)?.first;

  it("has nothing to say where nothing is wrong, and writes nothing", async () => {
    const { code, report, folder, out } = await diff("right", []);
    expect(out).toContain("✓");
    expect(code).toBe(0);
    expect(verdicts(report)).toEqual(["a equal", "b equal", "c equal"]);
    expect(() => readdirSync(folder)).toThrow("ENOENT");
    expect(labNamespaces(prefix)).toEqual([]);
  });

  it("finds programs with a fault at level a, and writes a vector that shows it", async () => {
    const programs = mutantSource(dir, MUTANTS.find((m) => m.name === "outer ID not copied")!);
    const html = join(dir, "mutant.html");
    const { code, report, folder, out } = await diff("mutant", ["--programs", programs, "--html", html]);
    expect(code).toBe(1);
    expect(report.levels[0].verdict).toBe("different");
    expect(firstOf(report, "a")).toMatchObject({
      where: "egw/eth1 egress",
      what: "the frames are different",
      fields: expect.arrayContaining([
        expect.objectContaining({ layer: "ipv4", field: "identification", real: "0x0000" }),
      ]),
    });
    expect(out).toMatch(/≠ identification/);
    expect(readdirSync(folder).sort()).toEqual(["real.pcapng", "reference.pcapng", "report.json", "vector.jsonl"]);
    const vector = join(folder, "vector.jsonl");
    expect(readFileSync(vector, "utf8").trimEnd().split("\n")).toHaveLength(1);
    expect(await vectors(vector)).toMatchObject({ code: 0 });
    const { interfaces } = readCapture(readFileSync(join(folder, "real.pcapng")));
    expect(interfaces.map((i) => i.name)).toContain("egw/eth1:egress:before");
    expect(readFileSync(html, "utf8")).toContain("the real hook");
  });

  it("finds a wrong rule of a box at level b", async () => {
    const { code, report, folder, out } = await diff("rule", [], WRONG_RULE);
    expect(code).toBe(1);
    expect(verdicts(report).slice(0, 2)).toEqual(["a equal", "b different"]);
    const first = firstOf(report, "b");
    expect(first).toMatchObject({ where: "nat/eth1", what: "box and twin sent different frames" });
    expect(first?.fields).toContainEqual(expect.objectContaining({ layer: "udp", reference: "6000" }));
    expect(out).toContain("nat/eth1");
    expect(readdirSync(folder).sort()).toEqual(["real.pcapng", "reference.pcapng", "report.json"]);
  });

  it("finds a packet that was lost between two boxes at level c, which no box is to blame for", async () => {
    const { code, report, folder } = await diff("lost", [], LOST_PACKET);
    expect(code).toBe(1);
    expect(verdicts(report)).toEqual(["a equal", "b equal", "c different"]);
    const flows = report.levels[2].differences.filter((d) => d.where === "egw/eth1");
    expect(flows[0]?.reference?.summary).toContain("172.1.0.5:6000 > 172.1.0.3:5000");
    expect(flows[0]?.real).toBeUndefined();
    expect(readdirSync(folder).sort()).toEqual(["real.pcapng", "reference.pcapng", "report.json"]);
  });

  async function vectors(file: string): Promise<{ code: number; out: string }> {
    let out = "";
    const said = vi.spyOn(process.stdout, "write").mockImplementation((text) => {
      out += text;
      return true;
    });
    try {
      return { code: await main(["vectors", "run", file]), out };
    } finally {
      said.mockRestore();
      process.exitCode = undefined;
    }
  }
});
