/**
 * A host's routing table (longest prefix wins) and what it makes of a destination: one cached object per address that
 * holds device, next hop, source address, neighbour and path MTU (RFC 1191), as the kernel's dst_entry does.
 */
import type { Neighbour } from "./neighbour.ts";
import type { NetDevice } from "./nic.ts";
import { SEC } from "./types.ts";

export interface Route {
  /** Network address and prefix length. */
  dst: number;
  prefix: number;
  /** Next hop; 0 = the destination itself is on the link. */
  via: number;
  dev: NetDevice;
  /** Source address for packets that have none yet. */
  src: number;
}

export const RTN_UNICAST = 1;
export const RTN_LOCAL = 2;
export const RTN_BROADCAST = 3;
export const RTN_UNREACHABLE = 7;

/** How long a path MTU is believed (ip_rt_mtu_expires), and the least that is (ip_rt_min_pmtu). */
export const PMTU_EXPIRES_NS = 600 * SEC;
export const MIN_PMTU = 552;
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
  /** Device MTU or, if lower, the learned path MTU; meaningful through `RouteTable.pathMtu` only. */
  pmtu: number;
  pmtuExpires: number;
  /** The path MTU is below the least that is believed: packets go without DF (RTAX_MTU lock). */
  pmtuLocked: boolean;
}

export const mask = (prefix: number): number => (prefix === 0 ? 0 : (-1 << (32 - prefix)) >>> 0);

/** What the table needs of its host. */
export interface RouteHost {
  readonly lo: NetDevice;
  isLocal(addr: number): boolean;
  /** A subnet's or the limited broadcast address. */
  isBroadcast(addr: number): boolean;
  neighbour(dev: NetDevice, nexthop: number): Neighbour | undefined;
}

export class RouteTable {
  private readonly host: RouteHost;
  /** Longest prefix first; among equals the first one added. */
  private routes: Route[] = [];
  private readonly cache = new Map<number, Dst>();
  /** Learned path MTUs, which outlive a change of routes. */
  private readonly exceptions = new Map<number, { mtu: number; expires: number; locked: boolean }>();

  constructor(host: RouteHost) {
    this.host = host;
  }

  add(route: Route): void {
    const i = this.routes.findIndex((r) => r.prefix < route.prefix);
    this.routes.splice(i < 0 ? this.routes.length : i, 0, route);
    this.flush();
  }

  /** Removes the first route that matches what is given; false when there is none. */
  remove(dst: number, prefix: number, via?: number): boolean {
    const i = this.routes.findIndex(
      (r) => r.dst === dst && r.prefix === prefix && (via === undefined || r.via === via),
    );
    if (i < 0) return false;
    this.routes.splice(i, 1);
    this.flush();
    return true;
  }

  list(): readonly Route[] {
    return this.routes;
  }

  /** To be called when addresses or devices change. */
  flush(): void {
    this.cache.clear();
  }

  /** Longest-prefix match among the routes proper. */
  match(daddr: number): Route | undefined {
    for (const r of this.routes) if ((daddr & mask(r.prefix)) >>> 0 === r.dst) return r;
    return undefined;
  }

  lookup(daddr: number): Dst {
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
    return Math.min(dst.pmtu, dst.dev.mtu);
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
    const none = { pmtu: Number.POSITIVE_INFINITY, pmtuExpires: 0, pmtuLocked: false };
    const special = (type: number): Dst => ({
      type,
      dev: host.lo,
      nexthop: 0,
      src: type === RTN_LOCAL ? daddr : 0,
      neighbour: undefined,
      ...none,
    });
    if (host.isLocal(daddr)) return special(RTN_LOCAL);
    if (host.isBroadcast(daddr) || daddr >>> 28 >= 14) return special(RTN_BROADCAST);
    const r = this.match(daddr);
    if (r === undefined) return special(RTN_UNREACHABLE);
    const nexthop = r.via !== 0 ? r.via : daddr;
    return {
      type: RTN_UNICAST,
      dev: r.dev,
      nexthop,
      src: r.src,
      neighbour: host.neighbour(r.dev, nexthop),
      ...none,
    };
  }
}
