/** Walking through a recorded run by typed lines, apart from the terminal. */
import { LabError } from "../errors.ts";
import { navigate } from "../replay/navigate.ts";
import type { NavTarget } from "../replay/protocol.ts";
import type { Recording } from "../replay/recording.ts";
import type { Paint } from "../report/paint.ts";
import { errorLines } from "../scenario/command-error.ts";
import { parseDuration } from "../scenario/units.ts";
import { eventLine, eventLines, packetLines, stateLines } from "./step-text.ts";

export const STEP_HELP = [
  "Enter, n [COUNT]  next event          b [COUNT]  the event before",
  "d                 next drop           D          the drop before",
  "h HOST            next event there    H HOST     the one before",
  "j                 next event of this packet's journey; J: the one before; jj: all of them",
  "r TIME            run to a time: r 400ms, r 1.5s",
  "r STEP            run to a step: r 3, r 3.1; s: list the steps",
  "f FILTER          show only what the filter lets through (docs/replay.md); f alone: everything",
  "t [HOST]          tables now          p          the packet's fields and bytes",
  "e                 this event again    ?          this help            q  quit",
];

export class StepSession {
  /** The event at hand; -1: before the first. */
  index = -1;
  private readonly recording: Recording;
  private readonly print: (line: string) => void;
  private readonly paint: Paint;
  private filter = "";

  constructor(recording: Recording, print: (line: string) => void, paint: Paint) {
    this.recording = recording;
    this.print = print;
    this.paint = paint;
  }

  /** What is to be seen, in one line. */
  greet(): void {
    const { info } = this.recording;
    const outcome = info.report === undefined ? "" : `, ${info.report.status}`;
    this.print(
      `${this.paint("bold", info.title)}${outcome}: ${info.events} events, ${info.packets} packets on interfaces, ${info.drops} drops. ? for help.`,
    );
    if (info.truncated) this.print(this.paint("red", info.truncated.message));
  }

  /** Does what a line says; false when it is to quit. Never throws for what the user can mend. */
  execute(line: string): boolean {
    const text = line.trim();
    if (text.startsWith("#")) return true;
    try {
      return this.command(text);
    } catch (err) {
      if (!(err instanceof LabError)) throw err;
      for (const l of errorLines(text, err)) this.print(l);
      return true;
    }
  }

  private command(text: string): boolean {
    const [, word, rest] = /^(\S*)\s*(.*)$/.exec(text) as RegExpExecArray;
    switch (word) {
      case "":
      case "n":
        return this.walk("next", countOf(rest));
      case "b":
        return this.walk("previous", countOf(rest));
      case "d":
        return this.go({ to: "next-drop" }, "there is no drop behind this one");
      case "D":
        return this.go({ to: "previous-drop" }, "there is no drop before this one");
      case "h":
      case "H":
        return this.atHost(rest, word === "h");
      case "j":
        return this.go({ to: "next-of-journey" }, "the packet's journey ends here");
      case "J":
        return this.go({ to: "previous-of-journey" }, "the packet's journey begins here");
      case "jj":
        return this.journey();
      case "r":
        return this.runTo(rest);
      case "s":
        return this.steps();
      case "f":
        return this.setFilter(rest);
      case "t":
        this.printAll(
          stateLines(this.recording.state(this.index, rest === "" ? undefined : this.hostOf(rest)), this.paint),
        );
        return true;
      case "p":
        if (this.index < 0) this.print("No event yet: Enter goes to the first.");
        else this.printAll(packetLines(this.recording.event(this.index), this.paint));
        return true;
      case "e":
        this.show();
        return true;
      case "?":
      case "help":
        this.printAll(STEP_HELP);
        return true;
      case "q":
      case "quit":
      case "exit":
        return false;
      default:
        throw new LabError("ERR_STEP_COMMAND", `there is no command ${word}`, { hint: "? lists the commands." });
    }
  }

  private walk(to: "next" | "previous", count: number): boolean {
    for (let n = 0; n < count; n++) {
      const index = navigate(this.recording, this.index, { to }, this.filter);
      if (index < 0) {
        this.print(to === "next" ? "The run ends here." : "The run begins here.");
        return true;
      }
      this.index = index;
    }
    this.show();
    return true;
  }

  private go(target: NavTarget, none: string): boolean {
    const index = navigate(this.recording, this.index, target, this.filter);
    if (index < 0) {
      this.print(`${none[0].toUpperCase()}${none.slice(1)}.`);
      return true;
    }
    this.index = index;
    this.show();
    return true;
  }

  private atHost(host: string, forward: boolean): boolean {
    const name = this.hostOf(host);
    return this.go(
      { to: forward ? "next-at-host" : "previous-at-host", host: name },
      `nothing more happens at ${name}`,
    );
  }

  /** A host, network or link that the run knows. */
  private hostOf(name: string): string {
    const topology = this.recording.info.topology;
    const known = topology ? [...topology.hosts, ...topology.networks].map((h) => h.name) : [];
    if (name !== "" && (known.length === 0 || known.includes(name))) return name;
    const what = name === "" ? "a host is expected" : `there is no host ${name}`;
    throw new LabError("ERR_HOST_UNKNOWN", what, { hint: `There are ${known.join(", ")}.` });
  }

  private journey(): boolean {
    const id = this.index < 0 ? 0 : this.recording.log.journey.data[this.index];
    const { events } = this.recording.journey(id);
    if (events.length === 0) this.print("This event has no packet.");
    for (const i of events) this.print(eventLine(this.recording.row(i), this.recording.length, this.paint));
    return true;
  }

  private runTo(where: string): boolean {
    if (/^\d+(\.\d+)*$/.test(where)) {
      if (this.recording.step(where) === undefined)
        throw new LabError("ERR_STEP_COMMAND", `there is no step ${where}`, {
          hint: "s lists the steps; a time has a unit, such as 400ms.",
        });
      return this.go({ to: "step", step: where }, `step ${where} was skipped`);
    }
    return this.go({ to: "time", timeNs: parseDuration(where) }, "the run ends before that");
  }

  private steps(): boolean {
    const list = (steps: typeof this.recording.info.steps): void => {
      for (const s of steps) {
        this.print(`${s.id.padEnd(6)} ${s.status.padEnd(8)} ${s.command ?? s.title}`);
        list(s.steps);
      }
    };
    list(this.recording.info.steps);
    return true;
  }

  private setFilter(text: string): boolean {
    const { length } = this.recording.events(text);
    this.filter = text;
    this.print(text === "" ? `All ${length} events.` : `${length} of ${this.recording.length} events.`);
    return true;
  }

  private show(): void {
    if (this.index < 0) this.print("No event yet: Enter goes to the first.");
    else this.printAll(eventLines(this.recording, this.index, this.paint));
  }

  private printAll(lines: readonly string[]): void {
    for (const line of lines) this.print(line);
  }
}

function countOf(text: string): number {
  if (text === "") return 1;
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new LabError("ERR_STEP_COMMAND", `${text} is not a number of events`, { hint: "For example: n 10." });
}
