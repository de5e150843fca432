/** `guelab diff FILE...`: runs scenarios on real Linux and says at which packets the reference would have done otherwise. */
import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { type RecordedRun, recordRun } from "../diff/real.ts";
import { diffReport } from "../diff/report.ts";
import { DIFF_LEVELS, type DiffLevel, type DiffReport } from "../diff/types.ts";
import { LabError } from "../errors.ts";
import { DATA_PATH_KINDS, type DataPathKind } from "../lab/linux/data-path.ts";
import type { HostHistory } from "../lab/linux/hook-record.ts";
import type { LinuxLab } from "../lab/linux/lab.ts";
import { SimLab } from "../lab/sim/lab.ts";
import { captureBytes, withHookPackets } from "../report/capture.ts";
import { diffJson, formatDiff, formatDiffTotals, formatRules } from "../report/diff.ts";
import { paintFor } from "../report/paint.ts";
import { loadScenario } from "../scenario/load.ts";
import { checkFits } from "../scenario/runner.ts";
import type { Scenario } from "../scenario/scenario.ts";
import { VERSION } from "../version.ts";
import { diffEntries } from "./diff-entries.ts";
import { checkPair, nodeSha256 } from "./execute.ts";
import { checkHtmlReport, writeHtmlReport } from "./html.ts";
import { refusals } from "./refusals.ts";
import { checkWritable, writeWhole } from "./write.ts";

const REAL_LABS = ["netns", "docker"] as const;

interface DiffOptions {
  against: (typeof REAL_LABS)[number];
  datapath: DataPathKind;
  level: DiffLevel[];
  prefix?: string;
  image?: string;
  programs?: string;
  json?: string | true;
  html?: string;
  out?: string;
}

/** One scenario's comparison, and the runs behind it. */
export interface Compared {
  file: string;
  report: DiffReport;
  real: RecordedRun;
  reference?: RecordedRun;
}

export function diffCommand(): Command {
  return new Command("diff")
    .description(
      "compare a run on real Linux with the reference: hook by hook, box by box, and the scenario as a whole",
    )
    .argument("<file...>", "scenario files")
    .addOption(new Option("--against <lab>", "the real side").choices(REAL_LABS).default("netns"))
    .addOption(
      new Option("--datapath <path>", "what is at the hosts' interfaces").choices(DATA_PATH_KINDS).default("ebpf"),
    )
    .option("--level <levels>", "a (hooks), b (boxes), c (scenario)", levels, [...DIFF_LEVELS])
    .option("--prefix <name>", "of all names that the real lab uses (default: the topology's name)")
    .option("--image <name>", "docker image of the hosts")
    .option("--programs <dir>", "sources of the eBPF programs at the hooks, in place of guelab's own")
    .option("--json [file]", "write the reports as JSON; without a file, or with -, print them in place of the text")
    .option("--html <file>", "write the captures of both sides as a page to look at")
    .option("--out <dir>", "where to write captures, vector and report of a difference (default: guelab-diff-NAME)")
    .addHelpText(
      "after",
      "\nExit codes: 0 nothing differs but by a named rule, 1 something does, 2 bad input or a missing capability.",
    )
    .action(async (files: string[], options: DiffOptions) => {
      process.exitCode = await diff(files, options);
    });
}

function levels(text: string): DiffLevel[] {
  const wanted = text.split(",").map((l) => l.trim());
  const unknown = wanted.find((l) => !(DIFF_LEVELS as readonly string[]).includes(l));
  if (unknown !== undefined) throw new InvalidArgumentError(`'${unknown}' is no level. Expected some of a,b,c.`);
  return wanted as DiffLevel[];
}

