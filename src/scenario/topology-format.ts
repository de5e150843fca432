/** A topology for the console: a drawing, then every host, NIC, address and link that is not as by default. */
import { formatIpv4 } from "../wire/ipv4.ts";
import { formatSubnet } from "./subnet.ts";
import { DEFAULT_LINK, type HostDef, type LinkProps, type NetworkDef, type NicDef, type Topology } from "./topology.ts";
import { formatDuration, formatPercent, formatRate } from "./units.ts";

const ROLE_NAMES = { client: "client", proxy: "proxy", server: "server", nat: "NAT" } as const;
/** Members of one network that a drawing shows. */
const DRAWN_MEMBERS = 20;

/** Lines for people, as `topo_check` prints them: the drawing, the hosts, and the links with limits or faults. */
export function formatTopology(topology: Topology): string[] {
  const nets = topology.networks.length;
  const lines = [
    `${topology.name}: ${plural(topology.hosts.length, "host")} on ${plural(nets, "network")}`,
    "",
    ...drawTopology(topology).map((l) => `  ${l}`),
    "",
    ...table(["host", "role", "nic", "address", "network", "notes"], topology.hosts.flatMap(hostRows)).map(
      (l) => `  ${l}`,
    ),
  ];
  const links = linkRows(topology);
  if (links.length > 0) lines.push("", "  links", ...links.map((l) => `  ${l}`));
  return lines.map((l) => l.trimEnd());
}

/**
 * The networks as a tree, the public one as its root, in plain ASCII:
 *
 *     basic-public 172.1.0.0/16
 *      |
 *      +-- client  172.1.0.2
 *      +-- nat     172.1.0.5
 *           |
 *          basic-nat 172.2.0.0/16
 *           |
 *           +-- node2  172.2.0.3
 */
export function drawTopology(topology: Topology): string[] {
  const hosts = new Map(topology.hosts.map((h) => [h.name, h]));
  const drawn = new Set<string>();
  const lines: string[] = [];
  for (const net of topology.networks) {
    if (drawn.has(net.name)) continue;
    if (lines.length > 0) lines.push("");
    lines.push(...drawNetwork(net, undefined, topology, hosts, drawn));
  }
  return lines;
}

function drawNetwork(
  net: NetworkDef,
  entry: NicDef | undefined,
  topology: Topology,
  hosts: Map<string, HostDef>,
  drawn: Set<string>,
): string[] {
  drawn.add(net.name);
  const members = net.members
    .map((name) => hosts.get(name) as HostDef)
    .filter((h) => !entry || !h.nics.includes(entry));
  const shown = members.slice(0, DRAWN_MEMBERS);
  const width = Math.max(0, ...shown.map((h) => h.name.length));
  const title = `${net.name} ${formatSubnet({ base: net.subnet, prefix: net.prefix })}`;
  const lines = [entry ? `${title} (${entry.name} ${formatIpv4(entry.addr)})` : title, " |"];
  shown.forEach((host, i) => {
    const nic = host.nics.find((n) => n.network === net.name) as NicDef;
    const lo = host.loopback.length > 0 ? `  [${host.loopback.map(formatIpv4).join(" ")}]` : "";
    lines.push(` +-- ${host.name.padEnd(width)}  ${formatIpv4(nic.addr)}${lo}`);
    if (host.role !== "nat") return;
    const last = i === shown.length - 1 && shown.length === members.length;
    for (const behind of host.nics) {
      const next = topology.networks.find((n) => n.name === behind.network);
      if (!next || drawn.has(next.name)) continue;
      const indent = last ? "      " : " |    ";
      lines.push(`${indent} |`, ...drawNetwork(next, behind, topology, hosts, drawn).map((l) => indent + l));
    }
  });
  if (members.length > shown.length) {
    lines.push(` +-- and ${members.length - shown.length} more`);
    for (const host of members.slice(DRAWN_MEMBERS)) {
      // What lies behind a NAT that is not drawn is not drawn either.
      if (host.role === "nat") for (const nic of host.nics) drawn.add(nic.network);
    }
  }
  return lines;
}

function hostRows(host: HostDef): string[][] {
  const notes: string[] = [];
  if (host.loopback.length > 0) notes.push(`owns ${host.loopback.map(formatIpv4).join(", ")}`);
  if (host.masquerade !== undefined) notes.push(`masquerades to ${host.masquerade}`);
  if (host.behind !== undefined) notes.push(`behind ${host.behind}`);
  return host.nics.map((nic, i) => [
    i === 0 ? host.name : "",
    i === 0 ? ROLE_NAMES[host.role] : "",
    nic.name,
    formatIpv4(nic.addr),
    nic.network,
    i === 0 ? notes.join(", ") : "",
  ]);
}

/** Links that differ from the default one: by network, then NICs that differ from their network's. */
function linkRows(topology: Topology): string[] {
  const rows: string[][] = [];
  for (const net of topology.networks) {
    if (!sameLink(net.link, DEFAULT_LINK)) rows.push([net.name, formatLink(net.link)]);
  }
  const byName = new Map(topology.networks.map((n) => [n.name, n]));
  for (const host of topology.hosts) {
    for (const nic of host.nics) {
      if (!sameLink(nic.link, (byName.get(nic.network) as NetworkDef).link)) {
        rows.push([`${host.name}/${nic.name}`, formatLink(nic.link)]);
      }
    }
  }
  return table([], rows);
}

const LINK_KEYS = Object.keys(DEFAULT_LINK) as (keyof LinkProps)[];

/** Are they alike in every property? */
export function sameLink(a: LinkProps, b: LinkProps): boolean {
  return LINK_KEYS.every((k) => a[k] === b[k]);
}

/** `delay 10ms, rate 100mbit, loss 1%`: the delay, and whatever else is not as by default. */
function formatLink(link: LinkProps): string {
  const parts = [`delay ${formatDuration(link.delayNs)}`];
  if (link.jitterNs > 0) parts.push(`jitter ${formatDuration(link.jitterNs)}`);
  if (link.rateBps > 0) parts.push(`rate ${formatRate(link.rateBps)}`);
  if (link.queue !== DEFAULT_LINK.queue) parts.push(`queue ${link.queue}`);
  if (link.loss > 0) parts.push(`loss ${formatPercent(link.loss)}`);
  if (link.duplicate > 0) parts.push(`duplicate ${formatPercent(link.duplicate)}`);
  if (link.reorder > 0) parts.push(`reorder ${formatPercent(link.reorder)} by ${formatDuration(link.reorderDelayNs)}`);
  if (link.corrupt > 0) parts.push(`corrupt ${formatPercent(link.corrupt)}`);
  return parts.join(", ");
}

function plural(n: number, word: string): string {
  return `${n} ${word}${n === 1 ? "" : "s"}`;
}

/** Columns as wide as their widest cell; a head only where one is given. */
function table(head: string[], rows: string[][]): string[] {
  const all = head.length > 0 ? [head, ...rows] : rows;
  const widths: number[] = [];
  for (const row of all) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return all.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]))
      .join("  ")
      .trimEnd(),
  );
}
