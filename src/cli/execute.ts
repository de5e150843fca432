/** Runs one scenario file to its report and what goes with it; the main thread and the workers of `run` share this. */
import { createHash } from "node:crypto";
import { LabError, type Position } from "../errors.ts";
import type { DataPathKind } from "../lab/linux/data-path.ts";
import { SimLab } from "../lab/sim/lab.ts";
import type { ReportEntry } from "../replay/document.ts";
import type { OpenSource } from "../replay/protocol.ts";
import { captureBytes, withHookPackets } from "../report/capture.ts";
import { coloured, plain } from "../report/paint.ts";
import { traceBySteps } from "../report/trace.ts";
import type { Lab } from "../scenario/lab.ts";
import { loadScenario, loadScenarioFiles } from "../scenario/load.ts";
import type { RunReport } from "../scenario/report-types.ts";
import { checkFits, runScenario } from "../scenario/runner.ts";
import type { Scenario } from "../scenario/scenario.ts";
import { batched } from "../sim/sha256.ts";
import { writeWhole } from "./write.ts";

export const LAB_KINDS = ["sim", "netns", "docker"] as const;
export type LabKind = (typeof LAB_KINDS)[number];

/** What each lab can have at its hosts' interfaces; the first is what it has when nothing is said. */
const DATA_PATHS: Readonly<Record<LabKind, readonly DataPathKind[]>> = {
  sim: ["reference"],
  netns: ["ebpf", "reference"],
  docker: ["ebpf"],
};

/** What is said of the hosts of a real lab. */
export interface Naming {
  prefix?: string;
  image?: string;
}

/** Throws LabError ERR_BAD_ARGUMENT for a lab that does not have that data path, and for a name that it would not use. */
export function checkPair(lab: LabKind, dataPath?: DataPathKind, { prefix, image }: Naming = {}): void {
  if (lab === "docker" && dataPath === "reference")
    throw new LabError(
      "ERR_BAD_ARGUMENT",
      "containers have docker's interfaces, and the reference needs TAP interfaces",
      {
        hint: "Leave --datapath out, or run it in namespaces: --lab netns --datapath reference.",
      },
    );
  if (dataPath !== undefined && !DATA_PATHS[lab].includes(dataPath))
    throw new LabError(
      "ERR_BAD_ARGUMENT",
      `the lab ${lab} runs with the data path ${DATA_PATHS[lab].join(", ")} only`,
      {
        hint: `Leave --datapath out, or choose the lab: ${LAB_KINDS.map((l) => `${l} (${DATA_PATHS[l].join(", ")})`).join(", ")}.`,
      },
    );
  if (prefix !== undefined && lab === "sim")
    throw new LabError("ERR_BAD_ARGUMENT", "--prefix names what a real lab makes; the simulated lab makes nothing");
  if (image !== undefined && lab !== "docker")
    throw new LabError("ERR_BAD_ARGUMENT", "--image is of containers: only the docker lab has them");
}

/** Plain data: it is sent to a worker. */
export interface Job {
  file: string;
  lab: LabKind;
  /** By default the lab's own. */
  dataPath?: DataPathKind;
  /** Of a real lab's names. */
  prefix?: string;
  /** Of the docker lab's hosts. */
  image?: string;
  /** In place of the scenario's own. */
  seed?: number;
  /** Path of the capture to write. */
  pcap?: string;
  /** The capture also has the frames at the other side of hooks. */
  hooks?: boolean;
  trace: boolean;
  /** Colours in the trace. */
  colours: boolean;
  /** Give what a report file holds of the run. */
  html: boolean;
}

/** Plain data: it comes from a worker. */
export interface JobResult {
  report?: RunReport;
  /** Lines of the trace, by steps. */
  trace: string[][];
  /** For a report file, where the job asks for it. */
  entry?: ReportEntry;
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
  // The page runs a simulated run again; what really happened it must be given.
  const captured = job.html && job.lab !== "sim";
  const record = scenario.needsPackets || job.trace || job.pcap !== undefined || captured;
  checkFits(scenario, { kind: job.lab });
  const lab = await openLab(job, scenario, record);
  try {
    const report = await runScenario(scenario, lab);
    const paint = job.colours ? coloured : plain;
    const about = { topology: lab.topology, paint };
    const trace = job.trace ? traceBySteps(report.steps, lab.packets(), lab.drops(), about) : [];
    // With hooks the packets' comments are known only now.
    const others = lab.hookPackets();
    if (job.pcap !== undefined)
      writeWhole(job.pcap, captureBytes(withHookPackets(lab.packets(), others), lab.topology));
    const capture = captured ? captureBytes(lab.packets(), lab.topology) : undefined;
    return { report, trace, entry: job.html ? reportEntry(job, report, capture) : undefined };
  } finally {
    await lab.close();
  }
}

/** A simulated run as its sources, any other as its capture. */
function reportEntry(job: Job, report: RunReport, capture?: Uint8Array): ReportEntry {
  const { file } = job;
  const { files } = loadScenarioFiles(file);
  const { title, status, seed } = report;
  const source: OpenSource =
    job.lab === "sim"
      ? { kind: "scenario", ...files, seed }
      : {
          kind: "capture",
          file: file.replace(/(\.ya?ml)?$/i, ".pcapng"),
          bytes: capture as Uint8Array,
          scenario: files,
          report,
        };
  return { title, status, lab: job.lab, source, report };
}

async function openLab(job: Job, scenario: Scenario, record: boolean): Promise<Lab> {
  const { topology, seed } = scenario;
  const common = { record, recordHooks: job.hooks, sha256: nodeSha256 };
  if (job.lab === "sim") return new SimLab(topology, { seed, ...common });
  const options = { prefix: job.prefix, ...common };
  if (job.lab === "docker") {
    const { openDockerLab } = await import("../lab/docker/lab.ts");
    return openDockerLab(topology, { ...options, image: job.image });
  }
  const { openNetnsLab } = await import("../lab/netns/lab.ts");
  return openNetnsLab(topology, { ...options, dataPath: job.dataPath });
}
