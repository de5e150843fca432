/** What is up in a lab on real Linux: hosts, networks with their gateways, and the wires between. A site puts them there. */
import { ControlPlane } from "../../control/control.ts";
import type { HostDef, LinkProps, NetworkDef, Topology } from "../../scenario/topology.ts";
import type { TableStores } from "../../tables/tables.ts";
import { formatIpv4 } from "../../wire/ipv4.ts";
import type { LinuxTunnel } from "../common/linux-path.ts";
import type { Service, ServiceHost } from "../common/services.ts";
import { LinuxControlHost } from "./control-host.ts";
import type { HostDataPath } from "./data-path.ts";
import type { HookLog } from "./hook-log.ts";
import { ipBatch } from "./inside.ts";
import type { Namespace } from "./sys.ts";

/** One host and what runs on it. */
export interface LinuxHost extends ServiceHost {
  readonly def: HostDef;
  readonly ns: Namespace;
  readonly tables: TableStores;
  readonly control: ControlPlane;
  /** gue_ping senders by service id: call to stop. */
  readonly guePings: Map<number, () => void>;
  /** Tunnels of the Linux-only path by service id. */
  readonly linuxTunnels: Map<number, LinuxTunnel>;
  readonly dataPath: HostDataPath;
  readonly port: LinuxControlHost;
}

/** A network's bridge, in its namespace. */
export const BRIDGE = "br0";

export interface Gateway {
  readonly name: string;
  readonly ns: Namespace;
  /** The network's bridge. */
  readonly nic: string;
}

/** Where a NIC's other end is. */
export interface Wire {
  /** `host/nic`. */
  readonly label: string;
  /** Pulls the cable, or plugs it in: the host's NIC loses its carrier and keeps its routes. */
  setUp(up: boolean): void;
  /** Changes these properties of both directions. Throws LabError where the machine has no such faults. */
  setProps(change: Partial<LinkProps>): void;
}

export class World {
  readonly hosts = new Map<string, LinuxHost>();
  /** The bridge of each network, by network name. */
  readonly gateways = new Map<string, Gateway>();
  /** By `host/nic`. */
  readonly wires = new Map<string, Wire>();
  readonly topology: Topology;
  private readonly hookLog: HookLog | undefined;

  /** `hookLog` takes what the hosts' hooks do. */
  constructor(topology: Topology, hookLog?: HookLog) {
    this.topology = topology;
    this.hookLog = hookLog;
  }

  addGateway(net: NetworkDef, ns: Namespace, nic: string): void {
    this.gateways.set(net.name, { name: `gateway.${net.name}`, ns, nic });
  }

  addHost(def: HostDef, ns: Namespace, dataPath: HostDataPath): LinuxHost {
    const host = newHost(def, ns, dataPath, this.hookLog?.watch(def.name, ns, dataPath) ?? dataPath.stores);
    this.hosts.set(def.name, host);
    return host;
  }

  addWire(wire: Wire): void {
    this.wires.set(wire.label, wire);
  }

  /** Ends what runs in the lab and lets go of its namespaces, so that they can be removed. */
  close(): void {
    for (const host of this.hosts.values()) {
      for (const service of host.services.values()) service.stop();
      host.port.close();
      host.dataPath.close();
      host.ns.close();
    }
    for (const gateway of this.gateways.values()) gateway.ns.close();
  }
}

function newHost(def: HostDef, ns: Namespace, dataPath: HostDataPath, tables: TableStores): LinuxHost {
  const port = new LinuxControlHost(def, ns, dataPath);
  const local = new Set([...def.loopback, ...def.nics.map((n) => n.addr)]);
  const lo = (verb: string, addr: number): void => void ipBatch(ns, [`address ${verb} ${formatIpv4(addr)}/32 dev lo`]);
  return {
    def,
    ns,
    dataPath,
    port,
    tables,
    control: new ControlPlane(port, tables),
    services: new Map<string, Service>(),
    guePings: new Map(),
    linuxTunnels: new Map(),
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
