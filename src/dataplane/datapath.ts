/**
 * What sits at a NIC's two TC hooks. The reference (reference.ts) and the eBPF programs implement it; hosts and the
 * scenario runner know only this.
 */
import type { Mac } from "../wire/ethernet.ts";
import type { Skb } from "./skb.ts";

/** A TC verdict: TC_ACT_UNSPEC (pass on), TC_ACT_SHOT (drop) or TC_ACT_REDIRECT. */
export type Verdict = number;

export interface DataPath {
  /** Runs the ingress hook of `skb.ifindex`; the packet is changed in place. */
  ingress(skb: Skb): Verdict;
  /** Runs the egress hook of `skb.ifindex`; the packet is changed in place. */
  egress(skb: Skb): Verdict;
  /** What the last call decided; overwritten by the next one. */
  readonly last: HookResult;
}

/** One object per data path, reused for every packet. */
export interface HookResult {
  /** Slot in REASONS. */
  reason: number;
  /** Where TC_ACT_REDIRECT sends the packet: to that interface's ingress, or out of it. */
  redirectIfindex: number;
  redirectIngress: boolean;
  /** Tunnel, group and service of the entry that decided; -1 where none did. */
  tunnel: number;
  group: number;
  service: number;
  /** bpf_fib_lookup's result, -1 where none was made, -2 where the call failed. */
  fib: number;
}

/** In and out parameters of bpf_fib_lookup (include/uapi/linux/bpf.h), host order. */
export interface FibParams {
  ifindex: number;
  saddr: number;
  daddr: number;
  sport: number;
  dport: number;
  proto: number;
  /** Of the frame with its MAC header; 0 for a packet of many segments, which fits everywhere. */
  frameLen?: number;
  /** Out: the interface to leave by (also the in parameter), and the two MAC addresses. */
  smac: Mac;
  dmac: Mac;
}

/** bpf_fib_lookup: a BPF_FIB_LKUP_RET_* number, or negative for an error. On success `p` holds ifindex and MACs. */
export interface FibHelper {
  fibLookup(p: FibParams): number;
}

export const BPF_FIB_LKUP_RET_SUCCESS = 0;
export const BPF_FIB_LKUP_RET_BLACKHOLE = 1;
export const BPF_FIB_LKUP_RET_UNREACHABLE = 2;
export const BPF_FIB_LKUP_RET_PROHIBIT = 3;
export const BPF_FIB_LKUP_RET_NOT_FWDED = 4;
export const BPF_FIB_LKUP_RET_FWD_DISABLED = 5;
export const BPF_FIB_LKUP_RET_UNSUPP_LWT = 6;
export const BPF_FIB_LKUP_RET_NO_NEIGH = 7;
export const BPF_FIB_LKUP_RET_FRAG_NEEDED = 8;
export const BPF_FIB_LKUP_RET_NO_SRC_ADDR = 9;
