/** A topology as plain data, for drawing. */
import { LO_IFINDEX } from "../dataplane/fib.ts";
import type { Topology } from "../scenario/topology.ts";
import { formatIpv4 } from "../wire/ipv4.ts";
import type { TopologyView } from "./types.ts";

export function topologyView(t: Topology): TopologyView {
  return {
    name: t.name,
    networks: t.networks.map((n) => ({
      name: n.name,
      subnet: `${formatIpv4(n.subnet)}/${n.prefix}`,
      gateway: formatIpv4(n.gateway),
      members: n.members,
    })),
    hosts: t.hosts.map((h) => ({
      name: h.name,
      role: h.role,
      nics: h.nics.map((nic, i) => ({
        name: nic.name,
        network: nic.network,
        addr: formatIpv4(nic.addr),
        prefix: t.networks.find((n) => n.name === nic.network)?.prefix ?? 0,
        // In the order of the topology, behind lo, as the simulator numbers them.
        ifindex: LO_IFINDEX + 1 + i,
        mtu: nic.mtu,
        link: nic.link,
      })),
      loopback: h.loopback.map(formatIpv4),
      behind: h.behind ?? "",
      masquerade: h.masquerade !== undefined,
    })),
    proxyIps: Object.fromEntries([...t.proxyIps].map(([host, ip]) => [host, formatIpv4(ip)])),
  };
}
