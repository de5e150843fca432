/** `guelab tables`: the tables of loaded eBPF programs, as pfc_list prints a host's. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { instanceOf, mapsDir } from "../ebpf/load.ts";
import { closeTables, openTables } from "../ebpf/maps.ts";
import { LabError } from "../errors.ts";
import { paintFor } from "../report/paint.ts";
import { formatTables } from "../report/tables.ts";
import { suggest } from "../suggest.ts";
import { TABLE_NAMES, type TableName } from "../tables/schema.ts";
import { DEFAULT_INSTANCE } from "./bpf.ts";

export function tablesCommand(): Command {
  return new Command("tables")
    .description("Print the tables of loaded eBPF programs, from the kernel's own maps.")
    .argument("[table...]", `which tables: ${TABLE_NAMES.join(", ")} (default: all)`)
    .option("--instance <name>", "which instance", DEFAULT_INSTANCE)
    .option("--pin <dir>", "pin directory of the maps, instead of an instance's name")
    .action(printTables);
}

function printTables(names: string[], options: { instance: string; pin?: string }): void {
  const wanted = names.map(tableName);
  const tables = openTables(options.pin === undefined ? mapsDir(instanceOf(options.instance)) : mapsIn(options.pin));
  try {
    const lines = formatTables(tables, {
      names: wanted.length > 0 ? wanted : undefined,
      paint: paintFor(process.stdout),
    });
    process.stdout.write(`${lines.join("\n")}\n`);
  } finally {
    closeTables(tables);
  }
}

/** Both an instance's directory and its maps' will do. */
function mapsIn(dir: string): string {
  const inner = join(dir, "maps");
  return existsSync(inner) ? inner : dir;
}

function tableName(text: string): TableName {
  const name = text.toUpperCase();
  if ((TABLE_NAMES as string[]).includes(name)) return name as TableName;
  const near = suggest(name, TABLE_NAMES);
  throw new LabError("ERR_TABLE_UNKNOWN", `there is no table '${text}'`, {
    hint: near ? `Did you mean ${near}?` : `The tables are ${TABLE_NAMES.join(", ")}.`,
  });
}
