/** `guelab tables --pin DIR`: the tables of loaded eBPF programs, as pfc_list prints them. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { closeTables, openTables } from "../ebpf/maps.ts";
import { paintFor } from "../report/paint.ts";
import { formatTables } from "../report/tables.ts";

export function tablesCommand(): Command {
  return new Command("tables")
    .description("print the tables of loaded eBPF programs, as pfc_list does")
    .requiredOption("--pin <dir>", "pin directory of an instance (guelab bpf show lists them), or of its maps")
    .addHelpText("after", "\nExit codes: 0 printed, 2 there are no such tables, or root is missing.")
    .action((options: { pin: string }) => {
      const maps = join(options.pin, "maps");
      const tables = openTables(existsSync(maps) ? maps : options.pin);
      try {
        process.stdout.write(`${formatTables(tables, { paint: paintFor(process.stdout) }).join("\n")}\n`);
      } finally {
        closeTables(tables);
      }
    });
}
