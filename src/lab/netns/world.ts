/**
 * A topology as network namespaces, veth pairs and bridges, set up as SPEC section 1 "Host settings" says. A network is a
 * namespace of its own with one bridge, whose address is the gateway's: so no gateway forwards between networks, and none
 * has a way out of the lab. Every interface is made inside its namespace.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { ControlPlane } from "../../control/control.ts";
import { run, tryRun } from "../../ebpf/exec.ts";
import { LabError } from "../../errors.ts";
import { gatewayRoutes, type HostDef, type NetworkDef, type RouteDef, type Topology } from "../../scenario/topology.ts";
import { macOf } from "../../sim/nic.ts";
import type { TableStores } from "../../tables/tables.ts";
import { formatMac } from "../../wire/ethernet.ts";
import { formatIpv4 } from "../../wire/ipv4.ts";
import { natRules } from "../common/nat-rules.ts";
import type { Service, ServiceHost } from "../common/services.ts";
import { instanceName, namespaceName, namespacePath } from "./claim.ts";
import { NetnsControlHost } from "./control-host.ts";
import { DataPathTables } from "./stores.ts";
import { Namespace, offloadsOff } from "./sys.ts";

/** One host and what runs on it. */
export interface NetnsHost extends ServiceHost {
  readonly def: HostDef;
  readonly ns: Namespace;
  readonly tables: TableStores;
  readonly control: ControlPlane;
  /** gue_ping senders by service id: call to stop. */
  readonly guePings: Map<number, () => void>;
  /** The programs and their tables in the kernel. */
  readonly kernel: DataPathTables;
  readonly port: NetnsControlHost;
}

/** A network's bridge, in its namespace. */
export const BRIDGE = "br0";

export interface Gateway {
  readonly name: string;
  readonly ns: Namespace;
}

/** Where a NIC's other end is. */
export interface Wire {
  readonly label: string;
  readonly gateway: Namespace;
  readonly port: string;
}

export class World {
  readonly hosts = new Map<string, NetnsHost>();
  /** The bridge of each network, by network name. */
  readonly gateways = new Map<string, Gateway>();
  /** By `host/nic`. */
  readonly wires = new Map<string, Wire>();
  readonly topology: Topology;
  private readonly prefix: string;

  constructor(topology: Topology, prefix: string) {
    this.topology = topology;
    this.prefix = prefix;
  }

  /** Makes everything; nothing of the prefix exists yet. Throws LabError; then close() is due, and to remove what was made. */
  build(): void {
    const { topology } = this;
    const names = this.namespaces();
    run("ERR_IP", "ip", ["-batch", "-"], names.map((n) => `netns add ${n}\n`).join(""));
    const links: string[] = [];
    for (const [i, net] of topology.networks.entries()) this.openGateway(net, this.gatewayNs(i));
    for (const host of topology.hosts) links.push(...this.openHost(host));
    run("ERR_IP", "ip", ["-batch", "-"], links.map((l) => `${l}\n`).join(""));
    for (const net of topology.networks) this.configureGateway(net);
    for (const host of this.hosts.values()) configureHost(host, topology);
  }

  /** Ends what runs in the lab and lets go of its namespaces, so that they can be removed. */
  close(): void {
    for (const host of this.hosts.values()) {
      for (const service of host.services.values()) service.stop();
      host.port.close();
      host.kernel.close();
      host.ns.close();
    }
    for (const gateway of this.gateways.values()) gateway.ns.close();
  }

  private gatewayNs = (i: number): string => namespaceName(this.prefix, `net${i + 1}`);

  private namespaces(): string[] {
    const names = [
      ...this.topology.networks.map((_, i) => this.gatewayNs(i)),
      ...this.topology.hosts.map((h) => namespaceName(this.prefix, h.name)),
    ];
    const twice = names.find((n, i) => names.indexOf(n) !== i);
    if (twice !== undefined)
      throw new LabError("ERR_NAME_TAKEN", `a host is called as the namespace of a network is: ${twice}`, {
        hint: "Give the host another name.",
      });
    return names;
  }

  private openGateway(net: NetworkDef, name: string): void {
    const ns = new Namespace(name, namespacePath(name));
    this.gateways.set(net.name, { name: `gateway.${net.name}`, ns });
    ns.enter(() => ipv6Off());
  }

  private openHost(def: HostDef): string[] {
    const name = namespaceName(this.prefix, def.name);
    const ns = new Namespace(name, namespacePath(name));
    ns.enter(() => ipv6Off());
    this.hosts.set(def.name, newHost(def, ns, instanceName(this.prefix, def.name)));
    return def.nics.map((nic) => {
      const gateway = this.gateways.get(nic.network) as Gateway;
      const wire = { label: `${def.name}/${nic.name}`, gateway: gateway.ns, port: `p${this.wires.size + 1}` };
      this.wires.set(wire.label, wire);
      return `link add ${nic.name} address ${formatMac(macOf(nic.addr))} mtu ${nic.mtu} netns ${name} type veth peer name ${wire.port} mtu ${nic.mtu} netns ${gateway.ns.name}`;
    });
  }

