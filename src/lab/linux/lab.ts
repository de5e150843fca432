/**
 * A lab on real Linux: real TCP, UDP and ICMP, real time; hosts are what its site makes them, namespaces or containers, and at
 * their NICs are the eBPF programs or the reference. It needs root. Commands are in ./commands/, one file per group.
 */
import { LabError } from "../../errors.ts";
import type { Command } from "../../scenario/command.ts";
import type { CommandResult, DropRecord, HookPacket, Lab, PacketRecord } from "../../scenario/lab.ts";
import { clip } from "../../scenario/state.ts";
import { DEFAULT_LINK, type Topology } from "../../scenario/topology.ts";
import { sameLink } from "../../scenario/topology-format.ts";
import { type HasherFactory, sha256 } from "../../sim/sha256.ts";
import type { TableStores } from "../../tables/tables.ts";
import { NicCapture } from "./capture.ts";
import { HANDLERS } from "./commands/index.ts";
import { pingProxies } from "./commands/topology.ts";
import { conntrackLines } from "./conntrack.ts";
import { DropWatch } from "./drops.ts";
import { HookEvents } from "./events.ts";
import { HookLog } from "./hook-log.ts";
import { hookPackets } from "./hook-packets.ts";
import { type HookRecord, type HostHistory, monotonicNs } from "./hook-record.ts";
import { requireNeighbours } from "./require.ts";
import type { Site, Watched } from "./site.ts";
import { ifindexOf, type Namespace } from "./sys.ts";
import { BRIDGE, type LinuxHost, World } from "./world.ts";

export interface LinuxLabOptions {
  /** Keep every packet (captures, traces, packet expectations). */
  record?: boolean;
  /** SHA-256 of what is fed to it. */
  sha256?: HasherFactory;
  /**
   * Record what the hooks do and what is written to the tables: `hooks`, `histories`, with `record` also `hookPackets`. The process is then bound to one CPU. A
   * text is the folder of the programs' sources, if these are not the package's.
   */
  recordHooks?: boolean | string;
}

