/** A lab for tests of the runner: commands do what the test says, time passes as told, tables are real. */

import { cfgTopology } from "../../src/scenario/cfg.ts";
import type { Command } from "../../src/scenario/command.ts";
import type { CommandResult, DropRecord, HookPacket, Lab, PacketRecord } from "../../src/scenario/lab.ts";
import type { Topology } from "../../src/scenario/topology.ts";
import { createTables, type Tables } from "../../src/tables/tables.ts";

export const BASIC_CFG = `CLIENTS="client"
PROXIES="egw"
SERVERS="node1 node2"
NATS="nat"
NODES="\${CLIENTS} \${PROXIES} \${SERVERS} \${NATS}"
NAME_PREFIX="basic"
NETWORK_NAME=("foo" "\${NAME_PREFIX}-public" "\${NAME_PREFIX}-nat")
NETWORK_SUBNET=("foo" "172.1.0.0/16" "172.2.0.0/16")
PROXY_IP="5.5.5.5"
NET_MAPPING=("foo" "client egw node1 nat" "nat node2")
`;

export const basicTopology = (): Topology =>
  cfgTopology("basic.cfg", BASIC_CFG, () => {
    throw new Error("nothing is included");
  });

type Answer = (command: Command, lab: FakeLab) => Partial<CommandResult>;

export class FakeLab implements Lab {
  kind: Lab["kind"] = "sim";
  readonly topology = basicTopology();
  readonly ran: string[] = [];
  readonly hosts = new Map<string, Tables>();
  readonly poolPorts = new Map<string, number[]>();
  readonly conntrackLines: string[] = [];
  readonly packetList: PacketRecord[] = [];
  readonly dropList: DropRecord[] = [];
  /** What happens at a time, for `until`. */
  readonly events: { at: number; do: () => void }[] = [];
  private time = 0;
  private readonly answer: Answer;

  constructor(answer: Answer = () => ({})) {
    this.answer = answer;
  }

  now(): number {
    return this.time;
  }
  async run(command: Command): Promise<CommandResult> {
    this.ran.push(command.text);
    this.time += 1000;
    return { output: [], data: {}, ...this.answer(command, this) };
  }
  runAll(commands: readonly Command[]): Promise<PromiseSettledResult<CommandResult>[]> {
    return Promise.allSettled(commands.map((c) => this.run(c)));
  }
  start(command: Command): Promise<CommandResult> {
    return this.run(command);
  }
  async wait(ns: number): Promise<void> {
    this.time += ns;
  }
  async until(check: () => boolean, withinNs: number): Promise<boolean> {
    const end = this.time + withinNs;
    for (const event of this.events.splice(0)) {
      if (check() || event.at > end) break;
      this.time = event.at;
      event.do();
    }
    if (check()) return true;
    this.time = end;
    return false;
  }
  tables(host: string): Tables | undefined {
    return this.hosts.get(host);
  }
  /** The tables of a host, made when they are first asked for. */
  tablesOf(host: string): Tables {
    let tables = this.hosts.get(host);
    if (!tables) {
      tables = createTables();
      this.hosts.set(host, tables);
    }
    return tables;
  }
  ports(host: string): readonly number[] | undefined {
    return this.poolPorts.get(host);
  }
  conntrack(): readonly string[] {
    return this.conntrackLines;
  }
  packets(): readonly PacketRecord[] {
    return this.packetList;
  }
  hookPackets(): readonly HookPacket[] {
    return [];
  }
  drops(): readonly DropRecord[] {
    return this.dropList;
  }
  async close(): Promise<void> {}
}
