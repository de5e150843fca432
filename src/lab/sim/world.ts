/** A topology as a simulated network: hosts, links, bridges and gateways, set up as SPEC section 1 "Host settings" says. */
import { ControlPlane } from "../../control/control.ts";
import { applyIptables, parseIptables } from "../../dataplane/iptables.ts";
import { Reference } from "../../dataplane/reference.ts";
import { gatewayRoutes, type HostDef, type NetworkDef, type Topology } from "../../scenario/topology.ts";
import { Bridge } from "../../sim/bridge.ts";
import type { SimEnv } from "../../sim/env.ts";
import type { FouPort } from "../../sim/gue-device.ts";
import { Host } from "../../sim/host.ts";
import { Link } from "../../sim/link.ts";
import { TcpStack } from "../../sim/tcp/stack.ts";
import { createTables, type Tables } from "../../tables/tables.ts";
import type { LinuxTunnel } from "../common/linux-path.ts";
import { natRules } from "../common/nat-rules.ts";
import type { Service, ServiceHost } from "../common/services.ts";
import { SimControlHost } from "./control-host.ts";

/** One simulated host and what runs on it. */
export interface SimHost extends ServiceHost {
  readonly def: HostDef;
  readonly host: Host;
  readonly tcp: TcpStack;
  readonly tables: Tables;
  readonly control: ControlPlane;
  readonly services: Map<string, Service>;
  /** gue_ping senders by service id: call to stop. */
  readonly guePings: Map<number, () => void>;
  /** Tunnels of the Linux-only path by service id. The fou port is shared by all. */
  readonly linuxTunnels: Map<number, LinuxTunnel>;
  fou: FouPort | undefined;
}

export class World {
  readonly env: SimEnv;
  readonly topology: Topology;
  readonly hosts = new Map<string, SimHost>();
  /** The bridge's own address of each network, by network name. */
  readonly gateways = new Map<string, Host>();
  /** By `host/nic`. */
  readonly links = new Map<string, Link>();

  private readonly makeTables: (host: string) => Tables;

  /** `makeTables` gives each host its tables, where an observer has some of its own. */
  constructor(env: SimEnv, topology: Topology, makeTables: (host: string) => Tables = () => createTables()) {
    this.makeTables = makeTables;
    this.env = env;
    this.topology = topology;
    const bridges = new Map(topology.networks.map((net) => [net.name, this.addNetwork(net)]));
    for (const def of topology.hosts) this.addHost(def, bridges);
  }

  /** Cuts every link and ends every periodic sender: what is under way is lost. */
  close(): void {
    for (const { control, guePings } of this.hosts.values()) {
      for (const { nic } of control.list()) control.stop(nic);
      for (const stop of guePings.values()) stop();
    }
    for (const link of this.links.values()) link.setUp(false);
  }

  private addNetwork(net: NetworkDef): Bridge {
    const bridge = new Bridge(this.env, net.name);
    const gateway = new Host(this.env, `gateway.${net.name}`);
    bridge.attachLocal(gateway.addNic("br0", net.gateway, net.prefix));
    gateway.ip.settings.ipForward = true;
    for (const r of gatewayRoutes(this.topology, net.name)) gateway.addRoute(r.dst, r.prefix, r.via);
    this.gateways.set(net.name, gateway);
    return bridge;
  }

  private addHost(def: HostDef, bridges: Map<string, Bridge>): void {
    const host = new Host(this.env, def.name);
    for (const nicDef of def.nics) {
      const net = this.topology.networks.find((n) => n.name === nicDef.network)!;
      const nic = host.addNic(nicDef.name, nicDef.addr, net.prefix, nicDef.mtu);
      const label = `${def.name}/${nicDef.name}`;
      this.links.set(label, new Link(this.env, label, nic, bridges.get(nicDef.network)!.addPort(), nicDef.link));
    }
    for (const addr of def.loopback) host.addAddress(host.lo, addr);
    for (const r of def.routes) host.addRoute(r.dst, r.prefix, r.via);
    host.ip.settings.ipForward = def.ipForward;
    for (const rule of natRules(def)) applyIptables(host.netfilter, parseIptables(rule.split(" ")));
    const tcp = new TcpStack(host.ip);
    tcp.onDrop = (reason, skb) => this.env.tap?.onDrop("tcp", reason, host, skb);
    const tables = this.makeTables(def.name);
    const dataPath = new Reference(tables, host);
    this.hosts.set(def.name, {
      def,
      host,
      tcp,
      tables,
      control: new ControlPlane(new SimControlHost(host, dataPath), tables),
      services: new Map(),
      isLocal: (addr) => host.fib.isLocal(addr),
      addToLo: (addr) => {
        host.addAddress(host.lo, addr);
      },
      removeFromLo: (addr) => {
        host.removeAddress(host.lo, addr);
      },
      guePings: new Map(),
      linuxTunnels: new Map(),
      fou: undefined,
    });
  }
}
