/** Runs one scenario file to its report and what goes with it; the main thread and the workers of `run` share this. */
import { createHash } from "node:crypto";
import { mkdirSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { threadId } from "node:worker_threads";
import { LabError, type Position } from "../errors.ts";
import { SimLab } from "../lab/sim/lab.ts";
import { captureBytes } from "../report/capture.ts";
import { coloured, plain } from "../report/paint.ts";
import { traceLines } from "../report/trace.ts";
import { loadScenario } from "../scenario/load.ts";
import type { RunReport } from "../scenario/report-types.ts";
import { runScenario } from "../scenario/runner.ts";
import { batched } from "../sim/sha256.ts";

/** Plain data: it is sent to a worker. */
export interface Job {
  file: string;
  /** In place of the scenario's own. */
  seed?: number;
  /** Path of the capture to write. */
  pcap?: string;
  trace: boolean;
  /** Colours in the trace. */
  colours: boolean;
}

/** Plain data: it comes from a worker. */
export interface JobResult {
  report?: RunReport;
  /** Lines of the trace. */
  trace: string[];
  /** Bad input: what LabError.format() needs. */
  error?: { code: string; message: string; position?: Position; hint?: string };
}

/** Node's SHA-256, several times as fast as the portable one. */
export const nodeSha256 = () => {
  const hash = createHash("sha256");
  return batched(
    (bytes) => hash.update(bytes),
    () => hash.digest("hex"),
  );
};

/** Runs a job; an error that is the user's to mend is in the result. */
export async function execute(job: Job): Promise<JobResult> {
  try {
    return await attempt(job);
  } catch (err) {
    if (!(err instanceof LabError)) throw err;
    const { code, message, position, hint } = err;
    return { trace: [], error: { code, message, position, hint } };
  }
}

async function attempt(job: Job): Promise<JobResult> {
  const scenario = loadScenario(job.file);
  scenario.seed = job.seed ?? scenario.seed;
  const record = scenario.needsPackets || job.trace || job.pcap !== undefined;
  const lab = new SimLab(scenario.topology, { seed: scenario.seed, record, sha256: nodeSha256 });
  try {
    const report = await runScenario(scenario, lab);
    const paint = job.colours ? coloured : plain;
    const trace = job.trace ? [...traceLines(lab.packets(), lab.drops(), { topology: lab.topology, paint })] : [];
    if (job.pcap !== undefined) writeWhole(job.pcap, captureBytes(lab.packets(), lab.topology));
    return { report, trace };
  } finally {
    await lab.close();
  }
}

/**
 * Writes a file all at once: what was there before stays until the new one is complete. What is no regular file
 * (/dev/stdout, a named pipe) is written to, never replaced. Throws ERR_FILE_UNWRITABLE, ERR_FILE_IS_DIRECTORY.
 */
export function writeWhole(path: string, content: Uint8Array | string): void {
  let part: string | undefined;
  try {
    const info = statSync(path, { throwIfNoEntry: false });
    if (info?.isDirectory())
      throw new LabError("ERR_FILE_IS_DIRECTORY", `${path} is a directory`, { hint: "Name a file in it." });
    if (info !== undefined && !info.isFile()) {
      writeFileSync(path, content);
      return;
    }
    makeFolder(dirname(path));
    // A link stays a link.
    const target = info === undefined ? path : realpathSync(path);
    part = `${target}.${process.pid}.${threadId}.part`;
    writeFileSync(part, content);
    renameSync(part, target);
  } catch (err) {
    if (part !== undefined) rmSync(part, { force: true });
    if (err instanceof LabError) throw err;
    throw new LabError("ERR_FILE_UNWRITABLE", `${path} cannot be written (${(err as NodeJS.ErrnoException).code})`, {
      hint: "Check the path and its permissions.",
      cause: err,
    });
  }
}

/** mkdir -p. Node's own never returns where a folder refuses new entries with ENOENT, as /proc does. */
function makeFolder(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  if (dirname(path) !== path) makeFolder(dirname(path));
  try {
    mkdirSync(path);
  } catch (err) {
    // Another worker was faster.
    if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) throw err;
  }
}
