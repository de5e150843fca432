/**
 * `guelab shell TOPOLOGY`: the demo's commands at a prompt, with history and completion; from a pipe, one command a line.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { Command, InvalidArgumentError } from "commander";
import type { Lab } from "../scenario/lab.ts";
import { loadTopology } from "../scenario/load.ts";
import type { Topology } from "../scenario/topology.ts";
import { ShellSession } from "./shell-session.ts";

export interface ShellLabOptions {
  seed: number;
  record: boolean;
}
/** Brings a lab up. */
export type LabFactory = (topology: Topology, options: ShellLabOptions) => Promise<Lab>;

const simulated: LabFactory = async (topology, options) => {
  const { SimLab } = await import("../lab/sim/lab.ts");
  return new SimLab(topology, options);
};

const HISTORY_LINES = 1000;

export interface ShellStreams {
  input: Readable & { isTTY?: boolean };
  output: Writable & { isTTY?: boolean };
}

export function shellCommand(makeLab: LabFactory = simulated): Command {
  return new Command("shell")
    .description("the demo's commands at a prompt")
    .argument("[topology]", "topology file, or one that comes with guelab: basic.cfg, 2gw.cfg", "basic.cfg")
    .option("--seed <n>", "seed of all random numbers", parseSeed, 1)
    .addHelpText(
      "after",
      "\nWith commands from a pipe the exit code is 1 if one of them failed:\n  echo 'client ping 5.5.5.5' | guelab shell basic.cfg",
    )
    .action(async (name: string, options: { seed: number }) => {
      const lab = await makeLab(loadTopology(name), { seed: options.seed, record: true });
      try {
        process.exitCode = await runShell(lab, { input: process.stdin, output: process.stdout }, historyPath());
      } finally {
        await lab.close();
      }
    });
}

/** Reads lines until the end or `exit`; the exit code is 1 when a line from a pipe failed, else 0. */
export async function runShell(lab: Lab, streams: ShellStreams, history?: string): Promise<number> {
  const { input, output } = streams;
  const session = new ShellSession(lab, (line) => output.write(`${line}\n`));
  return input.isTTY && output.isTTY ? interactive(session, lab, streams, history) : fromPipe(session, streams);
}

async function fromPipe(session: ShellSession, { input, output }: ShellStreams): Promise<number> {
  let code = 0;
  const rl = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  for await (const line of rl) {
    output.write(`${session.prompt}${line}\n`);
    const result = await session.execute(line);
    if (result === "exit") break;
    if (result === "failed") code = 1;
  }
  rl.close();
  return code;
}

async function interactive(
  session: ShellSession,
  lab: Lab,
  { input, output }: ShellStreams,
  history: string | undefined,
): Promise<number> {
  output.write(`${lab.topology.hosts.map((h) => h.name).join(", ")} are up. Type help for the commands.\n`);
  const rl = createInterface({
    input,
    output,
    historySize: HISTORY_LINES,
    removeHistoryDuplicates: true,
    history: history === undefined ? [] : readHistory(history),
    completer: (text: string): [string[], string] => {
      const { candidates, word } = session.complete(text);
      // A lone candidate is complete: the next word can follow.
      return [candidates.length === 1 ? [`${candidates[0]} `] : candidates, word];
    },
  });
  let lines: string[] | undefined;
  rl.on("history", (all: string[]) => {
    lines = all;
  });
  const next = lineReader(rl);
  try {
    for (;;) {
      rl.setPrompt(session.prompt);
      rl.prompt();
      const line = await next();
      if (line === undefined || (await session.execute(line)) === "exit") break;
    }
  } finally {
    rl.close();
    if (history !== undefined && lines !== undefined) writeHistory(history, lines);
  }
  return 0;
}

/**
 * Gives the lines as they are typed, also those that arrive while a command still runs (pasted text); an empty line for
 * Ctrl-C, undefined at the end (Ctrl-D).
 */
function lineReader(rl: Interface): () => Promise<string | undefined> {
  const typed: string[] = [];
  let closed = false;
  let wake = (): void => {};
  rl.on("line", (line) => {
    typed.push(line);
    wake();
  });
  rl.on("close", () => {
    closed = true;
    wake();
  });
  rl.on("SIGINT", () => {
    // Leaves what was typed, as a shell does: to the end of the line, then everything before the cursor.
    rl.write(null, { ctrl: true, name: "e" });
    rl.write(null, { ctrl: true, name: "u" });
    typed.push("");
    wake();
  });
  return async () => {
    if (typed.length === 0 && !closed)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    return typed.shift();
  };
}

/** XDG base directory specification: state goes to $XDG_STATE_HOME, ~/.local/state without it. */
export function historyPath(env: NodeJS.ProcessEnv = process.env): string {
  const state = env.XDG_STATE_HOME || join(homedir(), ".local", "state");
  return join(state, "guelab", "history");
}

/** Newest first, as readline keeps it; nothing where there is no such file. */
function readHistory(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split("\n").filter(Boolean).reverse().slice(0, HISTORY_LINES);
  } catch {
    return [];
  }
}

/** A history that cannot be kept is no reason to fail. */
function writeHistory(path: string, newestFirst: readonly string[]): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(
      path,
      [...newestFirst]
        .slice(0, HISTORY_LINES)
        .reverse()
        .map((l) => `${l}\n`)
        .join(""),
      { mode: 0o600 },
    );
  } catch {
    // Read-only home.
  }
}

function parseSeed(text: string): number {
  const seed = Number(text);
  if (!/^\d+$/.test(text) || seed > 0xffffffff) throw new InvalidArgumentError("expected 0 to 4294967295");
  return seed;
}
