/**
 * `guelab shell TOPOLOGY`: the demo's commands at a prompt, with history and completion; from a pipe, one command a line.
 */
import { fstatSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { Command, InvalidArgumentError } from "commander";
import { LabError } from "../errors.ts";
import type { Lab } from "../scenario/lab.ts";
import { loadTopology } from "../scenario/load.ts";
import type { Topology } from "../scenario/topology.ts";
import { ShellSession } from "./shell-session.ts";

export interface ShellLabOptions {
  seed: number;
  record: boolean;
  /** SimLabOptions.pause. */
  pause: () => Promise<void>;
}
/** Brings a lab up. */
export type LabFactory = (topology: Topology, options: ShellLabOptions) => Promise<Lab>;

const simulated: LabFactory = async (topology, options) => {
  const { SimLab } = await import("../lab/sim/lab.ts");
  return new SimLab(topology, options);
};

const HISTORY_LINES = 1000;

/** Ctrl-C during a command: the lab lets the event loop go on now and then, and then hears of it. */
export class Interrupt {
  private asked = false;

  ask(): void {
    this.asked = true;
  }

  /** Forgets a Ctrl-C that came too late for the command before. */
  clear(): void {
    this.asked = false;
  }

  readonly pause = async (): Promise<void> => {
    await setImmediate();
    if (this.asked)
      throw new LabError("ERR_INTERRUPTED", "interrupted", { hint: "What it began goes on in the network." });
  };
}

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
      "\nCtrl-C ends a command that takes long. With commands from a pipe the exit code is 1 if one of them failed:\n  echo 'client ping 5.5.5.5' | guelab shell basic.cfg",
    )
    .action(async (name: string, options: { seed: number }) => {
      checkInput(0);
      const interrupt = new Interrupt();
      const lab = await makeLab(loadTopology(name), { seed: options.seed, record: true, pause: interrupt.pause });
      try {
        const streams = { input: process.stdin, output: process.stdout };
        process.exitCode = await runShell(lab, streams, historyPath(), interrupt);
      } finally {
        await lab.close();
      }
    });
}

/**
 * Reads lines until the end or `exit`; the exit code is 1 when a line from a pipe failed, else 0. Throws
 * ERR_FILE_UNREADABLE where the input cannot be read.
 */
export async function runShell(
  lab: Lab,
  streams: ShellStreams,
  history?: string,
  interrupt = new Interrupt(),
): Promise<number> {
  const { input, output } = streams;
  const session = new ShellSession(lab, (line) => output.write(`${line}\n`));
  return input.isTTY && output.isTTY
    ? interactive(session, lab, streams, history, interrupt)
    : fromPipe(session, streams);
}

/** Node gives no error, and no bytes, for a standard input that is a directory. Throws ERR_FILE_IS_DIRECTORY. */
export function checkInput(fd: number): void {
  if (fstatSync(fd).isDirectory())
    throw new LabError("ERR_FILE_IS_DIRECTORY", "standard input is a directory", { hint: INPUT_HINT });
}

const INPUT_HINT = "Give a file or a pipe with one command on each line.";

async function fromPipe(session: ShellSession, { input, output }: ShellStreams): Promise<number> {
  let code = 0;
  const rl = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  let unreadable: NodeJS.ErrnoException | undefined;
  input.once("error", (err) => {
    unreadable = err;
    rl.close();
  });
  try {
    for await (const line of rl) {
      output.write(`${session.prompt}${line}\n`);
      const result = await session.execute(line);
      if (result === "exit") break;
      if (result === "failed") code = 1;
    }
  } catch (err) {
    if (err !== unreadable) throw err;
  }
  rl.close();
  if (unreadable !== undefined)
    throw new LabError("ERR_FILE_UNREADABLE", `standard input cannot be read (${unreadable.code})`, {
      hint: INPUT_HINT,
      cause: unreadable,
    });
  return code;
}

async function interactive(
  session: ShellSession,
  lab: Lab,
  { input, output }: ShellStreams,
  history: string | undefined,
  interrupt: Interrupt,
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
  let running = false;
  const next = lineReader(rl, () => {
    if (running) interrupt.ask();
    return running;
  });
  try {
    for (;;) {
      rl.setPrompt(session.prompt);
      rl.prompt();
      const line = await next();
      if (line === undefined) break;
      interrupt.clear();
      running = true;
      const result = await session.execute(line);
      running = false;
      if (result === "exit") break;
    }
  } finally {
    rl.close();
    if (history !== undefined && lines !== undefined) writeHistory(history, lines);
  }
  return 0;
}

/**
 * Gives the lines as they are typed, also those that arrive while a command still runs (pasted text); an empty line for
 * Ctrl-C, unless it was for a command that `interrupts` ended; undefined at the end (Ctrl-D).
 */
function lineReader(rl: Interface, interrupts: () => boolean): () => Promise<string | undefined> {
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
    if (interrupts()) return;
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
