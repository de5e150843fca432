/** Every file that is made from the source, with its text. */
import { schemaText } from "../src/cli/schema.ts";
import { tablesHeader } from "../src/ebpf/cheader.ts";
import { commandsPage, reasonsPage } from "./reference-pages.ts";

/** Text by path from the root of the repository. */
export function generatedFiles(): Record<string, string> {
  return {
    "bpf/gen/tables.h": tablesHeader(),
    "schema/scenario.schema.json": schemaText(),
    "docs/commands.md": commandsPage(),
    "docs/reasons.md": reasonsPage(),
  };
}
