/** `guelab vectors run FILE.jsonl...`: drives the data path with packet vectors. Format: docs/vectors.md. */
import { readFileSync } from "node:fs";
import { Command, Option } from "commander";
import { parseVectors, type Vector } from "../dataplane/vector.ts";
import { formatMismatch, referenceTarget, runVector, type VectorTarget } from "../dataplane/vector-run.ts";
import { LabError } from "../errors.ts";

export function vectorsCommand(): Command {
  const vectors = new Command("vectors").description("drive the data path with packet vectors");
  vectors
    .command("run")
    .description(
      "Run packet vectors, one JSON object a line, and print each with its results. What stands under want and want_after is checked. Exit code 1 when something differs, 2 on bad input or where a vector cannot be run.",
    )
    .argument("<files...>", "vector files; - reads standard input")
    .addOption(
      new Option("--datapath <name>", "what runs them; ebpf needs root, BPF and clang")
        .choices(["reference", "ebpf"])
        .default("reference"),
    )
    .action(runFiles);
  return vectors;
}

/** Reads all files before it runs any, so that bad input has no half-done output. */
async function runFiles(files: string[], options: { datapath: "reference" | "ebpf" }): Promise<void> {
  const vectors = files.flatMap(readVectorFile);
  if (options.datapath === "reference") return runVectors(vectors, referenceTarget());
  const { openTestDataPath } = await import("../ebpf/testrun.ts");
  const target = openTestDataPath();
  try {
    runVectors(vectors, target);
  } finally {
    target.close();
  }
}

/** Errors of a single vector: the kernel cannot build the packet, or cannot be brought to give the FIB's answer. */
const NOT_RUNNABLE: readonly string[] = ["ERR_TEST_RUN", "ERR_FIB_TEST"];

function runVectors(vectors: readonly Vector[], target: VectorTarget): void {
  let failed = 0;
  let notRun = 0;
  let out: string[] = [];
  const say = (vector: Vector, what: string): void => {
    process.stderr.write(`${vector.file}:${vector.line}: ${vector.name}: ${what}\n`);
  };
  for (const vector of vectors) {
    try {
      const { json, mismatches } = runVector(vector, target);
      out.push(JSON.stringify(json));
      if (mismatches.length > 0) {
        failed++;
        const more = mismatches.length === 1 ? "" : ` (and ${mismatches.length - 1} more)`;
        say(vector, `${formatMismatch(mismatches[0])}${more}`);
      }
    } catch (err) {
      if (!(err instanceof LabError) || !NOT_RUNNABLE.includes(err.code)) throw err;
      notRun++;
      out.push(JSON.stringify({ ...vector.json, not_run: err.message }));
      say(vector, `not run: ${err.message} (${err.code})`);
    }
    if (out.length === 256) {
      process.stdout.write(`${out.join("\n")}\n`);
      out = [];
    }
  }
  if (out.length > 0) process.stdout.write(`${out.join("\n")}\n`);
  if (failed > 0) process.stderr.write(`${failed} of ${vectors.length} vectors differ from what they want\n`);
  if (notRun > 0) process.stderr.write(`${notRun} of ${vectors.length} vectors cannot be run on this data path\n`);
  if (failed > 0) process.exitCode = 1;
  else if (notRun > 0) process.exitCode = 2;
}

function readVectorFile(file: string): Vector[] {
  const name = file === "-" ? "standard input" : file;
  let text: string;
  try {
    text = readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (err) {
    const why = (err as NodeJS.ErrnoException).code;
    const reason =
      why === "ENOENT" ? "there is no such file" : why === "EISDIR" ? "it is a directory" : (err as Error).message;
    throw new LabError("ERR_VECTOR_FILE", `cannot read ${name}: ${reason}`, {
      hint: "Give one or more .jsonl files, or - for standard input.",
      cause: err,
    });
  }
  return parseVectors(text, name);
}
