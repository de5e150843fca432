/**
 * A simulated host: NICs and `lo`, addresses, routes, and the IPv4 stack on top of them. Everything a host has hangs on
 * this object; transports register with `ip`.
 */
import {
  BPF_FIB_LKUP_RET_FWD_DISABLED,
  BPF_FIB_LKUP_RET_NO_NEIGH,
  BPF_FIB_LKUP_RET_NOT_FWDED,
  BPF_FIB_LKUP_RET_SUCCESS,
  type DataPath,
  type FibHelper,
  type FibParams,
} from "../dataplane/datapath.ts";
import type { Skb } from "../dataplane/skb.ts";
import { ETH_P_ARP, ETH_P_IP, ethType, setEthType } from "../wire/ethernet.ts";
import { ArpTable } from "./arp.ts";
import type { DropSite, SimEnv } from "./env.ts";
import { IcmpLayer } from "./icmp.ts";
import { IpStack } from "./ip.ts";
import type { Neighbour } from "./neighbour.ts";
import { macOf, type NetDevice, Nic, type NicOwner } from "./nic.ts";
import { mask, type RouteHost, RTN_UNICAST } from "./route.ts";
import type { EventHandler } from "./types.ts";
import { UdpLayer } from "./udp.ts";

const LO_IFINDEX = 1;
const LO_MTU = 65_536;

/** The loopback device: what is sent comes back by the receive queue. */
class Loopback implements NetDevice {
  readonly name = "lo";
  readonly ifindex = LO_IFINDEX;
  readonly mtu = LO_MTU;
  readonly isEthernet = false;
  readonly label: string;
  private readonly queue: ReceiveQueue;

  constructor(host: string, queue: ReceiveQueue) {
    this.label = `${host}/lo`;
    this.queue = queue;
  }

  xmit(skb: Skb): void {
    setEthType(skb.buf, skb.head, ETH_P_IP);
    this.queue.put(this, skb);
  }
}

/** Packets that arrive after what is being done now (the kernel's per-CPU backlog): from `lo` and ingress redirects. */
class ReceiveQueue implements EventHandler {
  private skbs: Skb[] = [];
  private devs: NetDevice[] = [];
  private spareSkbs: Skb[] = [];
  private spareDevs: NetDevice[] = [];
  private readonly env: SimEnv;
  private readonly host: Host;

  constructor(env: SimEnv, host: Host) {
    this.env = env;
    this.host = host;
  }

  put(dev: NetDevice, skb: Skb): void {
    if (this.skbs.length === 0) this.env.clock.schedule(0, this, 0);
    this.skbs.push(skb);
    this.devs.push(dev);
  }

  fire(): void {
    const { skbs, devs } = this;
    this.skbs = this.spareSkbs;
    this.devs = this.spareDevs;
    for (let i = 0; i < skbs.length; i++) {
      const dev = devs[i];
      if (dev instanceof Nic) dev.deliver(skbs[i]);
      else this.host.ip.input(dev, skbs[i]);
    }
    skbs.length = 0;
    devs.length = 0;
    this.spareSkbs = skbs;
    this.spareDevs = devs;
  }
}

export class Host implements NicOwner, RouteHost, DropSite, FibHelper {
  readonly name: string;
  readonly label: string;
  readonly env: SimEnv;
  readonly nics: Nic[] = [];
  readonly lo: NetDevice;
  readonly ip: IpStack;
  readonly icmp: IcmpLayer;
  readonly udp: UdpLayer;

  private readonly queue: ReceiveQueue;
  private readonly arps = new Map<NetDevice, ArpTable>();
  /** Own addresses and broadcast addresses as signed 32-bit numbers, which need no boxing. */
  private readonly locals = new Map<number, NetDevice>();
  private readonly broadcasts = new Set<number>([-1]);
  private nextIfindex = LO_IFINDEX + 1;

  constructor(env: SimEnv, name: string) {
    this.env = env;
    this.name = this.label = name;
    this.queue = new ReceiveQueue(env, this);
    this.lo = new Loopback(name, this.queue);
    this.ip = new IpStack(env, this, this, env.rng.fork(`host ${name}`));
    this.icmp = new IcmpLayer(env, this, this.ip);
    this.udp = new UdpLayer(env, this, this.ip);
  }

  /** Adds an Ethernet NIC with its address and the route to its network; its MAC address is made of the address. */
  addNic(name: string, addr: number, prefix: number, mtu = 1500): Nic {
    const nic = new Nic(this.env, this, name, this.takeIfindex(), macOf(addr), mtu);
    this.nics.push(nic);
    this.arps.set(nic, new ArpTable(this.env, nic, { isLocal: (a) => this.isLocal(a), hostUnreachable: this.noArp }));
    this.addAddress(nic, addr, prefix);
    return nic;
  }

  /** An interface index for a device that is added besides the NICs. */
  takeIfindex(): number {
    return this.nextIfindex++;
  }

