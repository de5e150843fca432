/**
 * What a host's FIB makes of a destination: one cached object per address that holds device, next hop, source address,
 * neighbour and path MTU (RFC 1191), as the kernel's dst_entry and its next-hop exceptions do.
 */
import type { Fib, RouteType } from "../dataplane/fib.ts";
import type { Neighbour } from "./neighbour.ts";
import type { NetDevice } from "./nic.ts";
import { SEC } from "./types.ts";

/** What a destination is to this host (enum rtn_type); NONE: the FIB knows no route. */
export const RTN_NONE = 0;
export const RTN_UNICAST = 1;
export const RTN_LOCAL = 2;
/** A broadcast or multicast address. */
export const RTN_BROADCAST = 3;
export const RTN_BLACKHOLE = 6;
export const RTN_UNREACHABLE = 7;
export const RTN_PROHIBIT = 8;

const RTN: Record<RouteType, number> = {
  unicast: RTN_UNICAST,
  local: RTN_LOCAL,
  broadcast: RTN_BROADCAST,
  blackhole: RTN_BLACKHOLE,
  unreachable: RTN_UNREACHABLE,
  prohibit: RTN_PROHIBIT,
};

/** How long a path MTU is believed (ip_rt_mtu_expires), and the least that is (ip_rt_min_pmtu). */
const PMTU_EXPIRES_NS = 600 * SEC;
const MIN_PMTU = 552;
/** No packet is larger than its total length can say, though the MTU of lo is (include/net/ip.h). */
const IP_MAX_MTU = 0xffff;
/** Destinations that are kept; then the cache starts afresh. */
const CACHE_LIMIT = 65_536;
/** What routers of old have as MTU, for an ICMP error that names none (RFC 1191 section 7). */
const PLATEAUS = [32_000, 17_914, 8166, 4352, 2002, 1492, 576];

/** Where packets to one address go. */
export interface Dst {
  readonly type: number;
  readonly dev: NetDevice;
  /** Address to ask ARP for. */
  readonly nexthop: number;
  readonly src: number;
  readonly neighbour: Neighbour | undefined;
  /** Device MTU or, if lower, the learned path MTU; meaningful through `DstCache.pathMtu` only. */
  pmtu: number;
  pmtuExpires: number;
  /** The path MTU is below the least that is believed: packets go without DF (RTAX_MTU lock). */
  pmtuLocked: boolean;
}

/** What the cache needs of its host. */
export interface RouteHost {
  readonly lo: NetDevice;
  readonly fib: Fib;
  device(ifindex: number): NetDevice | undefined;
  /** The neighbour to hand packets to, on devices that have such. */
  neighbour(dev: NetDevice, nexthop: number): Neighbour | undefined;
}

export class DstCache {
  private readonly host: RouteHost;
  private readonly cache = new Map<number, Dst>();
  private generation = -1;
  /** Learned path MTUs, which outlive a change of routes. */
  private readonly exceptions = new Map<number, { mtu: number; expires: number; locked: boolean }>();

  constructor(host: RouteHost) {
    this.host = host;
  }

  lookup(daddr: number): Dst {
    if (this.generation !== this.host.fib.generation) {
      this.cache.clear();
      this.generation = this.host.fib.generation;
    }
    const dst = this.cache.get(daddr | 0);
    return dst !== undefined ? dst : this.resolve(daddr);
  }

  /** Path MTU of a destination, bytes. */
  pathMtu(dst: Dst, now: number): number {
    if (dst.pmtuExpires !== 0 && now >= dst.pmtuExpires) {
      dst.pmtu = dst.dev.mtu;
      dst.pmtuExpires = 0;
      dst.pmtuLocked = false;
    }
    return Math.min(dst.pmtu, dst.dev.mtu, IP_MAX_MTU);
  }

  /**
   * Notes what an ICMP "fragmentation needed" said: `mtu` of its next hop, or 0, and the length of the packet that was
   * too big. Returns the path MTU now, or 0 when the error changes nothing.
   */
  updatePmtu(daddr: number, mtu: number, packetLen: number, now: number): number {
    const dst = this.lookup(daddr);
    if (dst.type !== RTN_UNICAST) return 0;
    let value = mtu !== 0 ? mtu : (PLATEAUS.find((p) => p < packetLen) ?? MIN_PMTU);
    const locked = value < MIN_PMTU;
    if (locked) value = MIN_PMTU;
    if (value >= this.pathMtu(dst, now) && !locked) return 0;
    dst.pmtu = value;
    dst.pmtuExpires = now + PMTU_EXPIRES_NS;
    dst.pmtuLocked = locked;
    this.exceptions.set(daddr | 0, { mtu: value, expires: dst.pmtuExpires, locked });
    return value;
  }

  private resolve(daddr: number): Dst {
    if (this.cache.size >= CACHE_LIMIT) this.cache.clear();
    const dst = this.make(daddr);
    const e = this.exceptions.get(daddr | 0);
    if (e !== undefined) {
      dst.pmtu = e.mtu;
      dst.pmtuExpires = e.expires;
      dst.pmtuLocked = e.locked;
    }
    this.cache.set(daddr | 0, dst);
    return dst;
  }

  private make(daddr: number): Dst {
    const { host } = this;
    const route = host.fib.lookup(daddr);
    let type = route === undefined ? RTN_NONE : RTN[route.type];
    // 255.255.255.255 and 224.0.0.0/4, whatever the routes say.
    if (daddr >>> 28 >= 14) type = RTN_BROADCAST;
    const none = { pmtu: Number.POSITIVE_INFINITY, pmtuExpires: 0, pmtuLocked: false };
    const dev = type === RTN_UNICAST ? host.device(route!.ifindex) : host.lo;
    if (type !== RTN_UNICAST || dev === undefined) {
      if (dev === undefined) type = RTN_NONE;
      return {
        type,
        dev: host.lo,
        nexthop: 0,
        src: type === RTN_LOCAL ? daddr : 0,
        neighbour: undefined,
        ...none,
      };
    }
    const nexthop = route!.via || daddr;
    const src = host.fib.sourceFor(daddr);
    return { type, dev, nexthop, src, neighbour: host.neighbour(dev, nexthop), ...none };
  }
}
