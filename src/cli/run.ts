/** `guelab run FILE...`: runs scenarios, many at once in worker threads, and says what happened. */
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { LabError } from "../errors.ts";
import { DATA_PATH_KINDS, type DataPathKind } from "../lab/linux/data-path.ts";
import { formatLacking, formatReport, formatTotals, ProgressLine } from "../report/console.ts";
import { toJson } from "../report/json.ts";
import { toJunit } from "../report/junit.ts";
import { type Paint, paintFor } from "../report/paint.ts";
import { VERSION } from "../version.ts";
import { checkPair, execute, type Job, type JobResult, LAB_KINDS, type LabKind } from "./execute.ts";
import { checkHtmlReport, writeHtmlReport } from "./html.ts";
import { lacking, refusals } from "./refusals.ts";
import { stepThrough } from "./step.ts";
import { checkWritable, writeWhole } from "./write.ts";

interface RunOptions {
  seed?: number;
  pcap?: string;
  hooks?: boolean;
  trace?: boolean;
  json?: string;
  junit?: string;
  html?: string;
  jobs: number;
  quiet?: boolean;
  step?: boolean;
  lab: LabKind;
  datapath?: DataPathKind;
  prefix?: string;
  image?: string;
}

/** As commander gives them: a report's option without a file is `true`. */
type GivenOptions = Omit<RunOptions, "json" | "junit"> & { json?: string | true; junit?: string | true };

export function runCommand(): Command {
  return new Command("run")
    .description("run scenarios and check their expectations")
    .argument("[file...]", "scenario files")
    .addOption(new Option("--lab <lab>", "where the hosts are").choices(LAB_KINDS).default("sim"))
    .addOption(
      new Option("--datapath <path>", "what is at their interfaces (default: the lab's own)").choices(DATA_PATH_KINDS),
    )
    .option("--prefix <name>", "of all names that a real lab uses (default: the topology's name)")
    .option("--image <name>", "of the docker lab's hosts (default: guelab, see guelab image)")
    .option("--seed <n>", "seed of every random choice, in place of the scenario's", uint)
    .option("--pcap <dir>", "write a capture of each scenario into this folder, NAME.pcapng")
    .option("--hooks", "with --pcap: also what is in front of egress hooks and behind ingress hooks")
    .option("--trace", "print every packet on every NIC, and what the hooks made of it")
    .option("--json [file]", "write the reports as JSON; without a file, or with -, print them in place of the text")
    .option("--junit [file]", "the same as JUnit XML")
    .option("--html <file>", "write a page that shows the runs packet by packet, in one file (docs/page.md)")
    .option("--step", "walk through one scenario event by event, forward and back (docs/replay.md)")
    .option("-j, --jobs <n>", "scenarios at the same time", positive, availableParallelism())
    .option("-q, --quiet", "print failed scenarios only")
    .addHelpText(
      "after",
      "\nExit codes: 0 all expectations held, 1 one did not, 2 bad input, or the machine lacks something: also a command that is refused where its step does not expect it.",
    )
    .action(async (given: string[], options: GivenOptions, command: Command) => {
      const files = [...given];
      const json = reportTarget(options.json, files);
      const junit = reportTarget(options.junit, files);
      if (files.length === 0) command.error("error: missing required argument 'file'");
      if (options.step) {
        const reports = [json, junit, options.html, options.pcap].some((target) => target !== undefined);
        if (files.length > 1 || options.lab !== "sim" || reports || options.trace)
          command.error("error: --step takes one scenario, in the simulated lab, and goes with --seed only");
        process.exitCode = await stepThrough(files[0], { seed: options.seed });
        return;
      }
      process.exitCode = await run(files, { ...options, json, junit });
    });
}

/** Where a report goes. A scenario behind the option is a scenario to run: it is never written over. */
function reportTarget(value: string | true | undefined, files: string[]): string | undefined {
  if (value === true) return "-";
  if (value === undefined || !/\.ya?ml$/i.test(value)) return value;
  files.unshift(value);
  return "-";
}

function uint(text: string): number {
  if (!/^\d{1,10}$/.test(text) || Number(text) > 0xffffffff)
    throw new InvalidArgumentError("Expected 0 to 4294967295.");
  return Number(text);
}

function positive(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError("Expected 1 to 9999.");
  return Number(text);
}

