/** A lab that notes which commands ran in it, when, and how they ended: what its boxes were told from outside. */
import { LabError } from "../errors.ts";
import type { Command } from "../scenario/command.ts";
import type { CommandResult, DropRecord, Lab, PacketRecord } from "../scenario/lab.ts";
import type { TableStores } from "../tables/tables.ts";

/** One command; times are the lab's, ns. */
export interface CommandMark {
  command: Command;
  startNs: number;
  /** Infinity while it runs. */
  endNs: number;
  /** Code of a command that was refused: it has changed nothing. */
  refused?: string;
}

export class WatchedLab implements Lab {
  readonly kind: Lab["kind"];
  readonly topology: Lab["topology"];
  /** In the order in which they began. */
  readonly marks: CommandMark[] = [];
  private readonly lab: Lab;

  constructor(lab: Lab) {
    this.lab = lab;
    this.kind = lab.kind;
    this.topology = lab.topology;
  }

  run = (command: Command): Promise<CommandResult> => this.note([command], () => this.lab.run(command));

  start = (command: Command): Promise<CommandResult> => this.note([command], () => this.lab.start(command));

  runAll(commands: readonly Command[]): Promise<PromiseSettledResult<CommandResult>[]> {
    const marks = commands.map((c) => this.mark(c));
    return this.lab.runAll(commands).then((results) => {
      for (const [i, r] of results.entries()) this.end(marks[i], r.status === "rejected" ? r.reason : undefined);
      return results;
    });
  }

  private async note<T>(commands: readonly Command[], act: () => Promise<T>): Promise<T> {
    const marks = commands.map((c) => this.mark(c));
    try {
      const result = await act();
      for (const m of marks) this.end(m, undefined);
      return result;
    } catch (err) {
      for (const m of marks) this.end(m, err);
      throw err;
    }
  }

  private mark(command: Command): CommandMark {
    const mark: CommandMark = { command, startNs: this.lab.now(), endNs: Number.POSITIVE_INFINITY };
    this.marks.push(mark);
    return mark;
  }

  private end(mark: CommandMark, err: unknown): void {
    mark.endNs = this.lab.now();
    if (err !== undefined) mark.refused = err instanceof LabError ? err.code : "ERR_INTERNAL";
  }

  now = (): number => this.lab.now();
  wait = (ns: number): Promise<void> => this.lab.wait(ns);
  until = (check: () => boolean, withinNs: number): Promise<boolean> => this.lab.until(check, withinNs);
  tables = (host: string): TableStores | undefined => this.lab.tables(host);
  ports = (host: string): readonly number[] | undefined => this.lab.ports(host);
  conntrack = (host: string): readonly string[] => this.lab.conntrack(host);
  packets = (): readonly PacketRecord[] => this.lab.packets();
  drops = (): readonly DropRecord[] => this.lab.drops();
  close = (): Promise<void> => this.lab.close();
}
