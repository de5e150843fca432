/**
 * Interfaces as docker leaves them, made those of the topology. Docker numbers a container's interfaces in an order of its own
 * (https://github.com/moby/moby/issues/25181), so each is found by its address; its other end is a port of the network's
 * bridge, in the daemon's namespace.
 */
import { run } from "../../ebpf/exec.ts";
import { LabError } from "../../errors.ts";
import type { HostDef, NetworkDef } from "../../scenario/topology.ts";
import { macOf } from "../../sim/nic.ts";
import { formatMac } from "../../wire/ethernet.ts";
import { formatIpv4 } from "../../wire/ipv4.ts";
import { ipBatch, runInside, trySysctl } from "../linux/inside.ts";
import { nicSettings } from "../linux/settings.ts";
import { type Namespace, offloadsOff } from "../linux/sys.ts";

/** What `ip -j address` says of a link. */
interface Link {
  ifindex: number;
  ifname: string;
  /** Number of the other end, in its namespace. */
  link_index?: number;
  addr_info: { local?: string }[];
}

const links = (ns: Namespace): Link[] => JSON.parse(runInside(ns, "ERR_IP", "ip", ["-j", "address"]));

/**
 * Gives a host's interfaces the names, addresses of Ethernet and MTU of the topology; what is left is eth0. Returns the
 * number of each interface's other end, in the topology's order. Throws LabError ERR_DOCKER_NIC.
 */
export function adoptNics(ns: Namespace, def: HostDef): number[] {
  // Docker's name server stands on rules of NAT, with which the kernel would track every connection of the host. The
  // machine's iptables is the one that the daemon used.
  for (const action of ["-F", "-X"]) ns.enter(() => run("ERR_IPTABLES", "iptables", ["-w", "-t", "nat", action]));
  const there = links(ns);
  const found = def.nics.map((nic) => {
    const link = there.find((l) => l.addr_info.some((a) => a.local === formatIpv4(nic.addr)));
    if (link?.link_index === undefined)
      throw new LabError(
        "ERR_DOCKER_NIC",
        `docker gave ${def.name} no interface with the address ${formatIpv4(nic.addr)}`,
      );
    return { name: nic.name, link, peer: link.link_index };
  });
  const taken = new Set(found.map(({ link }) => link));
  const mgmt = there.filter((l) => l.ifname !== "lo" && !taken.has(l)).map((link) => ({ name: "eth0", link }));
  const wrong = [...found, ...mgmt].filter(({ name, link }) => name !== link.ifname);
  ipBatch(ns, [
    // By way of names that nobody has: two may have each other's.
    ...wrong.flatMap(({ link }, i) => [`link set ${link.ifname} down`, `link set ${link.ifname} name guelab${i}`]),
    ...wrong.flatMap(({ name }, i) => [`link set guelab${i} name ${name}`, `link set ${name} up`]),
    ...def.nics.map((nic) => `link set ${nic.name} address ${formatMac(macOf(nic.addr))} mtu ${nic.mtu}`),
  ]);
  return found.map(({ peer }) => peer);
}

/** Where a network's bridge and its ports are: the daemon's namespace, of which nothing else is touched. */
export function adoptBridge(ns: Namespace, net: NetworkDef, bridge: string, ports: readonly string[]): void {
  ns.enter(() => {
    for (const nic of [bridge, ...ports]) {
      nicSettings(nic);
      trySysctl(`net.ipv6.conf.${nic}.disable_ipv6`, "1");
    }
    for (const port of ports) offloadsOff(port);
  });
  ipBatch(ns, [
    `link set ${bridge} address ${formatMac(macOf(net.gateway))}`,
    `link set ${bridge} type bridge stp_state 0 mcast_snooping 0`,
  ]);
}

/** Names of the interfaces of a namespace, by their number. */
export const nicNames = (ns: Namespace): Map<number, string> => new Map(links(ns).map((l) => [l.ifindex, l.ifname]));
