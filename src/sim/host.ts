/**
 * A simulated host: NICs and `lo`, addresses, routes, and the IPv4 stack on top of them. Everything a host has hangs on
 * this object; transports register with `ip`.
 */
import type { DataPath, FibHelper, FibParams } from "../dataplane/datapath.ts";
import { Fib, LO_IFINDEX, prefixMask, type Route } from "../dataplane/fib.ts";
import { type FibHost, isForwardable, KernelFibHelper } from "../dataplane/fib-helper.ts";
import { Netfilter } from "../dataplane/netfilter.ts";
import type { Skb } from "../dataplane/skb.ts";
import { ETH_P_ARP, ETH_P_IP, ethType, type Mac, setEthType } from "../wire/ethernet.ts";
import { ArpTable } from "./arp.ts";
import type { DropSite, SimEnv } from "./env.ts";
import { IcmpLayer } from "./icmp.ts";
import { IpStack } from "./ip.ts";
import type { Neighbour } from "./neighbour.ts";
import { macOf, type NetDevice, Nic, type NicOwner } from "./nic.ts";
import type { RouteHost } from "./route.ts";
import type { EventHandler } from "./types.ts";
import { UdpLayer } from "./udp.ts";

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
  readonly fib = new Fib();
  readonly netfilter: Netfilter;
  readonly ip: IpStack;
  readonly icmp: IcmpLayer;
  readonly udp: UdpLayer;

  private readonly queue: ReceiveQueue;
  private readonly fibHelper: KernelFibHelper;
  /** By ifindex. */
  private readonly devices: (NetDevice | undefined)[] = [];
  private readonly arps: (ArpTable | undefined)[] = [];

  constructor(env: SimEnv, name: string) {
    this.env = env;
    this.name = this.label = name;
    this.queue = new ReceiveQueue(env, this);
    this.lo = new Loopback(name, this.queue);
    this.devices[LO_IFINDEX] = this.lo;
    this.fib.addAddress(LO_IFINDEX, 0x7f000001, 8);
    const rng = env.rng.fork(`host ${name}`);
    this.netfilter = new Netfilter({
      masqueradeAddr: (outDev, daddr) => this.masqueradeAddr(outDev, daddr),
      rng: rng.fork("nat"),
    });
    this.ip = new IpStack(env, this, this, this.netfilter, rng);
    this.icmp = new IcmpLayer(env, this, this.ip);
    this.udp = new UdpLayer(env, this, this.ip);
    this.fibHelper = new KernelFibHelper(this.fibHost());
  }

  /** Adds an Ethernet NIC with its address and the route to its network; its MAC address is made of the address. */
  addNic(name: string, addr: number, prefix: number, mtu = 1500): Nic {
    const nic = new Nic(this.env, this, name, this.takeIfindex(), macOf(addr), mtu);
    this.nics.push(nic);
    this.arps[nic.ifindex] = new ArpTable(this.env, nic, {
      isLocal: (a) => this.fib.isLocal(a),
      hostUnreachable: (dev, skb) => this.ip.hostUnreachable(dev, skb),
    });
    this.addDevice(nic);
    this.addAddress(nic, addr, prefix);
    return nic;
  }

  /** The interface index that the next device should have. */
  takeIfindex(): number {
    return Math.max(this.devices.length, LO_IFINDEX + 1);
  }

  /** Makes a device known by its ifindex; NICs are by `addNic`. */
  addDevice(dev: NetDevice): void {
    this.devices[dev.ifindex] = dev;
  }

  /** Removes a device with its addresses and routes. */
  removeDevice(dev: NetDevice): void {
    this.fib.removeInterface(dev.ifindex);
    this.devices[dev.ifindex] = undefined;
  }

  /** Gives a device an address; a prefix below 32 also adds the route to that network and its broadcast address. */
  addAddress(dev: NetDevice, addr: number, prefix = 32): void {
    if (dev instanceof Nic && dev.addr === 0) {
      dev.addr = addr;
      dev.prefix = prefix;
    }
    this.fib.addAddress(dev.ifindex, addr, prefix);
  }

  /** False when the device has no such address. */
  removeAddress(dev: NetDevice, addr: number): boolean {
    return this.fib.removeAddress(dev.ifindex, addr);
  }

  /** Adds a route by a next hop on a connected network; false when no NIC reaches `via` or there is such a route. */
  addRoute(dst: number, prefix: number, via: number): boolean {
    const hop = this.fib.lookup(via);
    if (hop === undefined || hop.type !== "unicast" || hop.via !== 0) return false;
    return this.fib.addRoute({ prefix: dst, len: prefix, via, ifindex: hop.ifindex });
  }

  /** Adds a route straight into a device, such as a tunnel; `src` 0 = chosen by the device. */
  addDeviceRoute(dst: number, prefix: number, dev: NetDevice, src = 0): boolean {
    return this.fib.addRoute({ prefix: dst, len: prefix, ifindex: dev.ifindex, src });
  }

  /** False when there is no such route. */
  delRoute(dst: number, prefix: number, via?: number): boolean {
    return this.fib.removeRoute({ prefix: (dst & prefixMask(prefix)) >>> 0, len: prefix, via });
  }

  routes(): readonly Route[] {
    return this.fib.routes();
  }

  nic(name: string): Nic | undefined {
    return this.nics.find((n) => n.name === name);
  }

  device(ifindex: number): NetDevice | undefined {
    return this.devices[ifindex];
  }

  nicByIndex(ifindex: number): Nic | undefined {
    const dev = this.devices[ifindex];
    return dev instanceof Nic ? dev : undefined;
  }

  /** bpf_fib_lookup for the data path. */
  fibLookup(p: FibParams): number {
    return this.fibHelper.fibLookup(p);
  }

  /** The neighbours of a NIC; undefined for other devices. */
  arp(dev: NetDevice): ArpTable | undefined {
    return this.arps[dev.ifindex];
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

  neighbour(dev: NetDevice, nexthop: number): Neighbour | undefined {
    return this.arps[dev.ifindex]?.neighbour(nexthop);
  }

  receive(nic: Nic, skb: Skb, otherHost: boolean): void {
    if (otherHost) {
      this.env.drop("nic", "the frame is for another MAC address", nic, skb);
    } else if (ethType(skb.buf, skb.head) !== ETH_P_ARP) {
      this.ip.input(nic, this.env.pool.unshare(skb));
    } else {
      this.arps[nic.ifindex]!.input(skb, (skb.buf[skb.head] & 1) === 0);
      this.env.pool.put(skb);
    }
  }

  enqueueIngress(nic: Nic, skb: Skb): void {
    this.queue.put(nic, skb);
  }

  /** inet_select_addr towards the next hop, as xt_MASQUERADE asks for. */
  private masqueradeAddr(outDev: string, daddr: number): number {
    const dev = this.devices.find((d) => d?.name === outDev);
    return dev === undefined ? 0 : this.fib.sourceOn(dev.ifindex, this.fib.lookup(daddr)?.via || daddr);
  }

  /** Hands a packet to the stack as if `dev` had received it, after what is being done now; takes it over. */
  enqueue(dev: NetDevice, skb: Skb): void {
    this.queue.put(dev, skb);
  }

  /** Every device, lo first. */
  allDevices(): NetDevice[] {
    return this.devices.filter((d): d is NetDevice => d !== undefined);
  }

  private fibHost(): FibHost {
    return {
      fib: this.fib,
      nicMac: (ifindex): Mac => this.nicByIndex(ifindex)?.mac ?? -1,
      forwards: () => this.ip.settings.ipForward,
      neighbour: (ifindex, addr): Mac => {
        const n = this.arps[ifindex]?.lookup(addr);
        return n?.valid ? n.mac : -1;
      },
      takes: (ifindex, frameLen) => isForwardable(this.devices[ifindex]?.mtu ?? 0, frameLen),
    };
  }
}
