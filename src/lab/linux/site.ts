/** How a lab's hosts and networks come to be on this machine, and go again: as namespaces or as containers. */
import type { DropRecord, HookPacket, PacketRecord } from "../../scenario/lab.ts";
import type { Topology } from "../../scenario/topology.ts";
import type { World } from "./world.ts";

/** What a site saw that forwards the packets itself. */
export interface Watched {
  readonly packets: readonly PacketRecord[];
  readonly hookPackets: readonly HookPacket[];
  readonly drops: readonly DropRecord[];
  /** What ended the forwarding, if anything did. */
  readonly failure: unknown;
  /** Keep every packet from now on, or no more. */
  set recording(on: boolean);
  /** With them what is on the other side of hooks. */
  set recordingHooks(on: boolean);
}

export interface Site {
  readonly kind: "netns" | "docker";
  /** Of all names that the lab uses. */
  readonly prefix: string;
  /** Throws LabError where the machine cannot: not root, a program missing, no daemon. Changes nothing. */
  require(): void;
  /**
   * Claims the prefix for this process; what a lab of a process that has ended left behind is removed. Throws LabError
   * ERR_LAB_UP, ERR_NAME_TAKEN, ERR_PREFIX.
   */
  claim(): void;
  /** Puts hosts, networks and wires into an empty world. When it throws, world.close() and remove() are due. */
  build(world: World, topology: Topology): void | Promise<void>;
  /** Removes everything of the prefix, and the claim; also what a killed lab left. */
  remove(): void;
  /**
   * Where the site forwards the packets itself, what it saw of them; otherwise the lab watches the NICs. `startMs`:
   * performance.now() at which the lab's time began.
   */
  watch?(startMs: number): Watched;
}