async function run(files: string[], options: RunOptions): Promise<number> {
  checkTargets(options);
  checkPair(options.lab, options.datapath, options);
  if (options.html !== undefined) checkHtmlReport(options.html);
  const paint = paintFor(process.stdout);
  const captures = options.pcap === undefined ? undefined : captureNames(files, options.pcap);
  for (const path of [options.json, options.junit, ...(captures ?? [])])
    if (path !== undefined && path !== "-") checkWritable(path);
  const jobs: Job[] = files.map((file, i) => ({
    file,
    lab: options.lab,
    dataPath: options.datapath,
    prefix: options.prefix,
    image: options.image,
    seed: options.seed,
    pcap: captures?.[i],
    hooks: options.hooks ?? false,
    trace: options.trace ?? false,
    colours: paint("bold", "x") !== "x",
    html: options.html !== undefined,
  }));
  const text = options.json !== "-" && options.junit !== "-";
  // A real lab's names and its processor time are not to be shared.
  const threads = options.lab === "sim" ? Math.max(1, options.jobs) : 1;
  const many = files.length > 1;
  const results = await runAll(jobs, threads, (result, file) => {
    if (!text) return;
    const lacks = many ? lacking(result) : undefined;
    if (lacks === undefined) print(result, many && !options.trace ? "failures" : "full", options.quiet ?? false);
    else if (!options.quiet) process.stdout.write(`${formatLacking(file, lacks, paint)}\n`);
  });

  const reports = results.flatMap((r) => (r.report ? [r.report] : []));
  if (options.json !== undefined) deliver(options.json, toJson(reports));
  if (options.junit !== undefined) deliver(options.junit, toJunit(reports));
  const entries = results.flatMap((r) => (r.entry ? [r.entry] : []));
  if (options.html !== undefined && entries.length > 0)
    writeHtmlReport(options.html, { version: VERSION, command: "guelab run", entries });
  const bad = results.length - reports.length;
  if (text && many) process.stdout.write(`${totals(results, paint)}\n`);
  if (bad > 0 || reports.some((r) => refusals(r).length > 0)) return 2;
  return reports.every((r) => r.status === "passed") ? 0 : 1;
}

function totals(results: readonly JobResult[], paint: Paint): string {
  const missing = results.map(lacking);
  const ran = results.filter((_, i) => missing[i] === undefined);
  const reports = ran.flatMap((r) => r.report ?? []);
  return formatTotals(reports, paint, {
    lacking: missing.filter((m) => m !== undefined),
    bad: ran.length - reports.length,
  });
}

/** Options that go together do, and no two reports go to one place. Throws LabError. */
function checkTargets({ json, junit, html, hooks, pcap }: RunOptions): void {
  if (hooks && pcap === undefined)
    throw new LabError("ERR_BAD_ARGUMENT", "--hooks says what a capture holds: it goes with --pcap", {
      hint: "For example: --pcap captures --hooks",
    });
  const targets = Object.entries({ json, junit, html });
  for (const [i, [name, target]] of targets.entries()) {
    const other = targets.slice(0, i).find(([, t]) => t !== undefined && t === target);
    if (other === undefined) continue;
    throw new LabError("ERR_BAD_ARGUMENT", `--${other[0]} and --${name} both write to ${target}`, {
      hint: "Give one of them another file.",
    });
  }
}

/** Results in the order of the jobs; `onResult` is called in that order too, as early as it can be. */
async function runAll(
  jobs: Job[],
  threads: number,
  onResult: (result: JobResult, file: string) => void,
): Promise<JobResult[]> {
  if (jobs.length === 1 || threads === 1) {
    const results: JobResult[] = [];
    for (const job of jobs) {
      results.push(await execute(job));
      onResult(results[results.length - 1], job.file);
    }
    return results;
  }
  const { Piscina } = await import("piscina");
  const pool = new Piscina<Job, JobResult>({
    filename: new URL("./worker.js", import.meta.url).href,
    maxThreads: Math.min(threads, jobs.length),
  });
  const progress = new ProgressLine(process.stderr);
  const results = new Array<JobResult | undefined>(jobs.length).fill(undefined);
  let done = 0;
  let failed = 0;
  let shown = 0;
  try {
    await Promise.all(
      jobs.map(async (job, i) => {
        const result = await pool.run(job);
        results[i] = result;
        done++;
        if (result.report?.status !== "passed") failed++;
        progress.clear();
        for (let next = results[shown]; next !== undefined; next = results[++shown]) onResult(next, jobs[shown].file);
        progress.update(done, jobs.length, failed, job.file);
      }),
    );
  } finally {
    progress.clear();
    await pool.destroy();
  }
  return results as JobResult[];
}

function print(result: JobResult, detail: "full" | "failures", quiet: boolean): void {
  // A refusal stands in the report, too: on a terminal that shows both it is said once.
  const both = process.stdout.isTTY && process.stderr.isTTY;
  const refused = result.report !== undefined && !both ? refusals(result.report) : [];
  for (const error of [...(result.error ? [result.error] : []), ...refused]) {
    const { code = "", message, position, hint } = error;
    process.stderr.write(`guelab: ${new LabError(code, message, { position, hint }).format()}\n`);
  }
  if (result.report === undefined || (quiet && result.report.status === "passed")) return;
  process.stdout.write(
    `${formatReport(result.report, { paint: paintFor(process.stdout), detail, trace: result.trace })}\n`,
  );
}

function deliver(path: string, content: string): void {
  if (path === "-") process.stdout.write(content);
  else writeWhole(path, content);
}

/** One capture per scenario, called after the file; as many folder names in front as it takes to tell them apart. */
function captureNames(files: string[], dir: string): string[] {
  const stem = (file: string): string => basename(file).replace(/\.ya?ml$/i, "");
  for (let depth = 0; depth < 8; depth++) {
    const names = files.map((file) => {
      const folders = dirname(file)
        .split(/[\\/]/)
        .filter((f) => f !== "." && f !== ".." && f !== "");
      return [...(depth > 0 ? folders.slice(-depth) : []), stem(file)].join("-");
    });
    if (new Set(names).size === files.length) return names.map((name) => join(dir, `${name}.pcapng`));
  }
  throw new LabError(
    "ERR_DUPLICATE_FILE",
    "a scenario file is given twice, so that captures would overwrite each other",
  );
}
