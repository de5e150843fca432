/** `guelab fuzz`: generated packets through the reference and the eBPF programs, until a difference or an end. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { type CampaignResult, coverage, type Progress, runCampaign } from "../ebpf/differential/campaign.ts";
import { differenceText, writeCounterexample } from "../ebpf/differential/counterexample.ts";
import { LabError } from "../errors.ts";
import { type Paint, paintFor } from "../report/paint.ts";
import { VERSION } from "../version.ts";
import { isCapture, readCapture } from "../wire/pcap-reader.ts";
import { counterexampleEntry } from "./counterexample-entry.ts";
import { checkHtmlReport, writeHtmlReport } from "./html.ts";

interface FuzzOptions {
  seed?: number;
  count?: number;
  time?: number;
  shard: [number, number];
  hook?: "ingress" | "egress";
  corpus?: string;
  out: string;
  sequence?: number;
  require: number;
  json?: boolean;
  html?: string;
}

const DEFAULT_COUNT = 1_000_000;

export function fuzzCommand(): Command {
  return new Command("fuzz")
    .description("compare the reference data path with the eBPF programs, packet by packet")
    .option("--seed <n>", "the campaign's number; the same seed runs the same packets (default: a fresh one)", uint)
    .option("--count <n>", `packets to compare (default: ${DEFAULT_COUNT}, or no limit with --time)`, uint)
    .option("--time <s>", "seconds to run", uint)
    .option("--shard <i/n>", "run part i of n of the campaign", shard, [1, 1] as [number, number])
    .addOption(new Option("--hook <name>", "only this hook").choices(["ingress", "egress"]))
    .option("--corpus <dir>", "folder of captures (pcap, pcapng) whose frames are changed and sent as well")
    .option("--out <dir>", "where a counterexample is written", ".")
    .option("--sequence <n>", "run only this sequence of the seed, as a counterexample names it", uint)
    .option("--require <n>", "fail when a reason that can be reached was reached fewer times", uint, 0)
    .option("--json", "print the result as JSON")
    .option("--html <file>", "write a page that shows the difference packet by packet, in one file (docs/page.md)")
    .addHelpText(
      "after",
      "\nNeeds root, BPF and clang. Exit codes: 0 no difference, 1 a difference (or a reason below --require), 2 something is missing.",
    )
    .action((options: FuzzOptions) => {
      process.exitCode = fuzz(options);
    });
}

function uint(text: string): number {
  if (!/^\d{1,16}$/.test(text) || Number(text) > Number.MAX_SAFE_INTEGER)
    throw new InvalidArgumentError("Expected a whole number.");
  return Number(text);
}

function shard(text: string): [number, number] {
  const m = /^(\d{1,6})\/(\d{1,6})$/.exec(text);
  const [i, n] = m ? [Number(m[1]), Number(m[2])] : [0, 0];
  if (i < 1 || i > n) throw new InvalidArgumentError("Expected i/n with 1 <= i <= n, such as 1/4.");
  return [i, n];
}

function fuzz(options: FuzzOptions): number {
  if (options.html !== undefined) checkHtmlReport(options.html);
  const paint = paintFor(process.stdout);
  const seed = options.seed ?? Math.floor(Math.random() * 0x100000000);
  const [i, n] = options.shard;
  const corpus = options.corpus === undefined ? undefined : readCorpus(options.corpus);
  const tty = process.stderr.isTTY;
  const single = options.sequence !== undefined;
  if (!options.json) {
    const part = n === 1 ? "" : `, shard ${i}/${n}`;
    process.stdout.write(`seed ${seed}${part}${options.hook ? `, ${options.hook} only` : ""}\n`);
  }
  const result = runCampaign({
    seed,
    count: single ? 1 : (options.count ?? (options.time === undefined ? DEFAULT_COUNT : Number.POSITIVE_INFINITY)),
    seconds: options.time ?? Number.POSITIVE_INFINITY,
    shard: single ? 1 : i,
    shards: single ? 1 : n,
    first: options.sequence,
    hook: options.hook,
    corpus,
    onProgress: (p) => {
      if (tty) process.stderr.write(`\r\x1b[2K${rateText(p)}`);
    },
  });
  if (tty) process.stderr.write("\r\x1b[2K");

  const short = options.hook === undefined && !single ? missing(result, options.require) : [];
  const files = result.found?.shrunk ? write(result, seed, options) : [];
  if (options.json) process.stdout.write(`${JSON.stringify(toJson(result, seed, files, short))}\n`);
  else process.stdout.write(`${report(result, seed, options, files, short, paint).join("\n")}\n`);
  return result.found || short.length > 0 ? 1 : 0;
}

const rateText = (p: Progress): string =>
  `${p.packets.toLocaleString("en")} packets in ${p.sequences.toLocaleString("en")} sequences, ${p.seconds.toFixed(1)} s, ${Math.round(p.packets / p.seconds).toLocaleString("en")} packets/s`;

/** Reasons that can be reached and were not often enough. */
function missing(result: CampaignResult, atLeast: number): string[] {
  return coverage(result.reasons)
    .filter((r) => !r.outOfReach && r.count < atLeast)
    .map((r) => `${r.name} (${r.count})`);
}