  /** Gives a device an address; a prefix below 32 also adds the route to that network and its broadcast address. */
  addAddress(dev: NetDevice, addr: number, prefix = 32): void {
    this.locals.set(addr | 0, dev);
    if (dev instanceof Nic && dev.addr === 0) {
      dev.addr = addr;
      dev.prefix = prefix;
    }
    if (prefix < 32) {
      const dst = (addr & mask(prefix)) >>> 0;
      if (prefix < 31) this.broadcasts.add(addr | ~mask(prefix));
      this.ip.routes.add({ dst, prefix, via: 0, dev, src: addr });
    }
    this.ip.routes.flush();
  }

  /** Takes an address off; its connected route stays where the address had none. False when it was not there. */
  removeAddress(addr: number, prefix = 32): boolean {
    if (!this.locals.delete(addr | 0)) return false;
    if (prefix < 32) this.ip.routes.remove((addr & mask(prefix)) >>> 0, prefix, 0);
    this.ip.routes.flush();
    return true;
  }

  /** Addresses with their devices, in the order in which they were added. */
  addresses(): [addr: number, dev: NetDevice][] {
    return [...this.locals].map(([addr, dev]) => [addr >>> 0, dev]);
  }

  /** Adds a route by a next hop on one of the NICs' networks; false when no NIC reaches `via`. */
  addRoute(dst: number, prefix: number, via: number): boolean {
    const hop = this.ip.routes.match(via);
    if (hop === undefined || hop.via !== 0) return false;
    this.ip.routes.add({ dst: (dst & mask(prefix)) >>> 0, prefix, via, dev: hop.dev, src: hop.src });
    return true;
  }

  /** Adds a route straight into a device, such as a tunnel. */
  addDeviceRoute(dst: number, prefix: number, dev: NetDevice, src: number): void {
    this.ip.routes.add({ dst: (dst & mask(prefix)) >>> 0, prefix, via: 0, dev, src });
  }

  /** False when there is no such route. */
  delRoute(dst: number, prefix: number, via?: number): boolean {
    return this.ip.routes.remove((dst & mask(prefix)) >>> 0, prefix, via);
  }

  nic(name: string): Nic | undefined {
    return this.nics.find((n) => n.name === name);
  }

  nicByIndex(ifindex: number): Nic | undefined {
    for (const nic of this.nics) if (nic.ifindex === ifindex) return nic;
    return undefined;
  }

  arp(nic: NetDevice): ArpTable | undefined {
    return this.arps.get(nic);
  }

  /** Puts a data path on both TC hooks of a NIC; false when there is no such NIC. */
  attach(nicName: string, dataPath: DataPath): boolean {
    const nic = this.nic(nicName);
    if (nic !== undefined) nic.dataPath = dataPath;
    return nic !== undefined;
  }

  detach(nicName: string): void {
    const nic = this.nic(nicName);
    if (nic !== undefined) nic.dataPath = undefined;
  }

  isLocal(addr: number): boolean {
    return this.locals.has(addr | 0) || addr >>> 24 === 127;
  }

  isBroadcast(addr: number): boolean {
    return this.broadcasts.has(addr | 0);
  }

  neighbour(dev: NetDevice, nexthop: number): Neighbour | undefined {
    return this.arps.get(dev)?.neighbour(nexthop);
  }

  receive(nic: Nic, skb: Skb, otherHost: boolean): void {
    if (otherHost) {
      this.env.drop("nic", "the frame is for another MAC address", nic, skb);
      return;
    }
    if (ethType(skb.buf, skb.head) !== ETH_P_ARP) {
      this.ip.input(nic, skb);
      return;
    }
    this.arps.get(nic)!.input(skb, (skb.buf[skb.head] & 1) === 0);
    this.env.pool.put(skb);
  }

  enqueueIngress(nic: Nic, skb: Skb): void {
    this.queue.put(nic, skb);
  }

  /** bpf_fib_lookup with flags 0 (net/core/filter.c, bpf_ipv4_fib_lookup): needs ip_forward and a known neighbour. */
  fibLookup(p: FibParams): number {
    if (!this.ip.settings.ipForward) return BPF_FIB_LKUP_RET_FWD_DISABLED;
    const dst = this.ip.routes.lookup(p.daddr);
    if (dst.type !== RTN_UNICAST || !(dst.dev instanceof Nic)) return BPF_FIB_LKUP_RET_NOT_FWDED;
    p.ifindex = dst.dev.ifindex;
    const neighbour = dst.neighbour;
    if (neighbour === undefined || !neighbour.valid) return BPF_FIB_LKUP_RET_NO_NEIGH;
    p.smac = dst.dev.mac;
    p.dmac = neighbour.mac;
    return BPF_FIB_LKUP_RET_SUCCESS;
  }

  private readonly noArp = (nic: Nic, skb: Skb): void => this.ip.hostUnreachable(nic, skb);
}