  private configureGateway(net: NetworkDef): void {
    const { ns } = this.gateways.get(net.name) as Gateway;
    const ports = [...this.wires.values()].filter((w) => w.gateway === ns).map((w) => w.port);
    ipBatch(ns, [
      "link set lo up",
      `link add ${BRIDGE} address ${formatMac(macOf(net.gateway))} type bridge stp_state 0 mcast_snooping 0`,
      ...ports.map((p) => `link set ${p} master ${BRIDGE} up`),
      `address add ${formatIpv4(net.gateway)}/${net.prefix} brd + dev ${BRIDGE}`,
      `link set ${BRIDGE} up`,
      ...gatewayRoutes(this.topology, net.name).map(routeLine),
    ]);
    ns.enter(() => {
      for (const port of ports) offloadsOff(port);
      settings([BRIDGE, ...ports], true);
    });
  }
}

function newHost(def: HostDef, ns: Namespace, instance: string): NetnsHost {
  const kernel = new DataPathTables(instance);
  const port = new NetnsControlHost(def, ns, kernel);
  const local = new Set([...def.loopback, ...def.nics.map((n) => n.addr)]);
  const lo = (verb: string, addr: number): void => void ipBatch(ns, [`address ${verb} ${formatIpv4(addr)}/32 dev lo`]);
  return {
    def,
    ns,
    kernel,
    port,
    tables: kernel.stores,
    control: new ControlPlane(port, kernel.stores),
    services: new Map<string, Service>(),
    guePings: new Map(),
    isLocal: (addr) => local.has(addr),
    addToLo: (addr) => {
      lo("add", addr);
      local.add(addr);
    },
    removeFromLo: (addr) => {
      lo("del", addr);
      local.delete(addr);
    },
  };
}

function configureHost(host: NetnsHost, topology: Topology): void {
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
      `address add ${formatIpv4(nic.addr)}/${prefixes.get(nic.network)} brd + dev ${nic.name}`,
      // TCP builds packets of many segments whatever ethtool says (since Linux 4.17), and a hook would see those.
      `link set ${nic.name} gso_max_segs 1`,
      `link set ${nic.name} up`,
    ]),
    ...def.routes.map(routeLine),
  ]);
  for (const rule of natRules(def)) runInside(ns, "ERR_IPTABLES", "iptables", rule.split(" "));
}

const routeLine = (r: RouteDef): string => `route add ${formatIpv4(r.dst)}/${r.prefix} via ${formatIpv4(r.via)}`;

/** Runs a tool inside a namespace; it must succeed. Throws LabError `code` with what it printed. */
export const runInside = (ns: Namespace, code: string, program: string, args: readonly string[], input?: string) =>
  ns.enter(() => run(code, program, args, input));

/** Runs a tool inside a namespace. */
export const tryInside = (ns: Namespace, program: string, args: readonly string[]) =>
  ns.enter(() => tryRun(program, args));

export const ipBatch = (ns: Namespace, lines: readonly string[]): string =>
  runInside(ns, "ERR_IP", "ip", ["-batch", "-"], lines.map((l) => `${l}\n`).join(""));

/** Reads or writes a setting of the namespace that the thread is in. */
export const readSysctl = (name: string): string => readFileSync(sysctlPath(name), "utf8").trim();
export const writeSysctl = (name: string, value: string): void => writeFileSync(sysctlPath(name), value);
const sysctlPath = (name: string): string => `/proc/sys/${name.replaceAll(".", "/")}`;

/** Before the first interface comes up: neighbour discovery would fill captures with packets that no scenario is about. */
function ipv6Off(): void {
  for (const which of ["all", "default"]) trySysctl(`net.ipv6.conf.${which}.disable_ipv6`, "1");
}

/** The host settings, each said although it may be the default: a new namespace takes some from the machine's. */
function settings(nics: readonly string[], forward: boolean): void {
  writeSysctl("net.ipv4.ip_forward", forward ? "1" : "0");
  for (const nic of ["all", "default", ...nics]) {
    const conf = `net.ipv4.conf.${nic}`;
    writeSysctl(`${conf}.rp_filter`, "0");
    writeSysctl(`${conf}.arp_announce`, "2");
    writeSysctl(`${conf}.arp_ignore`, "0");
    writeSysctl(`${conf}.accept_local`, "0");
    writeSysctl(`${conf}.send_redirects`, "0");
  }
  // A scenario uses a client's port again at once; a connection that waits for its late packets would hold it for a minute.
  trySysctl("net.ipv4.tcp_max_tw_buckets", "0");
  trySysctl("net.bridge.bridge-nf-call-iptables", "0");
}

/** Of a setting that not every kernel has. */
function trySysctl(name: string, value: string): void {
  try {
    writeSysctl(name, value);
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== "ENOENT") throw err;
  }
}
