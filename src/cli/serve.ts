/** `guelab serve`: the teaching page on this machine, with a scenario to begin with. */
import { spawn } from "node:child_process";
import { Command, InvalidArgumentError, Option } from "commander";
import { loadScenarioFiles } from "../scenario/load.ts";
import { type PageScenario, servePage } from "./page-server.ts";

export function serveCommand(): Command {
  return new Command("serve")
    .description("the page that shows packets, hooks and tables, in a browser on this machine")
    .argument("[scenario]", "scenario file to open; it is read again whenever the page is loaded")
    .option("--port <n>", "port on 127.0.0.1 (default: any free one)", port)
    .addOption(
      new Option("--open [yes|no]", "open the page in the browser").choices(["yes", "no"]).preset("yes").default("no"),
    )
    .addHelpText(
      "after",
      "\nNothing but this machine reaches the page, and it asks for nothing elsewhere. Ctrl-C ends it.",
    )
    .action(async (scenario: string | undefined, options: { port?: number; open: "yes" | "no" }) => {
      await serve(scenario, options.port ?? 0, options.open === "yes");
    });
}

function port(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65535) throw new InvalidArgumentError("Expected 0 to 65535.");
  return Number(text);
}

async function serve(path: string | undefined, port: number, open: boolean): Promise<void> {
  if (path !== undefined) {
    const { error } = loadScenarioFiles(path);
    if (error) throw error;
  }
  const page = await servePage(port, () => (path === undefined ? { scenario: null } : currentScenario(path)));
  process.stdout.write(`${page.url}\n`);
  if (open) openBrowser(page.url);
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, resolve);
  });
  await page.close();
}

/** The scenario as it is now, and what is wrong with it; the page shows both. Throws LabError where there is no such file. */
export function currentScenario(path: string): PageScenario {
  const { files, error } = loadScenarioFiles(path);
  return { scenario: { kind: "scenario", ...files }, error };
}

/** Without a desktop there is no browser to open; the address has been printed. */
function openBrowser(url: string): void {
  const opener = process.platform === "darwin" ? "open" : "xdg-open";
  const child = spawn(opener, [url], { stdio: "ignore", detached: true });
  child.on("error", () => process.stderr.write(`guelab: ${opener} cannot be run; open the address yourself\n`));
  child.unref();
}
