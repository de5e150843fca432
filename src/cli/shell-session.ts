/**
 * What the shell does with each line, apart from the terminal: the demo's commands on a lab, a host's prompt, help, state
 * checks, and what happened in the network meanwhile.
 */
import { LabError } from "../errors.ts";
import { labTime, traceLines } from "../report/trace.ts";
import { errorLines } from "../scenario/command-error.ts";
import { type Completions, completions } from "../scenario/complete.ts";
import { dropLine, mergeDrops } from "../scenario/drops.ts";
import { helpText } from "../scenario/help.ts";
import type { Lab } from "../scenario/lab.ts";
import { type ParseContext, parseCommand } from "../scenario/parse-command.ts";
import { DEFAULT_WITHIN_NS } from "../scenario/scenario.ts";
import { clip } from "../scenario/state.ts";
import { topologyContext } from "../scenario/topology-context.ts";
import { formatDuration } from "../scenario/units.ts";
import { parseState } from "../scenario/until.ts";

/** What a line came to: "failed" is a command that was refused, did not succeed, or a line that is none. */
export type LineResult = "ok" | "failed" | "exit";

/** The shell's own commands, with their help. */
const BUILTINS: Record<string, string> = {
  help: "help [COMMAND]: the list of commands, or one of them",
  trace: "trace on|off: show every packet",
  expect: "expect STATE: check the lab's state, such as: expect tunnel egw 65736 remote 172.1.0.5:6000",
  until: "until STATE: let time pass, at most 5s, until this holds",
  exit: "exit (or quit, or Ctrl-D): leave a host's prompt, or the shell",
};
const DROPS_SHOWN = 5;
/** Time that passes behind each command, so that what it sent arrives before the summary. */
const SETTLE_NS = 1_000_000;

export class ShellSession {
  private readonly lab: Lab;
  private readonly print: (line: string) => void;
  private readonly topology: ParseContext;
  /** The host whose prompt is open. */
  private host: string | undefined;
  private trace = false;

  constructor(lab: Lab, print: (line: string) => void) {
    this.lab = lab;
    this.print = print;
    this.topology = topologyContext(lab.topology);
  }

  get prompt(): string {
    return this.host === undefined ? `${this.lab.topology.name}> ` : `${this.host}# `;
  }

  /** Words that may stand at the end of `text`, for the terminal's completer. */
  complete(text: string): Completions {
    return completions(text, { ...this.topology, host: this.host }, Object.keys(BUILTINS));
  }

  /** Runs one line. Prints what it gives; never throws for what the user can mend. */
  async execute(line: string): Promise<LineResult> {
    const text = line.trim();
    if (text === "" || text.startsWith("#")) return "ok";
    const packets = this.lab.packets().length;
    const drops = this.lab.drops().length;
    let result: LineResult;
    try {
      result = await this.dispatch(text);
    } catch (err) {
      if (!(err instanceof LabError)) throw err;
      for (const line of errorLines(text, err)) this.print(line);
      result = "failed";
    }
    this.summarise(packets, drops);
    return result;
  }

  private async dispatch(text: string): Promise<LineResult> {
    const [word, ...rest] = text.split(/\s+/);
    const argument = text.slice(word.length).trim();
    switch (word) {
      case "help":
        this.help(rest[0]);
        return "ok";
      case "exit":
      case "quit":
        if (this.host === undefined) return "exit";
        this.host = undefined;
        return "ok";
      case "trace":
        if (argument !== "on" && argument !== "off")
          throw new LabError("ERR_BAD_ARGUMENT", "trace is on or off", { hint: BUILTINS.trace });
        this.trace = argument === "on";
        return "ok";
      case "expect":
      case "until":
        return this.state(word, text, argument);
      default:
        return this.command(text);
    }
  }

  private help(name: string | undefined): void {
    if (name !== undefined && Object.hasOwn(BUILTINS, name)) this.print(BUILTINS[name]);
    else for (const line of helpText(name)) this.print(line);
    if (name !== undefined) return;
    this.print("");
    for (const line of Object.values(BUILTINS)) this.print(line);
  }

  private async command(text: string): Promise<LineResult> {
    const command = parseCommand(text, { ...this.topology, host: this.host });
    if (command.spec.name === "cli") {
      this.host = command.args.host as string;
      return "ok";
    }
    const { output, data } = await this.lab.run(command);
    await this.lab.wait(SETTLE_NS);
    for (const line of output) this.print(line);
    return data.error === undefined ? "ok" : "failed";
  }

  private async state(word: "expect" | "until", text: string, argument: string): Promise<LineResult> {
    const column = text.length - argument.length + 1;
    const check = parseState(argument, { ...this.topology, position: { file: "command", line: 1, column } });
    const ctx = { lab: this.lab, mark: () => ({ packets: 0, drops: 0 }) };
    if (word === "until") await this.lab.until(() => check.evaluate(ctx).ok, DEFAULT_WITHIN_NS);
    const { ok, expected, actual, detail } = check.evaluate(ctx);
    if (ok) {
      this.print("it holds");
      return "ok";
    }
    this.print(word === "until" ? `not within ${formatDuration(DEFAULT_WITHIN_NS)}` : "it does not hold");
    this.print(`  expected: ${expected}`);
    this.print(`  actual:   ${actual}`);
    for (const line of detail) this.print(`    ${line}`);
    return "failed";
  }

  /** What happened in the network since the given numbers of packets and drops. */
  private summarise(packetsBefore: number, dropsBefore: number): void {
    const packets = this.lab.packets().slice(packetsBefore);
    const drops = this.lab.drops().slice(dropsBefore);
    if (packets.length === 0 && drops.length === 0) return;
    if (this.trace) for (const line of traceLines(packets, drops, { topology: this.lab.topology })) this.print(line);
    const lost = drops.length === 0 ? "none dropped" : `${drops.length} dropped`;
    this.print(`  [${labTime(this.lab.now()).trim()} s, ${packets.length} frames seen, ${lost}]`);
    if (this.trace) return;
    for (const line of clip(mergeDrops(drops).map(dropLine), DROPS_SHOWN)) this.print(`  dropped: ${line}`);
  }
}
