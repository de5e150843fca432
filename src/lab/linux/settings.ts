/** Host settings as SPEC section 1 says: the same for namespaces and containers. */
import { gatewayRoutes, type NetworkDef, type RouteDef, type Topology } from "../../scenario/topology.ts";
import { macOf } from "../../sim/nic.ts";
import { formatMac } from "../../wire/ethernet.ts";
import { formatIpv4 } from "../../wire/ipv4.ts";
import { natRules } from "../common/nat-rules.ts";
import { ipBatch, runInside, trySysctl, writeSysctl } from "./inside.ts";
import { type Namespace, offloadsOff } from "./sys.ts";
import { BRIDGE, type LinuxHost } from "./world.ts";

/** Addresses, routes, rules and settings of a host whose NICs exist. */
export function configureHost(host: LinuxHost, topology: Topology): void {
  const { def, ns } = host;
  const prefixes = new Map(topology.networks.map((n) => [n.name, n.prefix]));
  ns.enter(() => {
    settings(
      def.nics.map((n) => n.name),
      def.ipForward,
    );
    for (const nic of def.nics) offloadsOff(nic.name);
  });
  ipBatch(ns, [
    "link set lo up",
    ...def.loopback.map((addr) => `address add ${formatIpv4(addr)}/32 dev lo`),
    ...def.nics.flatMap((nic) => [
      `address replace ${formatIpv4(nic.addr)}/${prefixes.get(nic.network)} brd + dev ${nic.name}`,
      // TCP builds packets of many segments whatever ethtool says (since Linux 4.17), and a hook would see those.
      `link set ${nic.name} gso_max_segs 1`,
      `link set ${nic.name} up`,
    ]),
    ...def.routes.map(routeLine),
  ]);
  const rules = natRules(def);
  if (rules.length > 0) runInside(ns, "ERR_IPTABLES", "iptables-restore", ["--noflush"], restoreInput(rules));
}

/** Rules as iptables-restore(8) reads them, table by table: one run in place of one for each. */
export function restoreInput(rules: readonly string[]): string {
  const tables = new Map<string, string[]>();
  for (const rule of rules) {
    const [, table = "filter", words] = /^(?:-t (\S+) )?(.*)$/.exec(rule) as RegExpExecArray;
    tables.set(table, [...(tables.get(table) ?? []), words]);
  }
  return [...tables].map(([table, lines]) => `*${table}\n${lines.join("\n")}\nCOMMIT\n`).join("");
}

const routeLine = (r: RouteDef): string => `route add ${formatIpv4(r.dst)}/${r.prefix} via ${formatIpv4(r.via)}`;

/** Before the first interface comes up: neighbour discovery would fill captures with packets that no scenario is about. */
export function ipv6Off(): void {
  for (const which of ["all", "default"]) trySysctl(`net.ipv6.conf.${which}.disable_ipv6`, "1");
}

/** The gateway's address and routes, and the bridge with its ports; `ports` is left out where the bridge is there already. */
export function configureGateway(ns: Namespace, net: NetworkDef, topology: Topology, ports?: readonly string[]): void {
  ipBatch(ns, [
    "link set lo up",
    ...(ports === undefined ? [] : bridgeLines(net, ports)),
    `address add ${formatIpv4(net.gateway)}/${net.prefix} brd + dev ${BRIDGE}`,
    `link set ${BRIDGE} up`,
    ...gatewayRoutes(topology, net.name).map(routeLine),
  ]);
  ns.enter(() => {
    for (const port of ports ?? [BRIDGE]) offloadsOff(port);
    settings([BRIDGE, ...(ports ?? [])], true);
  });
}

const bridgeLines = (net: NetworkDef, ports: readonly string[]): string[] => [
  `link add ${BRIDGE} address ${formatMac(macOf(net.gateway))} type bridge stp_state 0 mcast_snooping 0`,
  ...ports.map((p) => `link set ${p} master ${BRIDGE} up`),
];

/** The host settings, each said although it may be the default: a new namespace takes some from the machine's. */
function settings(nics: readonly string[], forward: boolean): void {
  writeSysctl("net.ipv4.ip_forward", forward ? "1" : "0");
  for (const nic of ["all", "default", ...nics]) nicSettings(nic);
  // A scenario uses a client's port again at once; a connection that waits for its late packets would hold it for a minute.
  trySysctl("net.ipv4.tcp_max_tw_buckets", "0");
  trySysctl("net.bridge.bridge-nf-call-iptables", "0");
}

/** Those of an interface of the namespace that the thread is in. */
export function nicSettings(nic: string): void {
  const conf = `net.ipv4.conf.${nic}`;
  writeSysctl(`${conf}.rp_filter`, "0");
  writeSysctl(`${conf}.arp_announce`, "2");
  writeSysctl(`${conf}.arp_ignore`, "0");
  writeSysctl(`${conf}.accept_local`, "0");
  writeSysctl(`${conf}.send_redirects`, "0");
}
