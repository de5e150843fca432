/**
 * A topology as network namespaces, veth pairs and bridges, set up as SPEC section 1 "Host settings" says. A network is a
 * namespace of its own with one bridge, whose address is the gateway's: so no gateway forwards between networks, and none
 * has a way out of the lab. Every interface is made inside its namespace.
 */
import { run } from "../../ebpf/exec.ts";
import { libc } from "../../ebpf/libc.ts";
import { LabError } from "../../errors.ts";
import type { HostDef, Topology } from "../../scenario/topology.ts";
import { macOf } from "../../sim/nic.ts";
import { formatMac } from "../../wire/ethernet.ts";
import { instanceName, labName } from "../linux/claim.ts";
import { EbpfPath } from "../linux/ebpf-path.ts";
import { requireTools } from "../linux/require.ts";
import { configureGateway, configureHost, ipv6Off } from "../linux/settings.ts";
import type { Site } from "../linux/site.ts";
import { Namespace } from "../linux/sys.ts";
import { VethWire } from "../linux/veth-wire.ts";
import { BRIDGE, type World } from "../linux/world.ts";
import { claim, namespacePath, removeLab } from "./claim.ts";

/** Programs that the lab runs, and Debian's packages of them. */
const TOOLS: Readonly<Record<string, string>> = {
  ip: "iproute2",
  tc: "iproute2",
  bpftool: "bpftool",
  curl: "curl",
  iptables: "iptables",
  setpriv: "util-linux",
};

export class NetnsSite implements Site {
  readonly kind = "netns";
  readonly prefix: string;

  constructor(prefix: string) {
    this.prefix = prefix;
  }

  require(): void {
    requireNetns();
  }

  claim(): void {
    claim(this.prefix);
  }

  remove(): void {
    removeLab(this.prefix);
  }

  build(world: World, topology: Topology): void {
    const names = this.namespaces(topology);
    run("ERR_IP", "ip", ["-batch", "-"], names.map((n) => `netns add ${n}\n`).join(""));
    for (const [i, net] of topology.networks.entries())
      world.addGateway(net, this.openNamespace(this.gatewayNs(i)), BRIDGE);
    this.connect(world, topology);
    for (const host of world.hosts.values()) configureHost(host, topology);
  }

  /** Adds the hosts with their interfaces, and wires them to the gateways. */
  protected connect(world: World, topology: Topology): void {
    const ports = new Map<string, string[]>(topology.networks.map((n) => [n.name, []]));
    const links = topology.hosts.flatMap((host) => this.openHost(world, host, ports));
    run("ERR_IP", "ip", ["-batch", "-"], links.map((l) => `${l}\n`).join(""));
    for (const net of topology.networks)
      configureGateway(world.gateways.get(net.name)!.ns, net, topology, ports.get(net.name)!);
  }

  protected hostNamespace = (def: HostDef): Namespace => this.openNamespace(labName(this.prefix, def.name));

  private gatewayNs = (i: number): string => labName(this.prefix, `net${i + 1}`);

  private namespaces(topology: Topology): string[] {
    const names = [
      ...topology.networks.map((_, i) => this.gatewayNs(i)),
      ...topology.hosts.map((h) => labName(this.prefix, h.name)),
    ];
    const twice = names.find((n, i) => names.indexOf(n) !== i);
    if (twice !== undefined)
      throw new LabError("ERR_NAME_TAKEN", `a host is called as the namespace of a network is: ${twice}`, {
        hint: "Give the host another name.",
      });
    return names;
  }

  private openNamespace(name: string): Namespace {
    const ns = new Namespace(name, namespacePath(name));
    ns.enter(() => ipv6Off());
    return ns;
  }

  /** Gives the lines of `ip` that make the host's links; adds their ports to the networks'. */
  private openHost(world: World, def: HostDef, ports: Map<string, string[]>): string[] {
    const ns = this.hostNamespace(def);
    world.addHost(def, ns, new EbpfPath(instanceName(this.prefix, def.name), ns.path));
    return def.nics.map((nic) => {
      const gateway = world.gateways.get(nic.network)!.ns;
      const port = `p${world.wires.size + 1}`;
      ports.get(nic.network)!.push(port);
      const label = `${def.name}/${nic.name}`;
      world.addWire(new VethWire(label, { ns, dev: nic.name }, { ns: gateway, dev: port }));
      return `link add ${nic.name} address ${formatMac(macOf(nic.addr))} mtu ${nic.mtu} netns ${ns.name} type veth peer name ${port} mtu ${nic.mtu} netns ${gateway.name}`;
    });
  }
}

/** Throws LabError where namespaces cannot be used: not Linux, not root, a program missing. */
export function requireNetns(): void {
  requireTools("netns", TOOLS);
  libc();
}
