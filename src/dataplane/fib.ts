/**
 * The forwarding information base: which way a destination address goes (net/ipv4/fib_trie.c, fib_semantics.c,
 * fib_frontend.c; RFC 1812 section 5.2.4.3: the longest prefix wins).
 *
 * Two tables as in Linux: `local` (own addresses and broadcasts), looked at first, and `main`. Each keeps its prefixes in
 * one hash by length; a small direct-mapped cache stands in front. Addresses are host order.
 */

/** ifindex of the loopback interface. */
export const LO_IFINDEX = 1;

/** What a route does (enum rtn_type). */
export type RouteType = "unicast" | "local" | "broadcast" | "blackhole" | "unreachable" | "prohibit";

export interface Route {
  /** Network address; bits behind `len` are 0. */
  readonly prefix: number;
  readonly len: number;
  readonly type: RouteType;
  /** Next hop; 0 = the destination itself is on the link. */
  readonly via: number;
  /** Interface; 0 for blackhole, unreachable and prohibit. */
  readonly ifindex: number;
  /** Preferred source address; 0 = chosen by the interface. */
  readonly src: number;
  /** Of equal prefixes the lowest metric wins. */
  readonly metric: number;
}

interface InterfaceAddress {
  ifindex: number;
  addr: number;
  len: number;
}

const CACHE_SLOTS = 256;

/** Mask of a prefix length, host order. */
export function prefixMask(len: number): number {
  return len === 0 ? 0 : (0xffffffff << (32 - len)) >>> 0;
}

const bySpecificity = (a: Route, b: Route): number => b.len - a.len || a.metric - b.metric;

/** One table. Lookups go through the lengths that occur, longest first. */
class RouteTable {
  readonly routes: Route[] = [];
  private lengths = new Uint8Array(0);
  private masks = new Int32Array(0);
  private slots: (Route | undefined)[] = [undefined];
  private mask = 0;

  rebuild(): void {
    this.routes.sort(bySpecificity);
    const lengths = [...new Set(this.routes.map((r) => r.len))];
    this.lengths = Uint8Array.from(lengths);
    this.masks = Int32Array.from(lengths, prefixMask);
    let size = 2;
    while (size < this.routes.length * 2) size *= 2;
    this.slots = new Array(size).fill(undefined);
    this.mask = size - 1;
    for (const r of this.routes) {
      let i = slotHash(r.prefix | 0, r.len) & this.mask;
      let taken = false;
      for (; this.slots[i] !== undefined; i = (i + 1) & this.mask)
        taken ||= this.slots[i]!.prefix === r.prefix && this.slots[i]!.len === r.len;
      if (!taken) this.slots[i] = r;
    }
  }

  lookup(daddr: number): Route | undefined {
    for (let k = 0; k < this.lengths.length; k++) {
      const len = this.lengths[k];
      const prefix = daddr & this.masks[k];
      for (let i = slotHash(prefix, len) & this.mask; ; i = (i + 1) & this.mask) {
        const r = this.slots[i];
        if (r === undefined) break;
        if (r.len === len && (r.prefix | 0) === prefix) return r;
      }
    }
    return undefined;
  }
}

function slotHash(prefix: number, len: number): number {
  const h = Math.imul(prefix ^ (len << 5), 0x85ebca6b);
  return h ^ (h >>> 15);
}

export class Fib {
  /** Changes with every change of routes or addresses; for caches of what a lookup gave. */
  generation = 0;
  private readonly local = new RouteTable();
  private readonly main = new RouteTable();
  private readonly addresses: InterfaceAddress[] = [];
  private dirty = false;
  private readonly cacheKey = new Int32Array(CACHE_SLOTS);
  private readonly cached: (Route | undefined)[] = new Array(CACHE_SLOTS).fill(undefined);

  /** The route of `daddr`, of whatever type; undefined when there is none ("network unreachable"). Allocates nothing. */
  lookup(daddr: number): Route | undefined {
    if (this.dirty) this.rebuild();
    const key = daddr | 0;
    const slot = (key ^ (key >>> 8) ^ (key >>> 16)) & (CACHE_SLOTS - 1);
    const hit = this.cached[slot];
    if (hit !== undefined && this.cacheKey[slot] === key) return hit;
    const route = this.local.lookup(key) ?? this.main.lookup(key);
    this.cacheKey[slot] = key;
    this.cached[slot] = route;
    return route;
  }

  /** True for the host's own addresses (127.0.0.0/8 as well, once lo has 127.0.0.1/8). */
  isLocal(addr: number): boolean {
    return this.lookup(addr)?.type === "local";
  }

  /**
   * Source address for a packet to `daddr`: the route's preferred one, else the address on its interface that shares the next
   * hop's network, else the first there, else the host's first other than loopback. 0 when there is no usable route.
   */
  sourceFor(daddr: number): number {
    const route = this.lookup(daddr);
    if (route === undefined || route.type === "blackhole") return 0;
    if (route.type === "unreachable" || route.type === "prohibit") return 0;
    if (route.type === "local") return daddr;
    return route.src || this.sourceOn(route.ifindex, route.via || daddr);
  }

