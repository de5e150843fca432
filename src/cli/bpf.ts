/** `guelab bpf`: builds, loads, attaches and shows the eBPF programs. */
import { Command } from "commander";
import { buildPrograms } from "../ebpf/build.ts";

/** Where no name is given. */
export const DEFAULT_INSTANCE = "default";

export function bpfCommand(): Command {
  const bpf = new Command("bpf").description("build, load, attach and show the eBPF programs");
  bpf
    .command("build")
    .description("Compile the programs with clang and print where the objects are.")
    .option("--out <dir>", "directory for the objects (default: a cache directory)")
    .action((options: { out?: string }) => {
      for (const object of Object.values(buildPrograms(options))) process.stdout.write(`${object}\n`);
    });
  return bpf;
}
