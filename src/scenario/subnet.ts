/** IPv4 subnets of a lab: reading, checking, and finding overlaps. Addresses are host order. */
import { LabError, type Position } from "../errors.ts";
import { formatIpv4, parseIpv4 } from "../wire/ipv4.ts";

export interface Subnet {
  /** Base address: the host bits are zero. */
  base: number;
  prefix: number;
}

/** Longest prefix of a lab network: a gateway and one member. */
const MAX_PREFIX = 30;
const MIN_PREFIX = 8;

/** Netmask of a prefix length. */
function prefixMask(prefix: number): number {
  return prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0;
}

export function inSubnet(addr: number, net: Subnet): boolean {
  return (addr & prefixMask(net.prefix)) >>> 0 === net.base;
}

/** Addresses of a subnet that hosts can have: all but the base, the gateway and the broadcast address. */
export function hostCapacity(prefix: number): number {
  return 2 ** (32 - prefix) - 3;
}

export function formatSubnet(net: Subnet): string {
  return `${formatIpv4(net.base)}/${net.prefix}`;
}

/** True for addresses that a host can own: not 0/8, not 127/8, not multicast or above. */
export function isUnicast(addr: number): boolean {
  const first = addr >>> 24;
  return first !== 0 && first !== 127 && first < 224;
}

/** Reads `172.1.0.0/16`. Throws ERR_TOPOLOGY_SUBNET for anything that is not the base of a unicast subnet of /8 to /30. */
export function parseSubnet(text: string, position?: Position): Subnet {
  const bad = (why: string, hint: string): LabError =>
    new LabError("ERR_TOPOLOGY_SUBNET", `'${text}' is not a usable subnet: ${why}`, { position, hint });
  const example = "Write it as base address and prefix length, such as 172.1.0.0/16.";
  const m = /^([\d.]+)\/(\d{1,3})$/.exec(text);
  if (!m) throw bad("not in the form address/prefix", example);
  const addr = parseIpv4(m[1]);
  if (addr === undefined) throw bad(`'${m[1]}' is not an IPv4 address`, example);
  const prefix = Number(m[2]);
  if (prefix < MIN_PREFIX || prefix > MAX_PREFIX) {
    throw bad(`the prefix length is not within ${MIN_PREFIX} to ${MAX_PREFIX}`, example);
  }
  const base = (addr & prefixMask(prefix)) >>> 0;
  if (base !== addr) throw bad("the address has host bits set", `Did you mean ${formatSubnet({ base, prefix })}?`);
  if (!isUnicast(addr))
    throw bad("hosts cannot have such addresses", "Take a subnet below 224.0.0.0, not 0/8 or 127/8.");
  return { base, prefix };
}

/** The first pair of overlapping subnets, as indices in ascending order; undefined when there is none. */
export function findOverlap(nets: readonly Subnet[]): [number, number] | undefined {
  const order = nets.map((_, i) => i).sort((a, b) => nets[a].base - nets[b].base);
  // Subnets nest or are disjoint: where any two overlap, two neighbours in this order do.
  for (let k = 1; k < order.length; k++) {
    const wide = nets[order[k - 1]];
    if (inSubnet(nets[order[k]].base, wide)) {
      return order[k - 1] < order[k] ? [order[k - 1], order[k]] : [order[k], order[k - 1]];
    }
  }
  return undefined;
}