const NS_PER_MS = 1_000_000;
/** `until` looks so often. */
const POLL_MS = 5;
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export class LinuxLab implements Lab {
  readonly kind: Site["kind"];
  readonly topology: Topology;
  readonly site: Site;
  readonly sha256: HasherFactory;
  private readonly record: boolean;
  private readonly epochMs = performance.timeOrigin + performance.now();
  private readonly startMs = performance.now();
  private readonly events = new HookEvents();
  private readonly capture = new NicCapture(this.epochMs, (fresh) => this.takeEvents(fresh));
  private readonly dropWatch = new DropWatch(this.events);
  private readonly watched: Watched | undefined;
  private readonly hookLog: HookLog | undefined;
  private up: World | undefined;
  /** When the process ends before the lab is closed. */
  private readonly onExit = (): void => this.tearDown();
  private readonly onSignal = (signal: NodeJS.Signals): void => {
    this.tearDown();
    process.kill(process.pid, signal);
  };

  private constructor(topology: Topology, site: Site, options: LinuxLabOptions) {
    this.topology = topology;
    this.site = site;
    this.kind = site.kind;
    this.record = options.record ?? false;
    this.watched = site.watch?.(this.startMs);
    this.sha256 = options.sha256 ?? sha256;
    if (options.recordHooks)
      this.hookLog = new HookLog(
        monotonicNs() - this.now(),
        options.recordHooks === true ? undefined : options.recordHooks,
      );
  }

  /**
   * Brings the topology up. Throws LabError ERR_NO_ROOT, ERR_NO_PROGRAM, ERR_NO_KOFFI, ERR_NEIGH_TABLE, ERR_LAB_UP, ERR_NAME_TAKEN, ERR_NO_NETEM,
   * ERR_LAB_CHECK, and what the site says; nothing is left behind then.
   */
  static async open(topology: Topology, site: Site, options: LinuxLabOptions = {}): Promise<LinuxLab> {
    site.require();
    requireNeighbours(topology);
    const lab = new LinuxLab(topology, site, options);
    await lab.setUp();
    return lab;
  }

  now(): number {
    return Math.round((performance.now() - this.startMs) * NS_PER_MS);
  }

  /** What is up. Throws ERR_LAB_DOWN when the topology is not. */
  get world(): World {
    if (this.up === undefined)
      throw new LabError("ERR_LAB_DOWN", "the topology is not up", { hint: "Run topo_setup first." });
    return this.up;
  }

  get isUp(): boolean {
    return this.up !== undefined;
  }

  /** Makes the network and checks that every host reaches every PROXY_IP. Throws ERR_LAB_UP, ERR_LAB_CHECK. */
  async setUp(): Promise<void> {
    if (this.up !== undefined)
      throw new LabError("ERR_LAB_UP", "the topology is up already", { hint: "Run topo_cleanup first." });
    this.site.claim();
    process.once("exit", this.onExit);
    for (const signal of SIGNALS) process.once(signal, this.onSignal);
    try {
      const world = new World(this.topology, this.hookLog);
      this.up = world;
      await this.site.build(world, this.topology);
      setLinks(world, this.topology);
      const failed = await pingProxies(world);
      if (failed.length > 0)
        throw new LabError("ERR_LAB_CHECK", `no answer from PROXY_IP: ${clip(failed, 5).join(", ")}`, {
          hint: "Every host must reach every PROXY_IP.",
        });
      if (this.record) this.openCapture(world);
    } catch (err) {
      this.tearDown();
      throw err;
    }
  }

  /** Removes everything that the lab made. */
  tearDown(): void {
    process.off("exit", this.onExit);
    for (const signal of SIGNALS) process.off(signal, this.onSignal);
    const world = this.up;
    try {
      if (world !== undefined) {
        this.capture.close();
        this.drops();
        this.dropWatch.forget();
        this.hookLog?.finish();
        world.close();
      }
    } finally {
      this.up = undefined;
      this.site.remove();
    }
  }

  host(name: string): LinuxHost {
    const found = this.world.hosts.get(name);
    if (found) return found;
    throw new LabError("ERR_HOST_UNKNOWN", `there is no host ${name}`, {
      hint: `Hosts: ${[...this.world.hosts.keys()].join(", ")}.`,
    });
  }

  async run(command: Command): Promise<CommandResult> {
    const handler = HANDLERS[command.spec.name];
    if (handler === undefined)
      throw new LabError("ERR_COMMAND_UNSUPPORTED", `${command.spec.name} is not a command of the ${this.kind} lab`, {
        position: command.position,
        hint: "It runs in the simulated lab: --lab sim.",
      });
    // Before counters are set back by it.
    this.drops();
    const result = await handler(this, command);
    // Many commands wait for nothing; between them signals are heard, timers fire and servers answer.
    await new Promise(setImmediate);
    for (const host of this.up?.hosts.values() ?? []) if (host.port.failure !== undefined) throw host.port.failure;
    if (this.watched?.failure !== undefined) throw this.watched.failure;
    return result;
  }

  runAll(commands: readonly Command[]): Promise<PromiseSettledResult<CommandResult>[]> {
    return Promise.allSettled(commands.map((c) => this.run(c)));
  }

  start(command: Command): Promise<CommandResult> {
    return this.run(command);
  }

  wait(ns: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ns / NS_PER_MS));
  }

  async until(check: () => boolean, withinNs: number): Promise<boolean> {
    const end = performance.now() + withinNs / NS_PER_MS;
    while (!check()) {
      if (performance.now() >= end) return false;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return true;
  }

  tables(host: string): TableStores | undefined {
    const node = this.up?.hosts.get(host);
    return node?.control.started ? node.tables : undefined;
  }

  ports(host: string): readonly number[] | undefined {
    const pool = this.up?.hosts.get(host)?.control.pool;
    return pool?.ready ? pool.list() : undefined;
  }

  conntrack(host: string): readonly string[] {
    const node = this.up?.hosts.get(host);
    return node ? conntrackLines(node.ns) : [];
  }

  packets(): readonly PacketRecord[] {
    return this.watched?.packets ?? this.capture.drain();
  }

  /** Adds a frame that the kernel does not show to packet sockets. */
  notePacket(packet: Omit<PacketRecord, "timeNs">): void {
    if (!this.record || this.watched !== undefined) return;
    this.capture.drain();
    this.capture.packets.push({ timeNs: this.now(), ...packet });
  }

  /** What the hooks did so far, oldest first (only where it was asked for). Throws LabError ERR_HOOK_LOST. */
  hooks(): readonly HookRecord[] {
    return this.hookLog?.hooks() ?? [];
  }

  hookPackets(): readonly HookPacket[] {
    if (!this.record) return [];
    return this.watched?.hookPackets ?? hookPackets(this.hooks(), this.packets());
  }

  /** What the hooks did host by host, with the tables. Throws LabError ERR_HOOK_LOST, ERR_HOOK_BUSY. */
  histories(): readonly HostHistory[] {
    return this.hookLog?.histories() ?? [];
  }

  drops(): readonly DropRecord[] {
    if (this.watched !== undefined) return this.watched.drops;
    this.takeEvents([]);
    return this.dropWatch.look(this.up?.hosts.values() ?? [], this.now());
  }

  private takeEvents(fresh: readonly PacketRecord[]): void {
    this.events.read(this.up?.hosts.values() ?? []);
    this.events.match(fresh);
  }

  async close(): Promise<void> {
    if (this.up !== undefined) this.tearDown();
  }

  private openCapture(world: World): void {
    if (this.watched !== undefined) {
      this.watched.recording = true;
      this.watched.recordingHooks = this.hookLog !== undefined;
      return;
    }
    const count = world.gateways.size + world.wires.size;
    const open = (host: string, nic: string, ns: Namespace, device = nic): void => {
      const ifindex = ns.enter(() => ifindexOf(device));
      this.capture.open(host, nic, ns, ifindex, count);
    };
    // A gateway's interface has one name in all labs, whatever its bridge is called.
    for (const { name, nic, ns } of world.gateways.values()) open(name, BRIDGE, ns, nic);
    for (const { def, ns } of world.hosts.values()) for (const nic of def.nics) open(def.name, nic.name, ns);
  }
}

/** Links that are not as every link is. The checks that follow go over them. */
function setLinks(world: World, topology: Topology): void {
  for (const host of topology.hosts)
    for (const nic of host.nics)
      if (!sameLink(nic.link, DEFAULT_LINK)) world.wires.get(`${host.name}/${nic.name}`)?.setProps(nic.link);
}
