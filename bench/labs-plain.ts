/**
 * The topology by a shell script of plain tools, as who needs no guelab would set it up: what a lab's set-up is measured against.
 * It does what the lab does: namespaces, veth pairs and bridges, addresses, routes, the host settings of each interface, no
 * IPv6, segments of one packet, NAT and filter rules, and a ping of every PROXY_IP from every host. Tools that take many lines
 * at once get them at once. Offloads stay as they are where there is no
 * ethtool, and nothing is pinged where there is no ping.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { natRules } from "../src/lab/common/nat-rules.ts";
import { restoreInput } from "../src/lab/linux/settings.ts";
import {
  gatewayRoutes,
  type HostDef,
  type NetworkDef,
  type RouteDef,
  type Topology,
} from "../src/scenario/topology.ts";
import { macOf } from "../src/sim/nic.ts";
import { formatMac } from "../src/wire/ethernet.ts";
import { formatIpv4 } from "../src/wire/ipv4.ts";

const OFFLOADS = "tso off gso off gro off sg off tx off rx off";
const NIC_SETTINGS = ["rp_filter=0", "arp_announce=2", "arp_ignore=0", "accept_local=0", "send_redirects=0"];

export interface PlainScript {
  up: string;
  down: string;
}

export function plainScript(topology: Topology, prefix: string): PlainScript {
  const ns = (name: string): string => `${prefix}-${name}`;
  const names = [...topology.networks, ...topology.hosts].map((n) => ns(n.name));
  const nics = topology.hosts.flatMap((host) => host.nics.map((nic) => ({ host, nic })));
  const portsOf = (net: NetworkDef): string[] =>
    nics.flatMap(({ nic }, i) => (nic.network === net.name ? [`p${i}`] : []));
  const lines = [
    "set -e",
    ...batch(
      [],
      names.map((n) => `netns add ${n}`),
    ),
    ...names.map((n) => inside(n, `sysctl -qw ${ipv6Off.join(" ")}`)),
    ...batch(
      [],
      nics.map(
        ({ host, nic }, i) =>
          `link add ${nic.name} address ${formatMac(macOf(nic.addr))} mtu ${nic.mtu} netns ${ns(host.name)} type veth peer name p${i} mtu ${nic.mtu} netns ${ns(nic.network)}`,
      ),
    ),
    ...topology.networks.flatMap((net) => gatewayLines(ns(net.name), net, topology, portsOf(net))),
    ...topology.hosts.flatMap((host) => hostLines(ns(host.name), host, topology)),
    ...(has("ping") ? pings(topology, ns) : []),
  ];
  const down = batch(
    [],
    names.map((n) => `netns del ${n}`),
  );
  return { up: `${lines.join("\n")}\n`, down: `${down.join("\n")}\n` };
}

/** All at once, as the lab does it. */
function pings(topology: Topology, ns: (name: string) => string): string[] {
  const targets = [...topology.proxyIps.values()].map(formatIpv4);
  const lines = topology.hosts.flatMap(({ name }) =>
    targets.map((ip) => inside(ns(name), `ping -q -c 1 -W 2 ${ip} >/dev/null &`)),
  );
  return [...lines, "wait"];
}

const has = (program: string): boolean =>
  `${process.env.PATH ?? ""}:/usr/sbin:/sbin`.split(":").some((dir) => existsSync(join(dir, program)));

const ipv6Off = ["all", "default"].map((which) => `net.ipv6.conf.${which}.disable_ipv6=1`);

const batch = (args: readonly string[], lines: readonly string[]): string[] => [
  `ip ${[...args, "-batch", "-"].join(" ")} <<'.'`,
  ...lines,
  ".",
];

const inside = (ns: string, command: string): string => `ip netns exec ${ns} ${command}`;

const routeLine = (r: RouteDef): string => `route add ${formatIpv4(r.dst)}/${r.prefix} via ${formatIpv4(r.via)}`;

/** sysctl(8) once for all settings, and ethtool(8) for each interface. */
function settings(ns: string, nics: readonly string[], forward: boolean): string[] {
  const values = ["all", "default", ...nics].flatMap((nic) => NIC_SETTINGS.map((s) => `net.ipv4.conf.${nic}.${s}`));
  return [
    inside(ns, `sysctl -qw net.ipv4.ip_forward=${forward ? 1 : 0} net.ipv4.tcp_max_tw_buckets=0 ${values.join(" ")}`),
    ...(has("ethtool") ? nics.map((nic) => inside(ns, `ethtool -K ${nic} ${OFFLOADS} >/dev/null`)) : []),
  ];
}

