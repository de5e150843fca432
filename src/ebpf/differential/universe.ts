/**
 * The small world in which the differential runs: interfaces and addresses, with the kernel's FIB and the reference's
 * answering alike. Few addresses, so that packets meet tables and each other.
 */
import {
  BPF_FIB_LKUP_RET_BLACKHOLE,
  BPF_FIB_LKUP_RET_FRAG_NEEDED,
  BPF_FIB_LKUP_RET_FWD_DISABLED,
  BPF_FIB_LKUP_RET_NO_NEIGH,
  BPF_FIB_LKUP_RET_NOT_FWDED,
  BPF_FIB_LKUP_RET_PROHIBIT,
  BPF_FIB_LKUP_RET_SUCCESS,
  BPF_FIB_LKUP_RET_UNREACHABLE,
  BPF_FIB_LKUP_RET_UNSUPP_LWT,
  type FibHelper,
  type FibParams,
} from "../../dataplane/datapath.ts";
import type { Skb } from "../../dataplane/skb.ts";
import type { FibRow } from "../../dataplane/vector.ts";
import { SMALL_IFINDEX, SMALL_MAC, SMALL_MTU, SMALL_NEIGHBOUR, type TestNamespace } from "../netns.ts";

/** Interfaces that may have CONFIG, one that never has, one whose host does not forward. */
export const IF_A = 7;
export const IF_B = 8;
export const IF_PLAIN = 9;
export const IF_NOFWD = 10;

const MAC_OF = (ifindex: number): number => 0x020000000000 + ifindex;
/** What is_skb_forwardable() lets pass in front of the MTU: the MAC header and a VLAN tag. */
const LINK_ROOM = 18;

const row = (daddr: number, rc: number, ifindex = 0): FibRow => ({
  daddr,
  rc,
  ifindex,
  smac: ifindex === 0 ? 0 : MAC_OF(ifindex),
  dmac: ifindex === 0 ? 0 : 0x020099000000 + (daddr & 0xffff),
});

const NET = 0xac100000; // 172.16.0.0

/** Every address with a route, and what bpf_fib_lookup says of it from a forwarding interface. */
export const ROUTES: readonly FibRow[] = [
  row(NET + 1, BPF_FIB_LKUP_RET_SUCCESS, IF_A),
  row(NET + 2, BPF_FIB_LKUP_RET_SUCCESS, IF_B),
  row(NET + 3, BPF_FIB_LKUP_RET_SUCCESS, IF_A),
  row(NET + 4, BPF_FIB_LKUP_RET_SUCCESS, IF_B),
  row(NET + 0xffff, BPF_FIB_LKUP_RET_SUCCESS, IF_PLAIN),
  row(NET + 5, BPF_FIB_LKUP_RET_BLACKHOLE),
  row(NET + 6, BPF_FIB_LKUP_RET_UNREACHABLE),
  row(NET + 7, BPF_FIB_LKUP_RET_PROHIBIT),
  row(NET + 8, BPF_FIB_LKUP_RET_UNSUPP_LWT),
  row(NET + 9, BPF_FIB_LKUP_RET_NO_NEIGH),
  row(NET + 10, BPF_FIB_LKUP_RET_FRAG_NEEDED),
];

/** Addresses for packets and tables: those with a route, some without, and the ends of the range. */
export const ADDRESSES: readonly number[] = [
  ...ROUTES.map((r) => r.daddr),
  NET + 1,
  NET + 2,
  NET + 3,
  NET + 4,
  0x01010101,
  0x05050505,
  0x0a000001,
  0x00000000,
  0xffffffff,
  0xffff0000,
  0x0000ffff,
];

export const PORTS: readonly number[] = [80, 4000, 4001, 5000, 6000, 33000, 0, 65535, 256];

/** Makes the namespace answer as `UniverseFib` does. */
export function buildUniverse(namespace: TestNamespace): void {
  for (const ifindex of [IF_A, IF_B, IF_PLAIN, IF_NOFWD]) namespace.ensureDevice(ifindex);
  namespace.setFib(ROUTES);
  namespace.setForwarding(IF_NOFWD, false);
}

/** The reference's FIB; `skb` is the packet under way, whose length decides FRAG_NEEDED. */
export class UniverseFib implements FibHelper {
  private readonly skb: Skb;
  private readonly rows = new Map(ROUTES.map((r) => [r.daddr, r]));

  constructor(skb: Skb) {
    this.skb = skb;
  }

  fibLookup(p: FibParams): number {
    if (p.ifindex === IF_NOFWD) return BPF_FIB_LKUP_RET_FWD_DISABLED;
    const found = this.rows.get(p.daddr);
    if (found === undefined) return BPF_FIB_LKUP_RET_NOT_FWDED;
    if (found.rc === BPF_FIB_LKUP_RET_FRAG_NEEDED && this.fits()) return this.small(p);
    if (found.rc === BPF_FIB_LKUP_RET_SUCCESS) {
      p.ifindex = found.ifindex;
      p.smac = found.smac;
      p.dmac = found.dmac;
    }
    return found.rc;
  }

  private fits(): boolean {
    // A GSO packet of a test run is none any more by then (bpf/include/room.h).
    return this.skb.end - this.skb.head <= SMALL_MTU + LINK_ROOM;
  }

  private small(p: FibParams): number {
    p.ifindex = SMALL_IFINDEX;
    p.smac = SMALL_MAC;
    p.dmac = SMALL_NEIGHBOUR;
    return BPF_FIB_LKUP_RET_SUCCESS;
  }
}
