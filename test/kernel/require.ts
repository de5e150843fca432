/** Whether this machine can run the kernel tests; why not is in the skipped test's title. */

import { describe } from "vitest";
import { buildPrograms } from "../../src/ebpf/build.ts";
import { tryRun } from "../../src/ebpf/exec.ts";
import { ensureBpffs, requireBpf } from "../../src/ebpf/load.ts";
import { requirement } from "../support/require.ts";

function missing(): string | undefined {
  try {
    if (process.platform !== "linux") return "not Linux";
    if (process.getuid?.() !== 0) return "not root";
    requireBpf();
    ensureBpffs();
    buildPrograms();
    for (const tool of ["bpftool", "tc", "ip", "nsenter"]) tryRun(tool, ["-V"]);
    return undefined;
  } catch (err) {
    return (err as Error).message;
  }
}

const kernelLacks = requirement("kernel", missing);

/** `describe` for tests on the real kernel: skipped with the reason, or failed where GUELAB_REQUIRE=kernel. */
export function describeKernel(title: string, body: () => void): void {
  if (kernelLacks === undefined) describe(title, body);
  else describe.skip(`${title} (skipped: ${kernelLacks})`, body);
}
