/** The topology model: what a .cfg file or a scenario's inline `topology` describes. Addresses are host order. */
import type { Position } from "../errors.ts";
import type { LinkProps } from "../sim/link.ts";

export { DEFAULT_LINK, type LinkProps } from "../sim/link.ts";

export type Role = "client" | "proxy" | "server" | "nat";

export interface NetworkDef {
  name: string;
  /** Subnet base address and prefix length. */
  subnet: number;
  prefix: number;
  /** The bridge's own address: the first of the subnet. */
  gateway: number;
  members: string[];
  link: LinkProps;
}

export interface NicDef {
  /** `eth1` is the NIC on the host's first network, `eth2` on its second, in the order of the networks. */
  name: string;
  network: string;
  addr: number;
  /** Overrides the network's link properties. */
  link: LinkProps;
  mtu: number;
}

export interface RouteDef {
  dst: number;
  prefix: number;
  via: number;
}

export interface HostDef {
  name: string;
  role: Role;
  nics: NicDef[];
  /** Addresses held on `lo` (a proxy's PROXY_IP). */
  loopback: number[];
  /** Static routes besides the connected ones; 0.0.0.0/0 is the default route. */
  routes: RouteDef[];
  ipForward: boolean;
  /** NIC behind which MASQUERADE is set (`-o eth1`) and into which only RELATED,ESTABLISHED comes back; NATs only. */
  masquerade?: string;
  /** The NAT it sits behind; undefined on the first network. */
  behind?: string;
}

/** A whole topology, checked: every name resolves, subnets do not overlap, addresses are handed out. */
export interface Topology {
  name: string;
  networks: NetworkDef[];
  hosts: HostDef[];
  /** Proxy name -> its public address. */
  proxyIps: Map<string, number>;
  source?: Position;
}

/** Bytes in an IPv4 packet on every lab NIC. */
export const LAB_MTU = 1500;

/**
 * Routes that a network's gateway needs so that "the host" reaches every PROXY_IP (`test_icmp 5.5.5.5` without hosts):
 * via the proxies on that network.
 */
export function gatewayRoutes(topology: Topology, network: string): RouteDef[] {
  const routes: RouteDef[] = [];
  for (const host of topology.hosts) {
    const dst = topology.proxyIps.get(host.name);
    const nic = dst === undefined ? undefined : host.nics.find((n) => n.network === network);
    if (dst !== undefined && nic) routes.push({ dst, prefix: 32, via: nic.addr });
  }
  return routes;
}
