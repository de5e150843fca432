/** A difference that `guelab fuzz` found, for a report file: the smallest case as a vector, with what both data paths made of it. */
import { parseVector } from "../dataplane/vector.ts";
import { runVector } from "../dataplane/vector-run.ts";
import type { Objects } from "../ebpf/build.ts";
import { caseToVector, differenceText } from "../ebpf/differential/counterexample.ts";
import type { Shrunk } from "../ebpf/differential/shrink.ts";
import { openTestDataPath } from "../ebpf/testrun.ts";
import type { ReportEntry } from "../replay/document.ts";

/**
 * Runs the case once more on the eBPF programs (`objects`: others than the built ones). Throws LabError where they cannot
 * run it.
 */
export function counterexampleEntry(
  smallest: Pick<Shrunk, "case" | "difference">,
  name: string,
  objects?: Objects,
): ReportEntry {
  const { case: found, difference } = smallest;
  const text = JSON.stringify(caseToVector(found, name, differenceText(difference)));
  const target = openTestDataPath({ objects });
  try {
    const { json } = runVector(parseVector(text), target);
    const other = { name: "eBPF programs", text: JSON.stringify(json) };
    return {
      title: name,
      status: "failed",
      lab: "vector",
      source: { kind: "vector", file: `${name}.jsonl`, text, other },
    };
  } finally {
    target.close();
  }
}
