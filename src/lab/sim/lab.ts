/**
 * The simulated lab: a topology in virtual time. Deterministic: everything depends on the topology, the commands and the
 * seed. Commands are in ./commands/, one file per group.
 */
import { LabError } from "../../errors.ts";
import type { Command } from "../../scenario/command.ts";
import type { CommandResult, DropRecord, HookPacket, Lab, PacketRecord } from "../../scenario/lab.ts";
import type { Topology } from "../../scenario/topology.ts";
import { SimEnv, type Tap } from "../../sim/env.ts";
import { type HasherFactory, sha256 } from "../../sim/sha256.ts";
import { MS, SEC } from "../../sim/types.ts";
import type { TableStores, Tables } from "../../tables/tables.ts";
import { conntrackLines } from "./commands/host.ts";
import { HANDLERS } from "./commands/index.ts";
import { pingProxies } from "./commands/topology.ts";
import { Recorder } from "./recorder.ts";
import { settledTask, Task } from "./task.ts";
import { type SimHost, World } from "./world.ts";

export interface SimLabOptions {
  /** Seed of every random choice; 1 by default. */
  seed?: number;
  /** Keep every packet (captures, traces, packet expectations). */
  record?: boolean;
  /** With `record`: keep what is on the other side of hooks as well. */
  recordHooks?: boolean;
  /** SHA-256 of what is fed to it; the built-in one is portable, Node's is faster. */
  sha256?: HasherFactory;
  /** Leave the topology down: `topo_setup` brings it up. */
  down?: boolean;
  /**
   * Awaited now and then while time passes in run, runAll, wait and until, so that an event loop can go on; what it rejects with
   * ends the call, while what a command began goes on in the network. Without it time passes in one go.
   */
  pause?: () => Promise<void>;
  /** Events of the simulation from one pause to the next; 5,000, some milliseconds, without it. */
  pauseEvery?: number;
  /** Sees everything that happens, tables included. */
  watch?: LabWatch;
}

/** An observer of the whole lab. The topology may come up more than once. */
export interface LabWatch {
  /** Tables of a host, which the observer knows all writes to. */
  tables(host: string): Tables;
  /** The network is built; what happens until `ready` is the setup's own check. Returns the tap: it must call `recorder`. */
  setup(world: World, recorder: Tap): Tap;
  ready(): void;
}

const EVENTS_PER_PAUSE = 5_000;

/** Virtual time after which a command that has not come to an end is given up. */
const COMMAND_LIMIT_NS = 24 * 3600 * SEC;

/** `until` looks at least so often. */
const POLL_NS = 10 * MS;

export class SimLab implements Lab {
  readonly kind = "sim";
  readonly topology: Topology;
  readonly recorder: Recorder;
  readonly sha256: HasherFactory;

  private readonly seed: number;
  private readonly record: boolean;
  private readonly pause: (() => Promise<void>) | undefined;
  private readonly pauseEvery: number;
  private readonly watch: LabWatch | undefined;
  private env: SimEnv;
  private up: World | undefined;

  constructor(topology: Topology, opts: SimLabOptions = {}) {
    this.topology = topology;
    this.seed = opts.seed ?? 1;
    this.sha256 = opts.sha256 ?? sha256;
    this.env = new SimEnv(this.seed);
    this.record = opts.record ?? false;
    this.pause = opts.pause;
    this.pauseEvery = opts.pauseEvery ?? EVENTS_PER_PAUSE;
    this.watch = opts.watch;
    this.recorder = new Recorder(this.env, this.record);
    this.recorder.recordingHooks = opts.recordHooks ?? false;
    if (opts.down !== true) this.setUp();
  }

  now(): number {
    return this.env.clock.now;
  }

  /** What is simulated. Throws ERR_LAB_DOWN when the topology is not up. */
  get world(): World {
    if (this.up === undefined)
      throw new LabError("ERR_LAB_DOWN", "the topology is not up", { hint: "Run topo_setup first." });
    return this.up;
  }

  get isUp(): boolean {
    return this.up !== undefined;
  }

