/**
 * Twins of a lab's hosts and gateways: each one is the simulator's host alone, with its routes, netfilter and data path,
 * but no wire: what it is given is what the real box was given, and what it sends is kept to be compared. No process runs on
 * a twin: what is delivered to it ends there.
 */
import { ControlPlane } from "../control/control.ts";
import type { ControlHost, ControlNic } from "../control/host.ts";
import { Reference } from "../dataplane/reference.ts";
import type { Skb } from "../dataplane/skb.ts";
import { LabError } from "../errors.ts";
import { every } from "../lab/sim/control-host.ts";
import { type SimHost, World } from "../lab/sim/world.ts";
import type { HostDef, Topology } from "../scenario/topology.ts";
import { type DropSite, SimEnv, type Tap } from "../sim/env.ts";
import type { Host } from "../sim/host.ts";
import type { Nic } from "../sim/nic.ts";
import { type ProtocolHandler, type Rng, SEC } from "../sim/types.ts";
import { createTables, type Tables } from "../tables/tables.ts";
import { ETH_HLEN, ETH_P_IP, type Mac, setEthType } from "../wire/ethernet.ts";
import { ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, icmpIsError } from "../wire/icmp.ts";
import { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP } from "../wire/ipv4.ts";

/** A frame that a twin made. */
export interface TwinFrame {
  timeNs: number;
  /** `host/nic`. */
  label: string;
  frame: Uint8Array;
  /** The twin's kernel made it: neither forwarded nor given to it. */
  own: boolean;
  /** It arrives at the NIC's own ingress hook (a redirect), and is not sent. */
  inward: boolean;
}

/** Marks of packets that were given to a twin (Skb.journey). */
const GIVEN = 1;
/** Neighbours are confirmed again before their 30 s are over. */
const CONFIRM_NS = 20 * SEC;
/** Datagrams that were delivered lately: one of them may be what a port unreachable is about. */
const KEPT_DATAGRAMS = 256;

/** A gateway or host. */
export interface Twin {
  readonly name: string;
  readonly host: Host;
  readonly def: HostDef;
  readonly tables: Tables;
  readonly control: ControlPlane;
  /** Where services are entered. */
  readonly services: SimHost;
  /** Local ends of what was delivered: `17 client:port > own:port`. */
  readonly delivered: Set<string>;
  /** Lately delivered datagrams, MAC header first. */
  readonly datagrams: Uint8Array[];
}

/** Where a search for a NAT port starts: asked for when a port is taken. `nic` names are not known at that point. */
export type PortOracle = (host: string, range: number) => number;

/** What is taken from chance in a twin's network: nothing but the place where netfilter looks for a port. */
class OracleRng implements Rng {
  private readonly path: string;
  private readonly oracle: PortOracle;
  constructor(path: string, oracle: PortOracle) {
    this.path = path;
    this.oracle = oracle;
  }
  u32 = (): number => 0;
  float = (): number => 0;
  below(n: number): number {
    const nat = /^host (\S+) nat$/.exec(this.path);
    return nat ? this.oracle(nat[1], n) : 0;
  }
  fork = (name: string): Rng => new OracleRng(this.path === "" ? name : `${this.path} ${name}`, this.oracle);
}

class TwinEnv extends SimEnv {
  override readonly rng: Rng;
  constructor(oracle: PortOracle) {
    super();
    this.rng = new OracleRng("", oracle);
  }
}

/** The data path of a twin; its daemon sends nothing, since pings are among the real run's packets. */
class TwinControlHost implements ControlHost {
  readonly name: string;
  private readonly host: Host;
  private readonly dataPath: Reference;
  constructor(host: Host, dataPath: Reference) {
    this.name = host.name;
    this.host = host;
    this.dataPath = dataPath;
  }
  nic(name: string): ControlNic | undefined {
    const nic = this.host.nic(name);
    return nic && { name, ifindex: nic.ifindex, addr: nic.addr, mtu: nic.mtu };
  }
  nicNames = (): string[] => this.host.nics.map((n) => n.name);
  attach = (nic: string): void => void this.host.attach(nic, this.dataPath);
  detach = (nic: string): void => this.host.detach(nic);
  sendUdp(): void {}
  every = (intervalNs: number, fn: () => void): (() => void) => every(this.host.ip.clock, intervalNs, fn);
}

/** `17 172.1.0.2:33000 > 5.5.5.5:53` as numbers. */
export const flowKey = (proto: number, saddr: number, sport: number, daddr: number, dport: number): string =>
  `${proto} ${saddr}:${sport} > ${daddr}:${dport}`;

/** Takes what is for a process, and remembers it. */
class Sink implements ProtocolHandler {
  private readonly proto: number;
  private readonly twin: Pick<Twin, "delivered" | "datagrams">;
  constructor(proto: number, twin: Pick<Twin, "delivered" | "datagrams">) {
    this.proto = proto;
    this.twin = twin;
  }
  input(skb: Skb, ip: number, off: number, end: number): void {
    if (end - off < 4) return;
    const { view } = skb;
    const ends = [view.getUint32(ip + 12), view.getUint16(off), view.getUint32(ip + 16), view.getUint16(off + 2)];
    this.twin.delivered.add(flowKey(this.proto, ends[0], ends[1], ends[2], ends[3]));
    if (this.proto !== IPPROTO_UDP) return;
    const { datagrams } = this.twin;
    datagrams.push(skb.frame());
    if (datagrams.length > KEPT_DATAGRAMS) datagrams.shift();
  }
  icmpError(): void {}
}

/**
 * ICMP of a twin: echo requests are answered. Errors are for processes and their path MTUs, and what processes sent comes as the
 * real kernel cut it: a twin that learnt a path MTU would cut it again.
 */