async function diff(files: string[], options: DiffOptions): Promise<number> {
  const json = options.json === true ? "-" : options.json;
  if (json !== undefined && /\.ya?ml$/i.test(json))
    throw new LabError("ERR_BAD_ARGUMENT", `--json would write over the scenario ${json}`, {
      hint: "Name the report's file behind it, or put --json last.",
    });
  checkPair(options.against, options.datapath, { prefix: options.prefix, image: options.image });
  if (json !== undefined && json !== "-") checkWritable(json);
  if (options.html !== undefined) checkHtmlReport(options.html);
  if (options.programs !== undefined) checkPrograms(options.programs, options);
  if (options.out !== undefined) checkWritable(join(options.out, "report.json"));
  const text = { paint: paintFor(process.stdout), width: process.stdout.columns };
  const done: Compared[] = [];
  let failed = 0;
  for (const file of files) {
    const compared = await compare(file, options).catch((err: unknown) => {
      if (!(err instanceof LabError)) throw err;
      process.stderr.write(`guelab: ${files.length > 1 ? `${file}: ` : ""}${err.format()}\n`);
      failed++;
    });
    if (compared === undefined) continue;
    if (compared.report.verdict === "different") keep(compared, options.out, files);
    done.push(compared);
    if (json !== "-") process.stdout.write(`${formatDiff(compared.report, text)}\n`);
  }
  const reports = done.map((c) => c.report);
  if (json === "-") process.stdout.write(diffJson(reports));
  else {
    const rules = formatRules(reports, text);
    if (rules !== "") process.stdout.write(`\n${rules}\n`);
    if (files.length > 1) process.stdout.write(`\n${formatDiffTotals(reports, failed, text)}\n`);
    if (json !== undefined) writeWhole(json, diffJson(reports));
  }
  if (options.html !== undefined && done.length > 0)
    writeHtmlReport(options.html, { version: VERSION, command: "guelab diff", entries: done.flatMap(diffEntries) });
  if (failed > 0) return 2;
  return reports.every((r) => r.verdict === "equal") ? 0 : 1;
}

/** Programs are compared at level a alone, where they record what they do. Throws LabError ERR_BAD_ARGUMENT. */
function checkPrograms(folder: string, { datapath, level }: DiffOptions): void {
  if (datapath !== "ebpf" || !level.includes("a"))
    throw new LabError("ERR_BAD_ARGUMENT", "--programs is of eBPF programs that are compared hook by hook", {
      hint: "Leave --datapath reference out, and have a among the levels.",
    });
  if (!existsSync(join(folder, "record.bpf.c")))
    throw new LabError("ERR_BAD_ARGUMENT", `${folder} holds no programs: there is no record.bpf.c`, {
      hint: "Copy the folder bpf of this package, and change the copy.",
    });
}

async function compare(file: string, options: DiffOptions): Promise<Compared> {
  const scenario = loadScenario(file);
  checkFits(scenario, { kind: options.against });
  const hooks = options.level.includes("a");
  const lab = await openReal(scenario, options, hooks);
  let histories: readonly HostHistory[] | undefined;
  const real = await recordRun(scenario, lab, () => {
    if (hooks) histories = lab.histories();
  });
  const [refused] = refusals(real.report);
  if (refused !== undefined)
    throw new LabError(refused.code ?? "", refused.message, { position: refused.position, hint: refused.hint });
  const reference = options.level.includes("c") ? await recordRun(scenario, openSim(scenario)) : undefined;
  const { against, datapath: dataPath, level } = options;
  return {
    file,
    real,
    reference,
    report: diffReport({ file, against, dataPath, levels: level, real, reference, histories }),
  };
}

const openSim = ({ topology, seed }: Scenario): SimLab =>
  new SimLab(topology, { seed, record: true, recordHooks: true, sha256: nodeSha256 });

async function openReal({ topology }: Scenario, options: DiffOptions, recordHooks: boolean): Promise<LinuxLab> {
  const { prefix, image, datapath: dataPath } = options;
  const recorded = recordHooks && options.programs !== undefined ? resolve(options.programs) : recordHooks;
  const common = { prefix, record: true, recordHooks: recorded, sha256: nodeSha256 };
  if (options.against === "docker") {
    const { openDockerLab } = await import("../lab/docker/lab.ts");
    return openDockerLab(topology, { ...common, image });
  }
  const { openNetnsLab } = await import("../lab/netns/lab.ts");
  return openNetnsLab(topology, { ...common, dataPath });
}

const VECTOR = "vector.jsonl";

const wholeCapture = ({ packets, hookPackets, topology }: RecordedRun): Uint8Array =>
  captureBytes(withHookPackets(packets, hookPackets), topology);

/** Writes what shows a difference: both captures, the vector, the report. */
function keep({ file, report, real, reference }: Compared, out: string | undefined, files: string[]): void {
  const name = basename(file).replace(/\.ya?ml$/i, "");
  const folder = out === undefined ? `guelab-diff-${name}` : files.length > 1 ? join(out, name) : out;
  const vector = report.levels.find((l) => l.vector !== undefined)?.vector;
  report.captures = {
    folder,
    real: "real.pcapng",
    ...(reference && { reference: "reference.pcapng" }),
    report: "report.json",
    ...(vector !== undefined && { vector: VECTOR }),
  };
  writeWhole(join(folder, "real.pcapng"), wholeCapture(real));
  if (reference !== undefined) writeWhole(join(folder, "reference.pcapng"), wholeCapture(reference));
  if (vector !== undefined) writeWhole(join(folder, VECTOR), `${vector}\n`);
  writeWhole(join(folder, "report.json"), diffJson([report]));
}
