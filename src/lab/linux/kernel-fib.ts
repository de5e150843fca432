/**
 * What bpf_fib_lookup would find in a namespace: the kernel's own routes, links, neighbours and forwarding settings, read by
 * rtnetlink and kept true by its notices, for the reference's twin of the helper (src/dataplane/fib-helper.ts).
 *
 * Of neighbours each change is told. Routes that go with an interface are not told of, so any other notice has everything
 * read again before the next use. Rules of policy routing, next hops with an encapsulation and all but the first next hop of
 * a multipath route are not known here; labs have none.
 */
import { Fib, type Route, type RouteType } from "../../dataplane/fib.ts";
import { type FibHost, isForwardable } from "../../dataplane/fib-helper.ts";
import type { Mac } from "../../wire/ethernet.ts";
import {
  Netlink,
  type NetlinkMessage,
  RTA_DST,
  RTA_GATEWAY,
  RTA_MULTIPATH,
  RTA_OIF,
  RTA_PREFSRC,
  RTA_PRIORITY,
  RTA_TABLE,
  RTM_DELNEIGH,
  RTM_GETLINK,
  RTM_GETNEIGH,
  RTM_GETNETCONF,
  RTM_GETROUTE,
  RTM_NEWNEIGH,
} from "./netlink.ts";
import type { Namespace } from "./sys.ts";

const RT_TABLE_MAIN = 254;
const RT_TABLE_LOCAL = 255;
const RTM_F_CLONED = 0x200;
const RTNH_F_DEAD = 1;
/** enum rtn_type. */
const ROUTE_TYPES: Readonly<Record<number, RouteType>> = {
  1: "unicast",
  2: "local",
  3: "broadcast",
  6: "blackhole",
  7: "unreachable",
  8: "prohibit",
};
const NDA_DST = 1;
const NDA_LLADDR = 2;
/** NUD_VALID: reachable, stale, delay, probe, noarp, permanent. */
const NUD_VALID = 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | 0x80;
const IFLA_ADDRESS = 1;
const IFLA_MTU = 4;
const IFF_UP = 1;
const NETCONFA_IFINDEX = 1;
const NETCONFA_FORWARDING = 2;

interface KernelLink {
  mac: Mac;
  mtu: number;
  up: boolean;
}

export class KernelFib implements FibHost {
  readonly fib = new Fib();
  private readonly netlink: Netlink;
  private readonly links = new Map<number, KernelLink>();
  private readonly forwarding = new Set<number>();
  /** MAC addresses of valid neighbours, by interface and address. */
  private readonly neighbours = new Map<number, Map<number, Mac>>();
  private stale = true;

  /** Reads nothing yet: the first `refresh` does. Throws SysError. */
  constructor(ns: Namespace) {
    this.netlink = new Netlink(ns);
  }

  /** Brings everything up to what the kernel has now; call it before each use. One system call when nothing changed. */
  refresh(): void {
    if (!this.netlink.changes(this.onChange)) this.stale = true;
    if (this.stale) this.readAll();
  }

  nicMac(ifindex: number): Mac {
    return this.links.get(ifindex)?.mac ?? -1;
  }

  forwards(ifindex: number): boolean {
    return this.forwarding.has(ifindex);
  }

  neighbour(ifindex: number, addr: number): Mac {
    return this.neighbours.get(ifindex)?.get(addr) ?? -1;
  }

  takes(ifindex: number, frameLen: number): boolean {
    const link = this.links.get(ifindex);
    return link?.up === true && isForwardable(link.mtu, frameLen);
  }

  /** Of an interface, bytes of an IP packet; 0 when there is no such interface. */
  mtu(ifindex: number): number {
    return this.links.get(ifindex)?.mtu ?? 0;
  }

  close(): void {
    this.netlink.close();
  }

  private readonly onChange = (m: NetlinkMessage): void => {
    if (m.type === RTM_NEWNEIGH || m.type === RTM_DELNEIGH) this.readNeighbour(m);
    else this.stale = true;
  };

  private readAll(): void {
    const { netlink } = this;
    this.links.clear();
    this.forwarding.clear();
    this.neighbours.clear();
    netlink.dump(RTM_GETLINK, (m) => this.readLink(m));
    netlink.dump(RTM_GETNETCONF, (m) => {
      if (m.attr32(NETCONFA_FORWARDING) !== 0) this.forwarding.add(m.attr32(NETCONFA_IFINDEX));
    });
    const local: Route[] = [];
    const main: Route[] = [];
    netlink.dump(RTM_GETROUTE, (m) => {
      const table = m.attr32(RTA_TABLE, m.u8(4));
      const route = routeOf(m);
      if (route === undefined) return;
      if (table === RT_TABLE_LOCAL) local.push(route);
      else if (table === RT_TABLE_MAIN) main.push(route);
    });
    this.fib.load(local, main);
    netlink.dump(RTM_GETNEIGH, this.onChange);
    this.stale = false;
  }

  /** struct ifinfomsg: family, type, index, flags, change. */
  private readLink(m: NetlinkMessage): void {
    // A device without an address of six bytes, such as a tunnel, has one of zeroes in a frame.
    const mac = Math.max(0, m.attrMac(IFLA_ADDRESS));
    this.links.set(m.s32(4), { mac, mtu: m.attr32(IFLA_MTU), up: (m.u32(8) & IFF_UP) !== 0 });
  }

  /** struct ndmsg: family, ifindex, state, flags, type. */
  private readNeighbour(m: NetlinkMessage): void {
    if (m.attrIp(NDA_DST) === 0) return;
    const ifindex = m.s32(4);
    let on = this.neighbours.get(ifindex);
    if (on === undefined) this.neighbours.set(ifindex, (on = new Map()));
    const mac = m.attrMac(NDA_LLADDR);
    if (m.type === RTM_NEWNEIGH && (m.u16(8) & NUD_VALID) !== 0 && mac >= 0) on.set(m.attrIp(NDA_DST), mac);
    else on.delete(m.attrIp(NDA_DST));
  }
}

/** struct rtmsg: family, dst_len, src_len, tos, table, protocol, scope, type, flags. Undefined for what is no route to use. */
function routeOf(m: NetlinkMessage): Route | undefined {
  const type = ROUTE_TYPES[m.u8(7)];
  if (type === undefined || (m.u32(8) & (RTM_F_CLONED | RTNH_F_DEAD)) !== 0) return undefined;
  const hop = m.has(RTA_MULTIPATH)
    ? m.firstHop(RTA_MULTIPATH)
    : { ifindex: m.attr32(RTA_OIF), via: m.attrIp(RTA_GATEWAY) };
  const src = m.attrIp(RTA_PREFSRC);
  return { prefix: m.attrIp(RTA_DST), len: m.u8(1), type, ...hop, src, metric: m.attr32(RTA_PRIORITY) };
}
