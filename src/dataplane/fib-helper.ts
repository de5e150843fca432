/**
 * bpf_fib_lookup, as the kernel answers it to a TC program (net/core/filter.c bpf_ipv4_fib_lookup), flags 0 and tot_len 0.
 *
 * The order of its questions: is there such an interface, does it forward, is there a route and of which kind, is the next
 * hop's MAC known. The neighbour is only looked up, never asked for.
 */
import { ETH_HLEN, type Mac } from "../wire/ethernet.ts";
import {
  BPF_FIB_LKUP_RET_BLACKHOLE,
  BPF_FIB_LKUP_RET_FRAG_NEEDED,
  BPF_FIB_LKUP_RET_FWD_DISABLED,
  BPF_FIB_LKUP_RET_NO_NEIGH,
  BPF_FIB_LKUP_RET_NOT_FWDED,
  BPF_FIB_LKUP_RET_PROHIBIT,
  BPF_FIB_LKUP_RET_SUCCESS,
  BPF_FIB_LKUP_RET_UNREACHABLE,
  type FibHelper,
  type FibParams,
} from "./datapath.ts";
import type { Fib } from "./fib.ts";

const ENODEV = 19;
const VLAN_HLEN = 4;

/** is_skb_forwardable() of an interface that is up: a frame is not longer than its MTU, a MAC header and a VLAN tag. */
export const isForwardable = (mtu: number, frameLen: number): boolean => frameLen <= mtu + ETH_HLEN + VLAN_HLEN;

/** What the helper asks of its host. */
export interface FibHost {
  readonly fib: Fib;
  /** MAC address of an interface; -1 when there is no such interface. */
  nicMac(ifindex: number): Mac;
  /** Whether an interface forwards (net.ipv4.conf.<nic>.forwarding; ip_forward sets all). */
  forwards(ifindex: number): boolean;
  /** MAC address of a resolved neighbour; -1 when it is not resolved. Must not start a resolution. */
  neighbour(ifindex: number, addr: number): Mac;
  /** Would an interface take a frame of `frameLen` bytes (isForwardable)? */
  takes(ifindex: number, frameLen: number): boolean;
}

export class KernelFibHelper implements FibHelper {
  private readonly host: FibHost;

  constructor(host: FibHost) {
    this.host = host;
  }

  fibLookup(p: FibParams): number {
    const { host } = this;
    if (host.nicMac(p.ifindex) < 0) return -ENODEV;
    if (!host.forwards(p.ifindex)) return BPF_FIB_LKUP_RET_FWD_DISABLED;
    const route = host.fib.lookup(p.daddr);
    if (route === undefined) return BPF_FIB_LKUP_RET_NOT_FWDED;
    if (route.type === "blackhole") return BPF_FIB_LKUP_RET_BLACKHOLE;
    if (route.type === "unreachable") return BPF_FIB_LKUP_RET_UNREACHABLE;
    if (route.type === "prohibit") return BPF_FIB_LKUP_RET_PROHIBIT;
    if (route.type !== "unicast") return BPF_FIB_LKUP_RET_NOT_FWDED;
    p.ifindex = route.ifindex;
    const dmac = host.neighbour(route.ifindex, route.via || p.daddr);
    if (dmac < 0) return BPF_FIB_LKUP_RET_NO_NEIGH;
    p.smac = host.nicMac(route.ifindex);
    p.dmac = dmac;
    if (!host.takes(route.ifindex, p.frameLen ?? 0)) return BPF_FIB_LKUP_RET_FRAG_NEEDED;
    return BPF_FIB_LKUP_RET_SUCCESS;
  }
}
