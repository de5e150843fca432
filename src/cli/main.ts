/**
 * The command line. Each command lives in a file of its own and is loaded only when it is asked for, so that a scenario
 * starts fast.
 *
 * Exit codes: 0 all is well, 1 an expectation failed, 2 bad input or a missing capability, 70 a defect of guelab.
 */
import { Command, CommanderError } from "commander";
import { LabError } from "../errors.ts";
import { VERSION } from "../version.ts";

type Loader = () => Promise<Command>;

const COMMANDS: readonly [name: string, summary: string, load: Loader][] = [
  ["run", "run scenarios and check their expectations", async () => (await import("./run.ts")).runCommand()],
  [
    "serve",
    "the page that shows packets, hooks and tables, in a browser on this machine",
    async () => (await import("./serve.ts")).serveCommand(),
  ],
  [
    "exec",
    "run a command or a program inside a host of a lab that topo_setup left up",
    async () => (await import("./live.ts")).execCommand(),
  ],
  [
    "diff",
    "compare a run on real Linux with the reference, packet by packet",
    async () => (await import("./diff.ts")).diffCommand(),
  ],
  ["shell", "the demo's commands at a prompt", async () => (await import("./shell.ts")).shellCommand()],
  [
    "explain",
    "a packet's fields, and what the data path does with it",
    async () => (await import("./explain.ts")).explainCommand(),
  ],
  ["vectors", "drive the data path with packet vectors", async () => (await import("./vectors.ts")).vectorsCommand()],
  ["bpf", "build, load, attach and watch the eBPF programs", async () => (await import("./bpf.ts")).bpfCommand()],
  ["tables", "print the tables of loaded eBPF programs", async () => (await import("./tables.ts")).tablesCommand()],
  [
    "fuzz",
    "compare the reference data path with the eBPF programs, packet by packet",
    async () => (await import("./fuzz.ts")).fuzzCommand(),
  ],
  [
    "image",
    "build, list and remove the image of the docker lab's hosts",
    async () => (await import("./image.ts")).imageCommand(),
  ],
  [
    "wireshark",
    "install or remove the dissector for Wireshark and tshark",
    async () => (await import("./wireshark.ts")).wiresharkCommand(),
  ],
  [
    "lesson",
    "learn how GUE proxying works, with questions that a run answers",
    async () => (await import("./lesson.ts")).lessonCommand(),
  ],
  ["schema", "print the JSON schema of scenario files", async () => (await import("./schema.ts")).schemaCommand()],
];

/** Runs the command line and returns the exit code. */
export async function main(argv: string[]): Promise<number> {
  const program = new Command("guelab")
    .description(
      "A packet-forwarding emulator with a simulated network, for GUE tunnels between a gateway and its nodes.",
    )
    .version(VERSION, "-V, --version")
    .configureHelp({ showGlobalOptions: true });
  program.enablePositionalOptions();
  overrideExit(program, "guelab");
  const wanted = COMMANDS.find(([name]) => name === argv[0]);
  for (const [name, summary, load] of COMMANDS) {
    const command = wanted?.[0] === name ? await load() : new Command(name).description(summary);
    overrideExit(command, `guelab ${name}`);
    program.addCommand(command);
  }
  if (wanted === undefined) await addLive(program, argv[0]);
  try {
    if (argv.length === 0) {
      program.outputHelp();
      return 2;
    }
    if (argv[0] === "help" && argv[1] !== undefined) {
      const { LIVE_COMMANDS } = await import("./live.ts");
      const known = COMMANDS.some(([name]) => name === argv[1]) || LIVE_COMMANDS.some((c) => c.name === argv[1]);
      return await main(known ? [argv[1], "--help"] : [argv[1]]);
    }
    await program.parseAsync(argv, { from: "user" });
    return Number(process.exitCode ?? 0);
  } catch (err) {
    return failure(err);
  }
}

/** The demo's scripts, on a lab that stays up: the one that is called, or in the help the list of them. */
async function addLive(program: Command, word: string | undefined): Promise<void> {
  const { DAEMON_COMMAND, liveDaemonCommand } = await import("./live-daemon.ts");
  if (word === DAEMON_COMMAND) {
    program.addCommand(liveDaemonCommand(), { hidden: true });
    return;
  }
  const { LIVE_COMMANDS, liveCommand } = await import("./live.ts");
  const name = LIVE_COMMANDS.find((c) => c.name === word?.replace(/\.sh$/, ""))?.name;
  if (name !== undefined) {
    const command = liveCommand(name).alias(`${name}.sh`);
    overrideExit(command, `guelab ${name}`);
    program.addCommand(command, { hidden: true });
  }
  const width = Math.max(...LIVE_COMMANDS.map((c) => c.name.length));
  const lines = LIVE_COMMANDS.map((c) => `  ${c.name.padEnd(width)}  ${c.summary}`);
  program.addHelpText("after", `\nThe demo's scripts, on a lab that stays up between them:\n${lines.join("\n")}`);
}

/** Errors in guelab's own words, and thrown instead of exiting. `name` is how a user calls the command. */
function overrideExit(command: Command, name: string): void {
  command
    .exitOverride()
    .showSuggestionAfterError()
    .showHelpAfterError(`  See ${name} --help.`)
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "guelab: ")) });
  for (const sub of command.commands) overrideExit(sub, `${name} ${sub.name()}`);
}

/** Prints what went wrong, without a stack trace where it is the user's to mend. */
function failure(err: unknown): number {
  if (err instanceof CommanderError) return err.exitCode === 0 ? 0 : 2; // commander has printed it
  if (err instanceof LabError) {
    process.stderr.write(`guelab: ${err.format()}\n`);
    return 2;
  }
  process.stderr.write(`guelab: a defect in guelab, please report it\n${err instanceof Error ? err.stack : err}\n`);
  return 70;
}

// A reader that has seen enough (`guelab ... | head`) is no error; a full disk is.
process.stdout.on("error", (err: NodeJS.ErrnoException) => {
  if (err.code === "EPIPE") process.exit(0);
  process.stderr.write(`guelab: standard output cannot be written (${err.code})\n`);
  process.exit(2);
});
