/** `guelab tables`: the tables of loaded eBPF programs, as pfc_list prints a host's. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { requireRoot } from "../ebpf/instance.ts";
import { instanceOf, mapsDir } from "../ebpf/load.ts";
import { closeTables, openTables } from "../ebpf/maps.ts";
import { LabError } from "../errors.ts";
import { paintFor } from "../report/paint.ts";
import { formatTables } from "../scenario/table-print.ts";
import { didYouMean } from "../suggest.ts";
import { TABLE_NAMES, type TableName } from "../tables/schema.ts";
import { DEFAULT_INSTANCE } from "./bpf.ts";

export function tablesCommand(): Command {
  return new Command("tables")
    .description("print the tables of loaded eBPF programs, from the kernel's own maps, as pfc_list does")
    .argument("[table...]", `which tables: ${TABLE_NAMES.join(", ")} (default: all)`)
    .option("--instance <name>", "which instance", DEFAULT_INSTANCE)
    .option("--pin <dir>", "pin directory of an instance or of its maps, in place of a name")
    .addHelpText("after", "\nExit codes: 0 printed, 2 there are no such tables, or root is missing.")
    .action(printTables);
}

function printTables(names: string[], options: { instance: string; pin?: string }): void {
  const wanted = names.map(tableName);
  requireRoot();
  const tables = openTables(options.pin === undefined ? mapsDir(instanceOf(options.instance)) : mapsIn(options.pin));
  try {
    const listing = { names: wanted.length > 0 ? wanted : undefined, paint: paintFor(process.stdout) };
    process.stdout.write(`${formatTables(tables, listing).join("\n")}\n`);
  } finally {
    closeTables(tables);
  }
}

function mapsIn(dir: string): string {
  const inner = join(dir, "maps");
  return existsSync(inner) ? inner : dir;
}

function tableName(text: string): TableName {
  const name = text.toUpperCase();
  if (TABLE_NAMES.includes(name as TableName)) return name as TableName;
  throw new LabError("ERR_TABLE_UNKNOWN", `there is no table '${text}'`, {
    hint: didYouMean(name, TABLE_NAMES, `The tables are ${TABLE_NAMES.join(", ")}.`),
  });
}
