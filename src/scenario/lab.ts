/**
 * The runner's port: a lab runs the demo's commands on hosts, simulated or real. The scenario runner, the command language
 * and the expectations know a lab only by this interface.
 */
import type { TableStores } from "../tables/tables.ts";
import type { Command } from "./command.ts";
import type { Topology } from "./topology.ts";

/** What a command gave. A command that is refused throws a LabError with a stable code instead. */
export interface CommandResult {
  /** Lines for people, as the demo's script would print. */
  output: string[];
  /**
   * Named values that `expect` compares, under the names that CommandSpec.results declares. A command that ran but did not
   * succeed (no answer, connection refused) gives `error` with an errno name: ETIMEDOUT, ECONNREFUSED, EHOSTUNREACH, EMSGSIZE.
   */
  data: Record<string, unknown>;
}

/** One frame as seen on a NIC: ingress before the hook, egress after it. */
export interface PacketRecord {
  timeNs: number;
  host: string;
  nic: string;
  direction: "in" | "out";
  /** The frame, MAC header first. Never written to after it was recorded. */
  frame: Uint8Array;
  /** What the data path's hook decided, where one is attached. */
  hook?: HookNote;
}

/**
 * The side of a hook that the packets of its NIC do not show, on an interface of its own: what an ingress hook left of a packet
 * (`eth1:ingress:after`), and what an egress hook was given (`eth1:egress:before`). A packet that was dropped left nothing.
 */
export interface HookPacket extends PacketRecord {
  /** So many of the lab's `packets()` come before it. */
  at: number;
}

/** A hook's decision on one packet. */
export interface HookNote {
  hook: "ingress" | "egress";
  /** Slot in REASONS. */
  reason: number;
  /** Tunnel, group and service of the table entry that decided; -1 where none did. */
  tunnel: number;
  group: number;
  service: number;
  /** Frame length before the hook, where it changed the packet. */
  lenBefore: number;
}

/** A packet that went no further, and why: by a hook, the stack, netfilter or a link. */
export interface DropRecord {
  timeNs: number;
  host: string;
  nic: string;
  /** Who dropped it: "tc ingress", "tc egress", "ip", "netfilter", "link", "arp", "udp", "tcp". */
  where: string;
  /** Reason name of the data path, or a sentence. */
  reason: string;
  frame: Uint8Array;
}

export interface Lab {
  readonly kind: "sim" | "netns" | "docker";
  readonly topology: Topology;
  /** Virtual or real time since the lab came up, ns. */
  now(): number;
  /** Runs one command to its end. Throws LabError when it is refused or malformed for this lab. */
  run(command: Command): Promise<CommandResult>;
  /** Starts all commands at the same moment and lets time pass until every one has ended; results in their order. */
  runAll(commands: readonly Command[]): Promise<PromiseSettledResult<CommandResult>[]>;
  /** Starts a command and goes on; the promise settles when it ends (`now()` advances only in run, wait and until). */
  start(command: Command): Promise<CommandResult>;
  /** Lets time pass. */
  wait(ns: number): Promise<void>;
  /** Lets time pass until `check` holds; false when it still does not after `withinNs`. */
  until(check: () => boolean, withinNs: number): Promise<boolean>;
  /** A host's tables; undefined when no data path was ever started there. */
  tables(host: string): TableStores | undefined;
  /** Free ports of a host's pool in the order in which they are handed out; undefined without a pool. */
  ports(host: string): readonly number[] | undefined;
  /** A host's connection tracking entries, one line each as `conntrack -L` prints them. */
  conntrack(host: string): readonly string[];
  /** Recorded packets, oldest first (only where recording was asked for). */
  packets(): readonly PacketRecord[];
  /** What went on at the other side of hooks, by `at` (only where the lab was told to record it). */
  hookPackets(): readonly HookPacket[];
  drops(): readonly DropRecord[];
  close(): Promise<void>;
}