function gatewayLines(ns: string, net: NetworkDef, topology: Topology, ports: readonly string[]): string[] {
  return [
    ...batch(
      ["-n", ns],
      [
        "link set lo up",
        `link add br0 address ${formatMac(macOf(net.gateway))} type bridge stp_state 0 mcast_snooping 0`,
        ...ports.map((p) => `link set ${p} master br0 up`),
        `address add ${formatIpv4(net.gateway)}/${net.prefix} brd + dev br0`,
        "link set br0 up",
        ...gatewayRoutes(topology, net.name).map(routeLine),
      ],
    ),
    ...settings(ns, ["br0", ...ports], true),
  ];
}

function hostLines(ns: string, host: HostDef, topology: Topology): string[] {
  const prefixes = new Map(topology.networks.map((n) => [n.name, n.prefix]));
  const rules = natRules(host);
  return [
    ...settings(
      ns,
      host.nics.map((n) => n.name),
      host.ipForward,
    ),
    ...batch(
      ["-n", ns],
      [
        "link set lo up",
        ...host.loopback.map((addr) => `address add ${formatIpv4(addr)}/32 dev lo`),
        ...host.nics.flatMap((nic) => [
          `address add ${formatIpv4(nic.addr)}/${prefixes.get(nic.network)} brd + dev ${nic.name}`,
          `link set ${nic.name} gso_max_segs 1`,
          `link set ${nic.name} up`,
        ]),
        ...host.routes.map(routeLine),
      ],
    ),
    ...(rules.length > 0 ? [`${inside(ns, "iptables-restore --noflush")} <<'.'`, `${restoreInput(rules)}.`] : []),
  ];
}

/** The same by docker(1): networks, containers, and from outside the settings and routes of each; all containers at once, as the lab does. */
export function plainDocker(topology: Topology, prefix: string, image: string): PlainScript {
  const name = (of: string): string => `${prefix}-${of}`;
  const nets = topology.networks.map(
    (n) =>
      `docker network create --internal --subnet ${formatIpv4(n.subnet)}/${n.prefix} --gateway ${formatIpv4(n.gateway)} ${name(n.name)} >/dev/null`,
  );
  const hosts = topology.hosts.map((host) => {
    const options = `--name ${name(host.name)} --network ${name("mgmt")} --init --pull never --cap-add NET_ADMIN --dns 127.0.0.1`;
    return [
      "{",
      `docker create ${options} --sysctl net.ipv6.conf.all.disable_ipv6=1 -- ${image} >/dev/null`,
      ...host.nics.map(
        (nic) => `docker network connect --ip ${formatIpv4(nic.addr)} ${name(nic.network)} ${name(host.name)}`,
      ),
      `docker start ${name(host.name)} >/dev/null`,
      "} &",
    ].join("\n");
  });
  const configured = topology.hosts.flatMap((host) => {
    const at = "nsenter --net=/proc/$pid/ns/net --";
    const rules = natRules(host);
    const nics = ["all", "default", ...host.nics.map((n) => n.name)];
    const values = nics.flatMap((nic) => NIC_SETTINGS.map((s) => `net.ipv4.conf.${nic}.${s}`));
    return [
      `pid=$(docker inspect --format '{{.State.Pid}}' ${name(host.name)})`,
      `${at} sysctl -qw net.ipv4.ip_forward=${host.ipForward ? 1 : 0} ${values.join(" ")}`,
      `${at} ip -batch - <<'.'`,
      ...host.nics.map((nic) => `link set ${nic.name} gso_max_segs 1`),
      ...host.loopback.map((addr) => `address add ${formatIpv4(addr)}/32 dev lo`),
      ...host.routes.map((r) => routeLine(r).replace("add", "replace")),
      ".",
      ...(rules.length > 0 ? [`${at} iptables-restore --noflush <<'.'`, `${restoreInput(rules)}.`] : []),
    ];
  });
  const up = [
    "set -e",
    ...nets,
    `docker network create --internal ${name("mgmt")} >/dev/null`,
    ...hosts,
    "wait",
    ...configured,
  ];
  const down = [
    `docker rm --force ${topology.hosts.map((h) => name(h.name)).join(" ")} >/dev/null`,
    `docker network rm ${[...topology.networks.map((n) => n.name), "mgmt"].map(name).join(" ")} >/dev/null`,
  ];
  return { up: `${up.join("\n")}\n`, down: `${down.join("\n")}\n` };
}
