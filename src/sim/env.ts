/** What every part of one simulated network shares: the clock, the random numbers, the packet pool and the observer. */
import type { HookResult, Verdict } from "../dataplane/datapath.ts";
import type { Skb } from "../dataplane/skb.ts";
import { Simulation } from "./clock.ts";
import type { Nic } from "./nic.ts";
import { SkbPool } from "./pool.ts";
import { Xoshiro128 } from "./rng.ts";
import type { Rng } from "./types.ts";

/**
 * Sees packets and drops as they happen. The frame may be read during the call only, and never written. Order on a NIC:
 * in: onPacket, onHook; out: onHook, onPacket (as tcpdump, which sees ingress before the hook and egress after it).
 */
export interface Tap {
  onPacket(nic: Nic, direction: "in" | "out", skb: Skb): void;
  /** A TC hook has run: its verdict, what it decided (reused object), and the frame's length before. */
  onHook(nic: Nic, hook: "ingress" | "egress", skb: Skb, verdict: Verdict, result: HookResult, lenBefore: number): void;
  /**
   * A packet goes no further. `where`: "tc ingress", "tc egress", "nic", "ip", "netfilter", "link", "bridge", "arp",
   * "udp", "tcp", "icmp"; `at`: the NIC or host concerned, or undefined on a link or bridge.
   */
  onDrop(where: string, reason: string, at: DropSite, skb: Skb): void;
  /** A TC hook is about to run: the frame as it comes. */
  beforeHook?(nic: Nic, hook: "ingress" | "egress", skb: Skb): void;
  /** One of netfilter's hooks is about to run on host `at`, and has run: NF_ACCEPT or NF_DROP. */
  beforeNetfilter?(at: DropSite, point: NfPoint, skb: Skb): void;
  afterNetfilter?(at: DropSite, point: NfPoint, skb: Skb, verdict: number): void;
}

/** Netfilter's hooks, by where in the path of a packet they are. */
export type NfPoint = "prerouting" | "input" | "forward" | "output" | "postrouting";

/** Where a packet was dropped: a host, NIC, link or bridge, by name. */
export interface DropSite {
  /** `egw/eth1` for a NIC, `egw` for a host, else the link's or bridge's name. */
  readonly label: string;
}

/** What NICs and bridges need of the network that they are in: simulated, or behind the interfaces of a kernel. */
export interface FrameEnv {
  readonly clock: { readonly now: number };
  readonly pool: SkbPool;
  readonly tap: Tap | undefined;
  /** Reports a drop and takes the frame back. */
  drop(where: string, reason: string, at: DropSite, skb: Skb): void;
}

export class SimEnv implements FrameEnv {
  readonly clock = new Simulation();
  readonly pool = new SkbPool();
  readonly rng: Rng;
  /** The observer; undefined costs nothing. */
  tap: Tap | undefined;
  /** Frames that crossed a link. */
  hops = 0;

  constructor(seed = 1) {
    this.rng = new Xoshiro128(seed);
  }

  /** Reports a drop and takes the frame back. */
  drop(where: string, reason: string, at: DropSite, skb: Skb): void {
    if (this.tap !== undefined) this.tap.onDrop(where, reason, at, skb);
    this.pool.put(skb);
  }
}
