/** `guelab schema`: the JSON schema of scenario files, for editors. */
import { Command } from "commander";
import { scenarioJsonSchema } from "../scenario/scenario-schema.ts";

/** The schema as it stands in schema/scenario.schema.json. */
export function schemaText(): string {
  return `${JSON.stringify(scenarioJsonSchema(), undefined, 2)}\n`;
}

export function schemaCommand(): Command {
  return new Command("schema")
    .description("print the JSON schema of scenario files")
    .addHelpText(
      "after",
      "\nPut this on the first line of a scenario, and an editor completes and checks it:\n  # yaml-language-server: $schema=path/to/schema/scenario.schema.json",
    )
    .action(() => {
      process.stdout.write(schemaText());
    });
}
