/**
 * Setting up a new flow's translation: which address and port its packets get (net/netfilter/nf_nat_core.c
 * get_unique_tuple, nf_nat_masquerade.c). Only the reply tuple changes; nat-mangle.ts then rewrites packets by it.
 *
 * The port is kept where the reply tuple stays unique; otherwise another is taken from its class. Unlike the kernel,
 * a source that already got another port towards one destination keeps its own towards the next (no find_appropriate_src),
 * and the search for a free port goes through the whole class.
 */
import { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP } from "../wire/ipv4.ts";
import type { Conntrack } from "./conntrack.ts";
import { IPS_DST_NAT, IPS_SRC_NAT } from "./conntrack-table.ts";

/** Where a search for a free port starts; any seeded generator will do. */
export interface NatRng {
  /** Uniform integer in [0, n). */
  below(n: number): number;
}

/** Smallest port of the class of `port`: 1-511, 600-1023 (for 512-1023), 1024-65535. */
export function portClassMin(port: number): number {
  return port < 512 ? 1 : port < 1024 ? 600 : 1024;
}

/** Largest port of the class of `port`. */
export function portClassMax(port: number): number {
  return port < 512 ? 511 : port < 1024 ? 1023 : 65535;
}

/**
 * Gives the current packet's new flow the source `addr` (signed or host order) and, when `port` is not 0, exactly that
 * source port. False when every port of the class is taken. For ICMP echo the identifier is the port.
 */
export function setupSource(ct: Conntrack, addr: number, port: number, rng: NatRng): boolean {
  const words = ct.table.tuples;
  const w = ct.flow * 8 + 4; // the reply tuple: what it calls destination is the flow's source
  const proto = words[w + 3];
  const old = words[w + 2];
  const src = words[w];
  const dst = addr | 0;
  if (proto !== IPPROTO_TCP && proto !== IPPROTO_UDP && proto !== IPPROTO_ICMP) return store(ct, w, dst, old);
  if (port !== 0) return store(ct, w, dst, withPort(old, proto, port));
  if (!ct.taken(src, dst, old, proto)) return store(ct, w, dst, old);
  const kept = portOf(old, proto);
  const min = portClassMin(kept);
  const range = portClassMax(kept) - min + 1;
  const start = rng.below(range);
  for (let i = 0; i < range; i++) {
    const ports = withPort(old, proto, min + ((start + i) % range));
    if (!ct.taken(src, dst, ports, proto)) return store(ct, w, dst, ports);
  }
  return false;
}

/** Gives the current packet's new flow the destination `addr` and, when `port` is not 0, that port. */
export function setupDestination(ct: Conntrack, addr: number, port: number): void {
  const words = ct.table.tuples;
  const w = ct.flow * 8 + 4;
  const ported = words[w + 3] === IPPROTO_TCP || words[w + 3] === IPPROTO_UDP;
  const ports = ported && port !== 0 ? (words[w + 2] & 0xffff) | (port << 16) : words[w + 2];
  if (words[w] === (addr | 0) && words[w + 2] === ports) return;
  words[w] = addr;
  words[w + 2] = ports;
  ct.table.status[ct.flow] |= IPS_DST_NAT;
}

/** The flow's source port in its reply tuple's ports word: the destination port, or the ICMP identifier. */
function portOf(ports: number, proto: number): number {
  return proto === IPPROTO_ICMP ? ports >>> 16 : ports & 0xffff;
}

function withPort(ports: number, proto: number, port: number): number {
  return proto === IPPROTO_ICMP ? (ports & 0xffff) | (port << 16) : (ports & ~0xffff) | port;
}

function store(ct: Conntrack, w: number, dst: number, ports: number): true {
  const words = ct.table.tuples;
  if (words[w + 1] !== dst || words[w + 2] !== ports) {
    words[w + 1] = dst;
    words[w + 2] = ports;
    ct.table.status[ct.flow] |= IPS_SRC_NAT;
  }
  return true;
}
