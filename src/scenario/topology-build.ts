/**
 * From a topology as written to one that a lab can bring up: addresses, NICs, routes, NATs. Everything is checked first.
 *
 * The rules are those of the demo's setup: in the order of a network's members addresses are handed out from .2 on (.1 is
 * the gateway); the first network is the public one; its hosts have a default route via its gateway and one route to
 * every PROXY_IP via that proxy; a host behind a NAT reaches the public network and every PROXY_IP via the NAT.
 */

import { didYouMean } from "../suggest.ts";
import { formatSubnet, hostCapacity } from "./subnet.ts";
import {
  DEFAULT_LINK,
  type HostDef,
  LAB_MTU,
  type NetworkDef,
  type NicDef,
  type RouteDef,
  type Topology,
} from "./topology.ts";
import { checkNames, checkProxyIps, checkSubnets, topologyError } from "./topology-check.ts";
import type { RawLinkOverride, RawNetwork, RawTopology, RawWord } from "./topology-raw.ts";

/** Builds the topology. Throws LabError (ERR_TOPOLOGY_...) with the place of the offending word. */
export function buildTopology(raw: RawTopology): Topology {
  checkNames(raw);
  const subnets = checkSubnets(raw);
  const proxyIps = checkProxyIps(raw, subnets);
  const hosts = new Map<string, HostDef>();
  for (const { name, role } of raw.hosts) {
    const loopback = role === "proxy" ? [proxyIps.get(name.text) as number] : [];
    hosts.set(name.text, { name: name.text, role, nics: [], loopback, routes: [], ipForward: role !== "client" });
  }
  const networks = raw.networks.map((net, i): NetworkDef => {
    const { base, prefix } = subnets[i];
    return {
      name: net.name.text,
      subnet: base,
      prefix,
      gateway: base + 1,
      members: attachMembers(net, base, prefix, hosts),
      link: { ...DEFAULT_LINK },
    };
  });
  const topology: Topology = {
    name: raw.name.text,
    networks,
    hosts: [...hosts.values()],
    proxyIps,
    source: raw.position,
  };
  for (const { name } of raw.hosts) checkReach(hosts.get(name.text) as HostDef, name, networks[0]);
  for (const [node, nat] of natMembership(raw, topology, hosts)) node.behind = nat.name;
  for (const { name } of raw.hosts) {
    const host = hosts.get(name.text) as HostDef;
    if (host.role === "nat") host.masquerade = nicOn(host, networks[0].name)?.name;
    host.routes = routesOf(host, name, topology, hosts);
  }
  overrideLinks(topology, raw.links);
  return topology;
}

/** Sets link properties; used for scenarios that take a topology and change its links only. */
export function overrideLinks(topology: Topology, overrides: readonly RawLinkOverride[]): void {
  for (const { target, props } of overrides) {
    const all = target.text === "*";
    const network = topology.networks.find((n) => n.name === target.text);
    if (all || network) {
      for (const net of topology.networks) if (all || net === network) net.link = { ...net.link, ...props };
      for (const host of topology.hosts) {
        for (const nic of host.nics) if (all || nic.network === target.text) nic.link = { ...nic.link, ...props };
      }
      continue;
    }
    const [hostName, nicName] = target.text.split("/");
    const host = topology.hosts.find((h) => h.name === hostName);
    const nic = host?.nics.find((n) => n.name === nicName);
    if (!nic) {
      const known = [
        ...topology.networks.map((n) => n.name),
        ...(host ? [host] : topology.hosts).flatMap((h) => h.nics.map((n) => `${h.name}/${n.name}`)),
      ];
      throw topologyError(
        "UNKNOWN",
        `there is no network or NIC '${target.text}'`,
        target.position,
        didYouMean(target.text, known, "Name a network, a NIC such as node1/eth1, or * for all links."),
      );
    }
    nic.link = { ...nic.link, ...props };
  }
}

function nicOn(host: HostDef, network: string): NicDef | undefined {
  return host.nics.find((n) => n.network === network);
}

/** Gives every member its next NIC and the next address. */
function attachMembers(net: RawNetwork, base: number, prefix: number, hosts: Map<string, HostDef>): string[] {
  const seen = new Set<string>();
  net.members.forEach(({ text, position }, i) => {
    const host = hosts.get(text);
    if (!host) {
      const hint = didYouMean(text, [...hosts.keys()], "Every member needs a role: client, proxy, server or NAT.");
      throw topologyError("UNKNOWN", `there is no host '${text}' for network '${net.name.text}'`, position, hint);
    }
    if (seen.has(text)) {
      throw topologyError(
        "DUPLICATE",
        `host '${text}' is twice in network '${net.name.text}'`,
        position,
        "List it once.",
      );
    }
    seen.add(text);
    const name = `eth${host.nics.length + 1}`;
    host.nics.push({ name, network: net.name.text, addr: base + 2 + i, link: { ...DEFAULT_LINK }, mtu: LAB_MTU });
  });
  if (net.members.length > hostCapacity(prefix)) {
    throw topologyError(
      "SUBNET",
      `subnet ${formatSubnet({ base, prefix })} is too small for a gateway and ${net.members.length} hosts`,
      net.subnet.position,
      "Take a shorter prefix, such as /16.",
    );
  }
  return [...seen];
}

