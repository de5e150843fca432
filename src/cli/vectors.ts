/** `guelab vectors run FILE.jsonl...`: drives the data path with packet vectors. Format: docs/vectors.md. */
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { parseVectors, type Vector } from "../dataplane/vector.ts";
import { formatMismatch, referenceTarget, runVector } from "../dataplane/vector-run.ts";
import { LabError } from "../errors.ts";

export function vectorsCommand(): Command {
  const vectors = new Command("vectors").description("drive the data path with packet vectors");
  vectors
    .command("run")
    .description(
      "Run packet vectors, one JSON object a line, and print each with its results. What stands under want and want_after is checked. Exit code 1 when something differs, 2 on bad input.",
    )
    .argument("<files...>", "vector files; - reads standard input")
    .action(runFiles);
  return vectors;
}

/** Reads all files before it runs any, so that bad input has no half-done output. */
function runFiles(files: string[]): void {
  const vectors = files.flatMap(readVectorFile);
  const target = referenceTarget();
  let failed = 0;
  let out: string[] = [];
  for (const vector of vectors) {
    const { json, mismatches } = runVector(vector, target);
    out.push(JSON.stringify(json));
    if (out.length === 256) {
      process.stdout.write(`${out.join("\n")}\n`);
      out = [];
    }
    if (mismatches.length === 0) continue;
    failed++;
    const more = mismatches.length === 1 ? "" : ` (and ${mismatches.length - 1} more)`;
    process.stderr.write(`${vector.file}:${vector.line}: ${vector.name}: ${formatMismatch(mismatches[0])}${more}\n`);
  }
  if (out.length > 0) process.stdout.write(`${out.join("\n")}\n`);
  if (failed === 0) return;
  process.stderr.write(`${failed} of ${vectors.length} vectors differ from what they want\n`);
  process.exitCode = 1;
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