function report(
  result: CampaignResult,
  seed: number,
  options: FuzzOptions,
  files: string[],
  short: string[],
  paint: Paint,
): string[] {
  const lines: string[] = [];
  const rows = coverage(result.reasons);
  const width = Math.max(...rows.map((r) => r.name.length));
  for (const r of rows) {
    const note = r.outOfReach && r.count === 0 ? paint("dim", `  ${r.outOfReach}`) : "";
    lines.push(`  ${r.name.padEnd(width)} ${String(r.count).padStart(10)}${note}`);
  }
  lines.push(rateText(result));
  const { found } = result;
  if (!found) lines.push(paint("green", "no difference"));
  else {
    const again = ["guelab fuzz", `--seed ${seed}`, `--sequence ${found.sequence}`];
    if (options.hook) again.push(`--hook ${options.hook}`);
    if (options.corpus) again.push(`--corpus ${options.corpus}`);
    lines.push(paint("red", `sequence ${found.sequence} differs: ${differenceText(found.difference)}`));
    lines.push(`again: ${again.join(" ")}`);
    if (found.shrunk) {
      const { rows: r, packets } = found.shrunk.case;
      lines.push(
        `smallest: ${packets.length} packet${packets.length === 1 ? "" : "s"}, ${r.length} rows: ${differenceText(found.shrunk.difference)}`,
        `written: ${files.join(" ")}`,
        `reproduce: guelab vectors run --datapath ebpf ${files[0]}`,
      );
    } else lines.push("it did not come up when the sequence was run again");
  }
  if (short.length > 0) lines.push(paint("red", `reached fewer than ${options.require} times: ${short.join(", ")}`));
  return lines;
}

/** Writes the smallest case as a vector, as a capture and, where one is asked for, as a page; gives the paths. */
function write(result: CampaignResult, seed: number, options: FuzzOptions): string[] {
  const found = result.found as Required<NonNullable<CampaignResult["found"]>>;
  const name = `fuzz-${seed}-${found.sequence}`;
  const files: string[] = writeCounterexample(options.out, name, found.shrunk.case, found.shrunk.difference);
  if (options.html === undefined) return files;
  const entries = [counterexampleEntry(found.shrunk, name)];
  writeHtmlReport(options.html, { version: VERSION, command: "guelab fuzz", entries });
  return [...files, options.html];
}

function toJson(result: CampaignResult, seed: number, files: string[], short: string[]): object {
  const reasons = Object.fromEntries(coverage(result.reasons).map((r) => [r.name, r.count]));
  const { packets, sequences, seconds, found } = result;
  const difference = found && { sequence: found.sequence, text: differenceText(found.difference), files };
  return { seed, packets, sequences, seconds, reasons, short, difference: difference ?? null };
}

/** Frames of every capture in a folder. */
function readCorpus(dir: string): Uint8Array[] {
  let names: string[];
  try {
    names = readdirSync(dir).sort();
  } catch (err) {
    throw new LabError("ERR_CORPUS", `cannot read the folder ${dir}: ${(err as Error).message}`, {
      hint: "Give a folder that holds pcap or pcapng files.",
      cause: err,
    });
  }
  const frames: Uint8Array[] = [];
  for (const name of names) {
    const path = join(dir, name);
    if (!statSync(path).isFile()) continue;
    const bytes = readFileSync(path);
    if (isCapture(bytes)) for (const p of readCapture(bytes).packets) frames.push(p.frame);
  }
  if (frames.length === 0)
    throw new LabError("ERR_CORPUS", `there is no capture in ${dir}`, {
      hint: "Give a folder that holds pcap or pcapng files.",
    });
  return frames;
}