class TwinIcmp implements ProtocolHandler {
  private readonly icmp: Host["icmp"];
  constructor(icmp: Host["icmp"]) {
    this.icmp = icmp;
  }
  input(skb: Skb, ip: number, off: number, end: number): void {
    if (off < end && !icmpIsError(skb.buf[off])) this.icmp.input(skb, ip, off, end);
  }
  icmpError(): void {}
}

export class TwinNetwork implements Tap {
  readonly world: World;
  readonly env: SimEnv;
  /** What the twins made since it was last taken. */
  made: TwinFrame[] = [];
  /** Links that are down, as `host/nic`. */
  readonly down = new Set<string>();
  private readonly twins = new Map<string, Twin>();
  private confirmedNs = 0;
  /** A frame of the real run is being handed over, which the tap then sees. */
  private handing = false;

  constructor(topology: Topology, oracle: PortOracle, startNs: number) {
    this.env = new TwinEnv(oracle);
    this.env.clock.run(startNs);
    this.env.tap = this;
    this.world = new World(this.env, topology);
    for (const [name, services] of this.world.hosts) this.adopt(name, services.host, services);
    for (const gateway of this.world.gateways.values()) this.adopt(gateway.name, gateway, undefined);
  }

  get now(): number {
    return this.env.clock.now;
  }

  has = (name: string): boolean => this.twins.has(name);

  twin(name: string): Twin {
    const found = this.twins.get(name);
    if (found === undefined) throw new LabError("ERR_HOST_UNKNOWN", `there is no host ${name}`);
    return found;
  }

  node = (name: string): SimHost => this.twin(name).services;

  /** Makes a neighbour of a NIC known. */
  setNeighbour(label: string, addr: number, mac: Mac): void {
    const [name, nicName] = label.split("/");
    const host = this.twins.get(name)?.host;
    const nic = host?.nic(nicName);
    if (nic !== undefined && nic.addr !== addr) host?.arp(nic)?.neighbour(addr).update(mac, true);
  }

  /** Cuts or restores the links that the command `link` names so. */
  setLinks(pattern: string, up: boolean): void {
    for (const { host } of this.twins.values())
      for (const { label } of host.nics)
        if (pattern === "all" || label === pattern || label.startsWith(`${pattern}/`)) {
          if (up) this.down.delete(label);
          else this.down.add(label);
        }
  }

  /** Lets time pass: timers fire, and what they make is kept. */
  pass(untilNs: number): void {
    this.env.clock.run(Math.max(untilNs, this.now));
    if (this.now - this.confirmedNs < CONFIRM_NS) return;
    this.confirmedNs = this.now;
    for (const { host } of this.twins.values())
      for (const nic of host.nics) for (const n of host.arp(nic)?.all() ?? []) if (n.valid) n.update(n.mac, true);
  }

  /** A frame has come in on a NIC. */
  deliver(name: string, nicName: string, frame: Uint8Array): void {
    const nic = this.twins.get(name)?.host.nic(nicName);
    if (nic === undefined) return;
    const skb = this.env.pool.get(frame.length);
    skb.buf.set(frame, skb.head);
    skb.journey = GIVEN;
    this.handing = true;
    nic.deliver(skb);
    this.handing = false;
    this.pass(this.now);
  }

  /** A process of the host has sent an IPv4 packet: it goes the way of a local packet. */
  originate(name: string, packet: Uint8Array): void {
    const { host } = this.twin(name);
    const skb = this.env.pool.get(ETH_HLEN + packet.length);
    setEthType(skb.buf, skb.head, ETH_P_IP);
    skb.buf.set(packet, skb.head + ETH_HLEN);
    skb.journey = GIVEN;
    host.ip.outputRaw(skb);
    this.pass(this.now);
  }

  /** No socket took a datagram that was delivered. */
  refuse(name: string, datagram: Uint8Array): void {
    const { host } = this.twin(name);
    const skb = this.env.pool.get(datagram.length);
    skb.buf.set(datagram, skb.head);
    host.ip.icmp?.sendError(ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0, skb, undefined);
    this.env.pool.put(skb);
    this.pass(this.now);
  }

  take(): TwinFrame[] {
    const { made } = this;
    this.made = [];
    return made;
  }

  onPacket(nic: Nic, direction: "in" | "out", skb: Skb): void {
    if (direction === "in" && this.handing) {
      // The frame itself; what its hook redirects to an ingress comes from the receive queue, later.
      this.handing = false;
      return;
    }
    const inward = direction === "in";
    this.made.push({ timeNs: this.now, label: nic.label, frame: skb.frame(), own: skb.journey === 0, inward });
  }

  onHook(): void {}
  onDrop(_where: string, _reason: string, _at: DropSite, _skb: Skb): void {}

  private adopt(name: string, host: Host, services: SimHost | undefined): void {
    const tables = createTables();
    const dataPath = new Reference(tables, host);
    const kept = { delivered: new Set<string>(), datagrams: [] as Uint8Array[] };
    const control = new ControlPlane(new TwinControlHost(host, dataPath), tables);
    // Gateways run no commands.
    this.twins.set(name, {
      name,
      host,
      def: services?.def as HostDef,
      tables,
      control,
      services: services as SimHost,
      ...kept,
    });
    host.ip.register(IPPROTO_ICMP, new TwinIcmp(host.icmp));
    host.ip.register(IPPROTO_TCP, new Sink(IPPROTO_TCP, kept));
    host.ip.register(IPPROTO_UDP, new Sink(IPPROTO_UDP, kept));
    for (const nic of host.nics) nic.out = { send: (skb) => this.env.pool.put(skb) };
  }
}
