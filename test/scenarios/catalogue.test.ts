/**
 * Every scenario of the catalogue in the simulated lab: it passes, the same seed gives the same bytes, and tshark finds
 * nothing wrong with any packet that was captured.
 */
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nodeSha256 } from "../../src/cli/execute.ts";
import { SimLab } from "../../src/lab/sim/lab.ts";
import { captureBytes } from "../../src/report/capture.ts";
import { formatReport } from "../../src/report/console.ts";
import type { PacketRecord } from "../../src/scenario/lab.ts";
import { loadScenario, loadTopology } from "../../src/scenario/load.ts";
import type { RunReport } from "../../src/scenario/report-types.ts";
import { runScenario } from "../../src/scenario/runner.ts";
import type { Scenario } from "../../src/scenario/scenario.ts";
import { readScenario } from "../../src/scenario/scenario-yaml.ts";
import { itWith, tshark } from "../support/tools.ts";

const root = resolve(import.meta.dirname, "../../scenarios");
const FILES = readdirSync(root, { recursive: true, encoding: "utf8" })
  .map((f) => f.replaceAll("\\", "/"))
  .filter((f) => f.endsWith(".yaml"))
  .sort();

/** Scenarios that damage packets on purpose: some must be found bad. */
const DAMAGES_PACKETS: readonly string[] = ["faults/03-corruption.yaml"];
/** Scenarios that put a damaged packet into a tunnel. */
const DAMAGES_INNER_PACKETS: readonly string[] = [
  ...DAMAGES_PACKETS,
  "security/03-truncated.yaml",
  "security/04-wrong-header-words.yaml",
];
/** Scenarios that are run with another seed as well. */
const OTHER_SEED = [
  "basic/02-node2-behind-nat.yaml",
  "gue/05-mapping-changes.yaml",
  "split/01-node1-random-ports.yaml",
];

/** Captures with more bytes of frames than this are compared and dissected with smaller files in them. */
const MAX_CAPTURE_BYTES = 20e6;

/** A machine that does much else at the time is no failure. */
const TIMEOUT_MS = 240_000;

interface Run {
  report: RunReport;
  packets: readonly PacketRecord[];
  frameBytes: number;
  capture(): Uint8Array;
}

async function run(scenario: Scenario, keepGoing = false): Promise<Run> {
  const lab = new SimLab(scenario.topology, { seed: scenario.seed, record: true, sha256: nodeSha256 });
  try {
    const report = await runScenario(scenario, lab, undefined, { keepGoing });
    const packets = lab.packets();
    const frameBytes = packets.reduce((sum, p) => sum + p.frame.length, 0);
    return { report, packets, frameBytes, capture: () => captureBytes(packets, scenario.topology) };
  } finally {
    await lab.close();
  }
}

/** The scenario with 1 MiB in place of every larger file; its expectations of sizes and hashes do not hold then. */
function smaller(path: string): Scenario {
  const text = readFileSync(path, "utf8")
    .replace(/data_\d+M\.bin/g, "data_1M.bin")
    .replace(/--data-size \d+M/g, "--data-size 1M");
  return readScenario(text, { file: path, loadTopology: (name, at) => loadTopology(name, root, at) });
}

const passes = (report: RunReport): void =>
  expect(report.status, `\n${formatReport(report, { detail: "failures" })}\n`).toBe("passed");

/** Nothing when both runs gave the same capture; else the first packet in which they differ. */
function difference(a: Run, b: Run): string {
  if (Buffer.compare(a.capture(), b.capture()) === 0) return "";
  const text = (p?: PacketRecord): string =>
    p ? `${p.timeNs} ns ${p.host}/${p.nic} ${p.direction} ${Buffer.from(p.frame).toString("hex")}` : "no packet";
  const i = a.packets.findIndex((p, n) => text(p) !== text(b.packets[n]));
  const at = i < 0 ? a.packets.length : i;
  return `packet ${at + 1}: ${text(a.packets[at])}, then ${text(b.packets[at])}`;
}

/** Where in the joined capture a scenario's packets stand: numbers as tshark counts them. */
interface Section {
  file: string;
  inner: boolean;
  from: number;
  to: number;
}
const sections: Section[] = [];
const SENTINEL = "a packet with a wrong checksum";
let dir: string;
let joined: string;

/** pcapng files may be joined end to end; one start of tshark is then enough for all. */
function keep(file: string, packets: readonly PacketRecord[], bytes: Uint8Array, inner: boolean): void {
  const from = (sections.at(-1)?.to ?? 0) + 1;
  appendFileSync(joined, bytes);
  sections.push({ file, inner, from, to: from + packets.length - 1 });
}