/** Refuses hosts in no network, and proxies and NATs away from the public one. */
function checkReach(host: HostDef, word: RawWord, first: NetworkDef): void {
  if (host.nics.length === 0) {
    throw topologyError(
      "UNREACHABLE",
      `host '${host.name}' is in no network`,
      word.position,
      "List it as a network's member.",
    );
  }
  const isPublic = nicOn(host, first.name) !== undefined;
  if (host.role === "proxy" && !isPublic) {
    const hint = "The first network is the public one; clients and NATs reach the proxies through it.";
    throw topologyError("UNREACHABLE", `proxy '${host.name}' is not on network '${first.name}'`, word.position, hint);
  }
  if (host.role === "nat" && (!isPublic || host.nics.length < 2)) {
    throw topologyError(
      "NAT",
      `NAT '${host.name}' does not join network '${first.name}' with another one`,
      word.position,
      "A NAT is a member of the first network and of at least one other.",
    );
  }
}

/** Each host behind a NAT with that NAT: as listed, then by the default rule. */
function natMembership(raw: RawTopology, topology: Topology, hosts: Map<string, HostDef>): Map<HostDef, HostDef> {
  const first = topology.networks[0].name;
  const out = new Map<HostDef, HostDef>();
  for (const group of raw.behind) {
    const nat = hosts.get(group.nat.text);
    if (nat?.role !== "nat") {
      throw topologyError(
        "NAT",
        `'${group.nat.text}' is not a NAT`,
        group.nat.position,
        "Only a NAT has hosts behind it.",
      );
    }
    for (const word of group.hosts) {
      const host = hosts.get(word.text);
      const problem = membershipProblem(host, nat, first, out);
      if (problem !== undefined || !host) {
        const hint = `Hosts behind '${nat.name}' share a network with it and are not on '${first}'.`;
        throw topologyError("NAT", problem ?? `there is no host '${word.text}'`, word.position, hint);
      }
      out.set(host, nat);
    }
  }
  if (!raw.defaultBehind) return out;
  const natOf = new Map<string, HostDef>();
  for (const nat of topology.hosts) {
    if (nat.role !== "nat") continue;
    for (const nic of nat.nics) if (nic.network !== first && !natOf.has(nic.network)) natOf.set(nic.network, nat);
  }
  for (const host of topology.hosts) {
    if (host.role !== "server" || nicOn(host, first) || out.has(host)) continue;
    const nic = host.nics.find((n) => natOf.has(n.network));
    if (nic) out.set(host, natOf.get(nic.network) as HostDef);
  }
  return out;
}

function membershipProblem(
  host: HostDef | undefined,
  nat: HostDef,
  first: string,
  known: Map<HostDef, HostDef>,
): string | undefined {
  if (!host) return undefined;
  if (nicOn(host, first)) return `host '${host.name}' is on the public network '${first}', not behind a NAT`;
  const other = known.get(host);
  if (other) return `host '${host.name}' is behind NAT '${other.name}' already`;
  return sharedNic(host, nat) ? undefined : `host '${host.name}' shares no network with NAT '${nat.name}'`;
}

/** The NAT's NIC on the first network that both are on. */
function sharedNic(host: HostDef, nat: HostDef): NicDef | undefined {
  return nat.nics.find((n) => nicOn(host, n.network) !== undefined);
}

/** Static routes of one host, the default route first. Throws when the host can reach no proxy. */
function routesOf(host: HostDef, word: RawWord, topology: Topology, hosts: Map<string, HostDef>): RouteDef[] {
  const first = topology.networks[0];
  const routes: RouteDef[] = [];
  if (nicOn(host, first.name)) {
    routes.push({ dst: 0, prefix: 0, via: first.gateway });
    for (const [proxy, ip] of topology.proxyIps) {
      if (proxy !== host.name)
        routes.push({ dst: ip, prefix: 32, via: nicOn(hosts.get(proxy) as HostDef, first.name)?.addr as number });
    }
    return routes;
  }
  const nat = host.behind === undefined ? undefined : hosts.get(host.behind);
  if (!nat) {
    throw topologyError(
      "UNREACHABLE",
      `host '${host.name}' is neither on the public network '${first.name}' nor behind a NAT`,
      word.position,
      "Make it a member of the first network, or list it behind a NAT that shares a network with it (NAT_GW).",
    );
  }
  const via = sharedNic(host, nat)?.addr as number;
  routes.push({ dst: first.subnet, prefix: first.prefix, via });
  for (const ip of topology.proxyIps.values()) routes.push({ dst: ip, prefix: 32, via });
  return routes;
}
