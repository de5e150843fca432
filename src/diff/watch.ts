/** A lab that notes which commands ran in it, when, and how they ended: what its boxes were told from outside. */
import { LabError } from "../errors.ts";
import type { Command } from "../scenario/command.ts";
import type { CommandResult, DropRecord, HookPacket, Lab, PacketRecord } from "../scenario/lab.ts";
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
  private readonly paceNs: number;

  /** `paceNs`: let so much time pass behind every command that `run` has carried out. */
  constructor(lab: Lab, paceNs = 0) {
    this.lab = lab;
    this.paceNs = paceNs;
    this.kind = lab.kind;
    this.topology = lab.topology;
  }

  async run(command: Command): Promise<CommandResult> {
    const result = await this.noted(command, () => this.lab.run(command));
    await this.pace();
    return result;
  }

  start = (command: Command): Promise<CommandResult> => this.noted(command, () => this.lab.start(command));

  private async noted(command: Command, act: () => Promise<CommandResult>): Promise<CommandResult> {
    const mark = this.mark(command);
    try {
      const result = await act();
      this.end(mark, undefined);
      return result;
    } catch (err) {
      this.end(mark, err);
      throw err;
    }
  }

  async runAll(commands: readonly Command[]): Promise<PromiseSettledResult<CommandResult>[]> {
    const marks = commands.map((c) => this.mark(c));
    const results = await this.lab.runAll(commands);
    for (const [i, r] of results.entries()) this.end(marks[i], r.status === "rejected" ? r.reason : undefined);
    await this.pace();
    return results;
  }

  private async pace(): Promise<void> {
    if (this.paceNs > 0) await this.lab.wait(this.paceNs);
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
  hookPackets = (): readonly HookPacket[] => this.lab.hookPackets();
  drops = (): readonly DropRecord[] => this.lab.drops();
  close = (): Promise<void> => this.lab.close();
}