const DATA_HEADERS = 52;
/**
 * What the tunnels carry, as packets of their own: tshark does not know this GUE. Read by position, apart from the code
 * that is tested: an IPv4 header without options, UDP, and the first word of a data packet.
 */
function innerPackets(packets: readonly PacketRecord[]): PacketRecord[] {
  return packets.flatMap((p) => {
    const b = Buffer.from(p.frame);
    const data = b.length > 14 + DATA_HEADERS && b.readUInt32BE(12) >>> 8 === 0x080045 && b[23] === 17;
    if (!data || b.readUInt32BE(42) !== 0x0504a000) return [];
    return [{ ...p, hook: undefined, frame: Buffer.concat([b.subarray(0, 14), b.subarray(14 + DATA_HEADERS)]) }];
  });
}

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "guelab-catalogue-"));
  joined = join(dir, "all.pcapng");
});
afterAll(() => rmSync(dir, { recursive: true }));

describe("the catalogue in sim", () => {
  for (const file of FILES)
    it(
      file,
      async ({ skip }) => {
        const path = join(root, file);
        const scenario = loadScenario(path);
        if (scenario.labs && !scenario.labs.includes("sim")) skip(`it is for ${scenario.labs.join(" and ")}`);
        let first = await run(scenario);
        passes(first.report);
        const large = first.frameBytes > MAX_CAPTURE_BYTES;
        if (large) first = await run(smaller(path), true);
        expect(first.frameBytes).toBeLessThan(MAX_CAPTURE_BYTES);
        const second = await run(large ? smaller(path) : loadScenario(path), large);
        expect(difference(first, second), "the same seed gives the same packets").toBe("");
        keep(file, first.packets, first.capture(), false);
        const inner = innerPackets(first.packets);
        if (inner.length > 0) keep(file, inner, captureBytes(inner, scenario.topology), true);
      },
      TIMEOUT_MS,
    );

  it.each(OTHER_SEED)("%s passes with another seed, by other packets", async (file) => {
    const [one, other] = [loadScenario(join(root, file)), loadScenario(join(root, file))];
    other.seed = one.seed + 1;
    const [a, b] = [await run(one), await run(other)];
    passes(b.report);
    expect(difference(a, b)).not.toBe("");
  });

  itWith("tshark", "every checksum is right and no packet malformed, says tshark", () => {
    // Last comes a packet that is bad for certain: when it is found, all before it were looked at.
    const [mac, ip] = ["020000000002020000000001", "4500001c00000000400100000a0000010a000002"];
    const last = {
      timeNs: 0,
      host: "",
      nic: "",
      direction: "in",
      frame: Buffer.from(`${mac}0800${ip}0800f7ff00000000`, "hex"),
    } as const;
    keep(SENTINEL, [last], captureBytes([last]), false);
    const bad = ["ip", "tcp", "udp", "icmp"].map((p) => `${p}.checksum.status == 0`);
    // Payloads are nobody's business here: by their ports tshark would take some for protocols that they are not.
    const plain = ["tcp.port==1-65535,data", "udp.port==1-65535,data"].flatMap((d) => ["-d", d]);
    const settings = ["-o", "tcp.desegment_tcp_streams:FALSE", "-o", "ip.defragment:FALSE"];
    const filter = ["-Y", [...bad, "_ws.malformed"].join(" || ")];
    const { out } = tshark(joined, [
      ...plain,
      ...settings,
      ...filter,
      "-T",
      "fields",
      "-e",
      "frame.number",
      "-e",
      "_ws.col.Info",
    ]);
    const found = out
      .split("\n")
      .filter(Boolean)
      .map((line) => {
        const [number, info] = line.split("\t");
        const section = sections.find((s) => Number(number) >= s.from && Number(number) <= s.to);
        return { ...section, text: `${section?.file} packet ${Number(number) - (section?.from ?? 1) + 1}: ${info}` };
      });
    expect(found.pop()?.file).toBe(SENTINEL);
    const onPurpose = (inner?: boolean): readonly string[] => (inner ? DAMAGES_INNER_PACKETS : DAMAGES_PACKETS);
    expect(found.filter((f) => !onPurpose(f.inner).includes(f.file ?? "")).map((f) => f.text)).toEqual([]);
    // The lists hold no name that does not belong there; and tshark does find what is wrong.
    for (const inner of [false, true])
      for (const file of onPurpose(inner).filter((f) => sections.some((s) => s.file === f)))
        expect(
          found.some((f) => f.file === file && f.inner === inner),
          `${file} damages packets`,
        ).toBe(true);
  });
});