  /** Builds the network and checks that every host reaches every PROXY_IP. Throws ERR_LAB_UP, ERR_LAB_CHECK. */
  setUp(): void {
    if (this.up !== undefined)
      throw new LabError("ERR_LAB_UP", "the topology is up already", { hint: "Run topo_cleanup first." });
    const env = new SimEnv(this.seed);
    // Time goes on where the world before it ended.
    env.clock.run(this.env.clock.now);
    this.recorder.env = env;
    this.env = env;
    const { watch } = this;
    const world = new World(env, this.topology, watch && ((host) => watch.tables(host)));
    env.tap = watch?.setup(world, this.recorder) ?? this.recorder;
    this.up = world;
    // The check is part of the setup, not of what the user wants to see.
    this.recorder.recording = false;
    const check = pingProxies(world);
    env.clock.runUntil(() => check.settled, env.clock.now + COMMAND_LIMIT_NS);
    const failed = check.value();
    this.recorder.recording = this.record;
    this.watch?.ready();
    if (failed.length === 0) return;
    this.tearDown();
    throw new LabError("ERR_LAB_CHECK", `no answer from PROXY_IP: ${failed.join(", ")}`, {
      hint: "Setup ends by pinging every PROXY_IP from every host; look at the faults of the links.",
    });
  }

  tearDown(): void {
    this.world.close();
    this.up = undefined;
  }

  host(name: string): SimHost {
    const found = this.world.hosts.get(name);
    if (found) return found;
    throw new LabError("ERR_HOST_UNKNOWN", `there is no host ${name}`, {
      hint: `Hosts: ${[...this.world.hosts.keys()].join(", ")}.`,
    });
  }

  async run(command: Command): Promise<CommandResult> {
    const task = this.begin(command);
    await this.settle([task]);
    return task.value();
  }

  async runAll(commands: readonly Command[]): Promise<PromiseSettledResult<CommandResult>[]> {
    const tasks = commands.map((c) => this.begin(c));
    await this.settle(tasks);
    return Promise.allSettled(tasks.map((t) => t.promise()));
  }

  start(command: Command): Promise<CommandResult> {
    return this.begin(command).promise();
  }

  async wait(ns: number): Promise<void> {
    await this.pass(() => false, this.now() + ns);
  }

  async until(check: () => boolean, withinNs: number): Promise<boolean> {
    const { clock } = this.env;
    const end = clock.now + withinNs;
    // Some state, such as what conntrack has forgotten, changes by the passing of time alone.
    const poll = clock.timer(() => {
      if (clock.now < end) poll.start(Math.min(POLL_NS, end - clock.now));
    });
    poll.start(Math.min(POLL_NS, withinNs));
    // Once for each moment, not for each of its events: there may be thousands, and tables may be long.
    try {
      return await this.pass(() => clock.next > clock.now && check(), end);
    } finally {
      poll.stop();
    }
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
    return node ? conntrackLines(node, this.now()) : [];
  }

  packets(): readonly PacketRecord[] {
    return this.recorder.packets;
  }

  hookPackets(): readonly HookPacket[] {
    return this.recorder.hookPackets;
  }

  drops(): readonly DropRecord[] {
    return this.recorder.drops;
  }

  async close(): Promise<void> {
    if (this.up !== undefined) this.tearDown();
  }

  /** Frames that crossed a link since the topology came up. */
  get hops(): number {
    return this.env.hops;
  }

  private begin(command: Command): Task<CommandResult> {
    const handler = HANDLERS[command.spec.name];
    if (handler === undefined)
      throw new LabError("ERR_COMMAND_UNSUPPORTED", `${command.spec.name} is not a command of the simulated lab`, {
        position: command.position,
      });
    try {
      const result = handler(this, command);
      return result instanceof Task ? result : settledTask(result);
    } catch (err) {
      const task = new Task<CommandResult>();
      task.reject(err);
      return task;
    }
  }

  private async settle(tasks: readonly Task<CommandResult>[]): Promise<void> {
    if (!(await this.pass(() => tasks.every((t) => t.settled), this.now() + COMMAND_LIMIT_NS)))
      throw new LabError("ERR_COMMAND_ENDLESS", "the command has not ended after 24 hours of virtual time");
  }

  /** Lets time pass until `done`, at most until `endNs` (absolute); false when it is not done then. */
  private async pass(done: () => boolean, endNs: number): Promise<boolean> {
    const { clock } = this.env;
    if (this.pause === undefined) return clock.runUntil(done, endNs);
    for (;;) {
      let left = this.pauseEvery;
      let ended = false;
      if (!clock.runUntil(() => (ended = done()) || left-- === 0, endNs)) return false;
      if (ended) return true;
      await this.pause();
    }
  }
}
