/**
 * The lab of network namespaces: hosts are namespaces, links veth pairs, networks bridges; real TCP, UDP and ICMP, the eBPF
 * programs at the NICs, real time. It needs root. Commands are in ./commands/, one file per group.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { libc } from "../../ebpf/libc.ts";
import { LabError } from "../../errors.ts";
import type { Command } from "../../scenario/command.ts";
import type { CommandResult, DropRecord, Lab, PacketRecord } from "../../scenario/lab.ts";
import { clip } from "../../scenario/state.ts";
import { DEFAULT_LINK, type Topology } from "../../scenario/topology.ts";
import { type HasherFactory, sha256 } from "../../sim/sha256.ts";
import type { TableStores } from "../../tables/tables.ts";
import { NetnsCapture } from "./capture.ts";
import { claim, prefixOf, removeLab } from "./claim.ts";
import { HANDLERS } from "./commands/index.ts";
import { pingProxies } from "./commands/topology.ts";
import { conntrackLines } from "./conntrack.ts";
import { DropWatch } from "./drops.ts";
import { HookEvents } from "./events.ts";
import { ifindexOf, type Namespace } from "./sys.ts";
import { BRIDGE, type NetnsHost, World } from "./world.ts";

export interface NetnsLabOptions {
  /** Of all names in the kernel; by default from the topology's name. */
  prefix?: string;
  /** Keep every packet (captures, traces, packet expectations). */
  record?: boolean;
  /** SHA-256 of what is fed to it. */
  sha256?: HasherFactory;
}

const NS_PER_MS = 1_000_000;
/** `until` looks so often. */
const POLL_MS = 5;
/** Programs that the lab runs, and Debian's packages of them. */
const TOOLS: Readonly<Record<string, string>> = {
  ip: "iproute2",
  tc: "iproute2",
  bpftool: "bpftool",
  curl: "curl",
  iptables: "iptables",
  setpriv: "util-linux",
};
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export class NetnsLab implements Lab {
  readonly kind = "netns";
  readonly topology: Topology;
  readonly prefix: string;
  readonly sha256: HasherFactory;
  private readonly record: boolean;
  private readonly epochMs = performance.timeOrigin + performance.now();
  private readonly startMs = performance.now();
  private readonly events = new HookEvents();
  private readonly capture = new NetnsCapture(this.epochMs, (fresh) => this.takeEvents(fresh));
  private readonly dropWatch = new DropWatch(this.events);
  private up: World | undefined;
  /** When the process ends before the lab is closed. */
  private readonly onExit = (): void => this.tearDown();
  private readonly onSignal = (signal: NodeJS.Signals): void => {
    this.tearDown();
    process.kill(process.pid, signal);
  };

  private constructor(topology: Topology, options: NetnsLabOptions) {
    this.topology = topology;
    this.prefix = options.prefix ?? prefixOf(topology.name);
    this.record = options.record ?? false;
    this.sha256 = options.sha256 ?? sha256;
  }

  /**
   * Brings the topology up. Throws LabError ERR_NO_ROOT, ERR_NO_PROGRAM, ERR_NO_KOFFI, ERR_LAB_UP, ERR_NAME_TAKEN, ERR_LINK_PROPS,
   * ERR_LAB_CHECK; nothing is left behind then.
   */
  static async open(topology: Topology, options: NetnsLabOptions = {}): Promise<NetnsLab> {
    requireNetns();
    const lab = new NetnsLab(topology, options);
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
    refuseLinkFaults(this.topology);
    claim(this.prefix);
    process.once("exit", this.onExit);
    for (const signal of SIGNALS) process.once(signal, this.onSignal);
    try {
      const world = new World(this.topology, this.prefix);
      this.up = world;
      world.build();
      const failed = await pingProxies(world);
      if (failed.length > 0)
        throw new LabError("ERR_LAB_CHECK", `no answer from PROXY_IP: ${clip(failed, 5).join(", ")}`, {
          hint: "Every host must reach every PROXY_IP. With many hosts the kernel's neighbour table may be too small: sysctl net.ipv4.neigh.default.gc_thresh3",
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
        world.close();
      }
    } finally {
      this.up = undefined;
      removeLab(this.prefix);
    }
  }

  host(name: string): NetnsHost {
    const found = this.world.hosts.get(name);
    if (found) return found;
    throw new LabError("ERR_HOST_UNKNOWN", `there is no host ${name}`, {
      hint: `Hosts: ${[...this.world.hosts.keys()].join(", ")}.`,
    });
  }

  async run(command: Command): Promise<CommandResult> {
    const handler = HANDLERS[command.spec.name];
    if (handler === undefined)
      throw new LabError("ERR_COMMAND_UNSUPPORTED", `${command.spec.name} is not a command of the netns lab`, {
        position: command.position,
        hint: "It runs in the simulated lab: --lab sim.",
      });
    // Before counters are set back by it.
    this.drops();
    const result = await handler(this, command);
    for (const host of this.up?.hosts.values() ?? []) if (host.port.failure !== undefined) throw host.port.failure;
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
    return this.capture.drain();
  }

  /** Adds a frame that the kernel does not show to packet sockets. */
  notePacket(packet: Omit<PacketRecord, "timeNs">): void {
    if (!this.record) return;
    this.capture.drain();
    this.capture.packets.push({ timeNs: this.now(), ...packet });
  }

  drops(): readonly DropRecord[] {
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
    const open = (host: string, nic: string, ns: Namespace): void =>
      this.capture.open(
        host,
        nic,
        ns,
        ns.enter(() => ifindexOf(nic)),
      );
    for (const { name, ns } of world.gateways.values()) open(name, BRIDGE, ns);
    for (const { def, ns } of world.hosts.values()) for (const nic of def.nics) open(def.name, nic.name, ns);
  }
}

/** Throws LabError where namespaces cannot be used: not Linux, not root, a program missing. */
export function requireNetns(): void {
  if (process.platform !== "linux" || process.geteuid?.() !== 0)
    throw new LabError("ERR_NO_ROOT", "the netns lab makes network namespaces, which needs Linux and root", {
      hint: "Run it with sudo, or in the simulated lab: --lab sim.",
    });
  const dirs = `${process.env.PATH ?? ""}:/usr/sbin:/sbin`.split(":");
  for (const [tool, pkg] of Object.entries(TOOLS))
    if (!dirs.some((dir) => existsSync(join(dir, tool))))
      throw new LabError("ERR_NO_PROGRAM", `the netns lab needs ${tool}, which is not installed`, {
        hint: `On Debian and Ubuntu: apt-get install ${pkg}`,
      });
  libc();
}

/** Rates, delays and faults are the simulation's: a veth pair has none. */
function refuseLinkFaults(topology: Topology): void {
  const plain = JSON.stringify(DEFAULT_LINK);
  for (const host of topology.hosts)
    for (const nic of host.nics)
      if (JSON.stringify(nic.link) !== plain)
        throw new LabError("ERR_LINK_PROPS", `${host.name}/${nic.name}: the netns lab has no rates, delays or faults`, {
          hint: "Run it in the simulated lab: --lab sim.",
          position: topology.source,
        });
}
