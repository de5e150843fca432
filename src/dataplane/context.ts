/**
 * What the functions of the reference data path share while one packet is in a hook: the host's tables, the FIB, the
 * packet's parsed fields and the interface's configuration. One object per data path, overwritten by every packet.
 *
 * Addresses and map key words are kept as *signed* 32-bit integers: V8 stores those without a heap allocation.
 */
import type { BpfMap } from "../tables/map.ts";
import type { Tables } from "../tables/tables.ts";
import type { FibHelper, FibParams, HookResult } from "./datapath.ts";

/** The outer (at egress: only) IPv4 packet; valid after `parsePacket` said so. Offsets are into `Skb.buf`. */
export class PacketFields {
  /** Offset of the IPv4 header, of the L4 header, and of the first byte behind the IPv4 total length. */
  ip = 0;
  l4 = 0;
  end = 0;
  proto = 0;
  /** Addresses as signed words, ports as numbers. */
  saddr = 0;
  daddr = 0;
  sport = 0;
  dport = 0;
}

/** State of one data path, and of the packet in it. */
export class HookContext {
  readonly config: BpfMap;
  readonly tunnels: BpfMap;
  readonly decap: BpfMap;
  readonly encap: BpfMap;
  readonly sessions: BpfMap;
  readonly verify: BpfMap;
  readonly dnat: BpfMap;
  readonly snat: BpfMap;
  readonly epoch: BpfMap;
  readonly stats: BpfMap;
  readonly reasons: BpfMap;
  readonly fib: FibHelper;
  /** CONFIG of the packet's interface: flags as signed words, MTU in bytes (unsigned). */
  rx = 0;
  tx = 0;
  mtu = 0;
  readonly packet = new PacketFields();
  readonly last: HookResult = {
    reason: 0,
    redirectIfindex: 0,
    redirectIngress: false,
    tunnel: -1,
    group: -1,
    service: -1,
    fib: -1,
  };
  readonly fibParams: FibParams = {
    ifindex: 0,
    saddr: 0,
    daddr: 0,
    sport: 0,
    dport: 0,
    proto: 0,
    frameLen: 0,
    smac: 0,
    dmac: 0,
  };

  constructor(tables: Tables, fib: FibHelper) {
    this.config = tables.CONFIG;
    this.tunnels = tables.TUNNEL;
    this.decap = tables.DECAP;
    this.encap = tables.ENCAP;
    this.sessions = tables.SESSION;
    this.verify = tables.VERIFY;
    this.dnat = tables.DNAT;
    this.snat = tables.SNAT;
    this.epoch = tables.EPOCH;
    this.stats = tables.STATS;
    this.reasons = tables.REASON;
    this.fib = fib;
  }
}

/** Counts a reason or a note. */
export function count(ctx: HookContext, reason: number): void {
  add64(ctx.reasons.view, reason * 8, 1);
}

/** Adds `n` (below 2^31) to the little-endian u64 at `off`. */
export function add64(view: DataView, off: number, n: number): void {
  const sum = (view.getInt32(off, true) + n) | 0;
  view.setInt32(off, sum, true);
  // Integer arithmetic throughout; an unsigned sum below its summand has carried.
  if (sum >>> 0 < n) view.setInt32(off + 4, (view.getInt32(off + 4, true) + 1) | 0, true);
}