  /** Address of an interface towards `peer` (inet_select_addr); 0 when no interface has one. */
  sourceOn(ifindex: number, peer: number): number {
    let first = 0;
    let other = 0;
    for (let i = 0; i < this.addresses.length; i++) {
      const a = this.addresses[i];
      if (a.ifindex !== ifindex) {
        if (other === 0 && a.addr >>> 24 !== 127) other = a.addr;
        continue;
      }
      if (((a.addr ^ peer) & prefixMask(a.len)) === 0) return a.addr;
      if (first === 0) first = a.addr;
    }
    return first || other;
  }

  /** Gives an interface an address: a local route, and the connected and broadcast routes of its network. */
  addAddress(ifindex: number, addr: number, len: number): void {
    this.addresses.push({ ifindex, addr, len });
    for (const [table, route] of interfaceRoutes(ifindex, addr, len)) this.insert(table, route);
  }

  /** Takes an address away, with its routes. False when the interface has no such address. */
  removeAddress(ifindex: number, addr: number): boolean {
    const at = this.addresses.findIndex((a) => a.ifindex === ifindex && a.addr === addr);
    if (at < 0) return false;
    const [{ len }] = this.addresses.splice(at, 1);
    for (const [table, route] of interfaceRoutes(ifindex, addr, len)) this.delete(table, (r) => sameRoute(r, route));
    return true;
  }

  /** Addresses of an interface in the order in which they were added. */
  addressesOf(ifindex: number): { addr: number; len: number }[] {
    return this.addresses.filter((a) => a.ifindex === ifindex).map(({ addr, len }) => ({ addr, len }));
  }

  /** Puts other routes in the place of all that there are, as a kernel's tables `local` and `main` hold them. */
  load(local: readonly Route[], main: readonly Route[]): void {
    this.local.routes.splice(0, Number.POSITIVE_INFINITY, ...local);
    this.main.routes.splice(0, Number.POSITIVE_INFINITY, ...main);
    this.dirty = true;
    this.generation++;
  }

  /** Adds a route to the main table. False when there is one with the same prefix and metric (EEXIST). */
  addRoute(route: Partial<Route> & { prefix: number; len: number }): boolean {
    const r = fullRoute(route);
    if (this.main.routes.some((o) => o.prefix === r.prefix && o.len === r.len && o.metric === r.metric)) return false;
    this.insert("main", r);
    return true;
  }

  /** Removes the main table's first route with this prefix (and interface, next hop, metric where given). False when there is none. */
  removeRoute(match: { prefix: number; len: number; ifindex?: number; via?: number; metric?: number }): boolean {
    const prefix = (match.prefix & prefixMask(match.len)) >>> 0;
    return this.delete(
      "main",
      (r) =>
        r.prefix === prefix &&
        r.len === match.len &&
        (match.ifindex === undefined || r.ifindex === match.ifindex) &&
        (match.via === undefined || r.via === match.via) &&
        (match.metric === undefined || r.metric === match.metric),
    );
  }

  /** Removes every address and route of an interface that goes away. */
  removeInterface(ifindex: number): void {
    for (const { addr } of this.addressesOf(ifindex)) this.removeAddress(ifindex, addr);
    while (this.delete("main", (r) => r.ifindex === ifindex));
  }

  /** The main table, most specific first (`ip route`). */
  routes(): readonly Route[] {
    return [...this.main.routes].sort((a, b) => bySpecificity(a, b) || a.prefix - b.prefix);
  }

  private insert(table: "local" | "main", route: Route): void {
    this[table].routes.push(route);
    this.dirty = true;
    this.generation++;
  }

  private delete(table: "local" | "main", match: (r: Route) => boolean): boolean {
    const { routes } = this[table];
    const at = routes.findIndex(match);
    if (at < 0) return false;
    routes.splice(at, 1);
    this.dirty = true;
    this.generation++;
    return true;
  }

  private rebuild(): void {
    this.local.rebuild();
    this.main.rebuild();
    this.cached.fill(undefined);
    this.dirty = false;
  }
}

function fullRoute(r: Partial<Route> & { prefix: number; len: number }): Route {
  return {
    prefix: (r.prefix & prefixMask(r.len)) >>> 0,
    len: r.len,
    type: r.type ?? "unicast",
    via: r.via ?? 0,
    ifindex: r.ifindex ?? 0,
    src: r.src ?? 0,
    metric: r.metric ?? 0,
  };
}

/** What an address brings along (fib_add_ifaddr): the loopback network is local as a whole. */
function interfaceRoutes(ifindex: number, addr: number, len: number): ["local" | "main", Route][] {
  const at = { ifindex, src: addr };
  const out: ["local" | "main", Route][] = [["local", fullRoute({ ...at, prefix: addr, len: 32, type: "local" })]];
  if (len === 32) return out;
  if (ifindex === LO_IFINDEX) {
    out.push(["local", fullRoute({ ...at, prefix: addr, len, type: "local" })]);
    return out;
  }
  out.push(["main", fullRoute({ ...at, prefix: addr, len })]);
  if (len < 31) {
    const last = (addr | ~prefixMask(len)) >>> 0;
    out.push(["local", fullRoute({ ...at, prefix: last, len: 32, type: "broadcast" })]);
  }
  return out;
}

const sameRoute = (a: Route, b: Route): boolean =>
  a.prefix === b.prefix && a.len === b.len && a.type === b.type && a.ifindex === b.ifindex && a.src === b.src;
