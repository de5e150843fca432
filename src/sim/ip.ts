/**
 * A host's IPv4 (RFC 791, RFC 1122 section 3, RFC 1812 section 5; the order of net/ipv4/ip_input.c, ip_forward.c and
 * ip_output.c): header checks, netfilter hooks, local delivery with reassembly, forwarding, output with fragmentation.
 *
 * A weak host: a packet for any own address is accepted on any NIC (rp_filter 0), save from an own address ("martian").
 */
import { type Netfilter, NF_DROP } from "../dataplane/netfilter.ts";
import type { Skb } from "../dataplane/skb.ts";
import { csumReplace16, ipv4ChecksumOk } from "../wire/checksum.ts";
import { ETH_HLEN, ETH_P_IP, ethType, setEthType } from "../wire/ethernet.ts";
import {
  ICMP_DEST_UNREACH,
  ICMP_EXC_FRAGTIME,
  ICMP_EXC_TTL,
  ICMP_FRAG_NEEDED,
  ICMP_HOST_UNREACH,
  ICMP_NET_UNREACH,
  ICMP_PROT_UNREACH,
  ICMP_TIME_EXCEEDED,
} from "../wire/icmp.ts";
import {
  IP_DF,
  ipCheck,
  ipDaddr,
  ipFragOff,
  ipHlen,
  ipIsFragment,
  ipProto,
  ipSaddr,
  ipTotLen,
  ipTtl,
  ipv4Check,
  setIpCheck,
  writeIpv4,
} from "../wire/ipv4.ts";
import type { DropSite, NfPoint, SimEnv } from "./env.ts";
import { fragment, Reassembler } from "./ip-fragment.ts";
import type { NetDevice } from "./nic.ts";
import {
  type Dst,
  DstCache,
  type RouteHost,
  RTN_BLACKHOLE,
  RTN_BROADCAST,
  RTN_LOCAL,
  RTN_NONE,
  RTN_PROHIBIT,
  RTN_UNICAST,
} from "./route.ts";
import { type IpLayer, L4_OFFSET, type ProtocolHandler, type Rng, type Scheduler } from "./types.ts";

/** Sends ICMP errors; a part of the ICMP layer. */
export interface IcmpErrors {
  /** Tells the sender of the packet at `skb` that it went no further, unless RFC 1122 forbids; does not keep `skb`. */
  sendError(type: number, code: number, mtu: number, skb: Skb, inDev: NetDevice | undefined): void;
}

/** Communication administratively prohibited (RFC 1812 section 5.2.7.1): what a "prohibit" route answers. */
const ICMP_PKT_FILTERED = 13;

export interface IpSettings {
  ipForward: boolean;
  /** Initial TTL of own packets. */
  defaultTtl: number;
}

export class IpStack implements IpLayer {
  readonly clock: Scheduler;
  readonly rng: Rng;
  readonly routes: DstCache;
  readonly settings: IpSettings = { ipForward: false, defaultTtl: 64 };
  readonly netfilter: Netfilter;
  icmp: IcmpErrors | undefined;
  /** Packets forwarded and delivered locally. */
  forwarded = 0;
  delivered = 0;

  private readonly env: SimEnv;
  private readonly site: DropSite;
  private readonly host: RouteHost;
  private readonly handlers: (ProtocolHandler | undefined)[] = new Array<ProtocolHandler | undefined>(256).fill(
    undefined,
  );
  private readonly reassembler: Reassembler;
  private id: number;

  constructor(env: SimEnv, site: DropSite, host: RouteHost, netfilter: Netfilter, rng: Rng) {
    this.env = env;
    this.site = site;
    this.host = host;
    this.netfilter = netfilter;
    this.clock = env.clock;
    this.rng = rng;
    this.id = rng.below(0x10000);
    this.routes = new DstCache(host);
    this.reassembler = new Reassembler(env, site, (first) => {
      if (this.isLocal(ipDaddr(first.buf, first.head + ETH_HLEN))) {
        this.icmp?.sendError(ICMP_TIME_EXCEEDED, ICMP_EXC_FRAGTIME, 0, first, undefined);
      }
    });
  }

  sourceFor(daddr: number): number {
    return this.routes.lookup(daddr).src;
  }

  isLocal(addr: number): boolean {
    return this.host.fib.isLocal(addr);
  }

  pathMtu(daddr: number): number {
    return this.routes.pathMtu(this.routes.lookup(daddr), this.env.clock.now);
  }

  allocate(l4Len: number): Skb {
    return this.env.pool.get(L4_OFFSET + l4Len);
  }

  register(proto: number, handler: ProtocolHandler): void {
    this.handlers[proto] = handler;
  }

  handler(proto: number): ProtocolHandler | undefined {
    return this.handlers[proto];
  }

  /** As IpLayer says; a `saddr` of 0 is chosen by the route. */
  output(skb: Skb, saddr: number, daddr: number, proto: number, df: boolean, tos = 0, id?: number): boolean {
    const dst = this.routes.lookup(daddr);
    const ip = skb.head + ETH_HLEN;
    const len = skb.end - ip;
    if (dst.type !== RTN_UNICAST && dst.type !== RTN_LOCAL)
      return this.refuse("no route to the destination", skb, saddr, daddr, proto);
    const mtu = this.routes.pathMtu(dst, this.env.clock.now);
    if (len > mtu && df && !dst.pmtuLocked)
      return this.refuse("larger than the path MTU, and DF is set", skb, saddr, daddr, proto);
    if (len > 65_535) return this.refuse("larger than an IPv4 packet can be", skb, saddr, daddr, proto);
    if (id === undefined) this.id = (this.id + 1) & 0xffff;
    const word = df && !dst.pmtuLocked ? IP_DF : 0;
    writeIpv4(skb.buf, ip, len, id ?? this.id, word, this.settings.defaultTtl, proto, saddr || dst.src, daddr, tos);
    this.send(skb, dst, mtu);
    return true;
  }

  /** Drops a packet of this host; the header is written for whoever looks at the drop. */
  private refuse(reason: string, skb: Skb, saddr: number, daddr: number, proto: number): false {
    const ip = skb.head + ETH_HLEN;
    setEthType(skb.buf, skb.head, ETH_P_IP);
    const len = Math.min(skb.end - ip, 65_535);
    writeIpv4(skb.buf, ip, len, 0, 0, this.settings.defaultTtl, proto, saddr || this.sourceFor(daddr), daddr);
    this.drop(reason, skb);
    return false;
  }

  /** Sends a packet whose IPv4 header the caller has written, as a raw socket does; takes it over. */
  outputRaw(skb: Skb): boolean {
    const dst = this.routes.lookup(ipDaddr(skb.buf, skb.head + ETH_HLEN));
    if (dst.type !== RTN_UNICAST && dst.type !== RTN_LOCAL) {
      this.env.drop("ip", "no route to the destination", this.site, skb);
      return false;
    }
    this.send(skb, dst, this.routes.pathMtu(dst, this.env.clock.now));
    return true;
  }

  /** A frame from a device, MAC header first; takes it over. */
  input(dev: NetDevice, skb: Skb): void {
    const ip = skb.head + ETH_HLEN;
    if (ethType(skb.buf, skb.head) !== ETH_P_IP) {
      this.drop("neither IPv4 nor ARP", skb);
      return;
    }
    if (!ipv4Check(skb.buf, ip, skb.end)) {
      this.drop("malformed IPv4 header", skb);
      return;
    }
    if (!ipv4ChecksumOk(skb.buf, ip)) {
      this.drop("wrong IPv4 header checksum", skb);
      return;
    }
    skb.end = ip + ipTotLen(skb.buf, ip);
    const nf = this.netfilter;
    if (!nf.active) {
      this.route(dev, skb);
      return;
    }
    // Connection tracking sees whole datagrams only (nf_defrag_ipv4).
    const whole = nf.tracking && ipIsFragment(skb.buf, ip) ? this.reassembler.add(skb) : skb;
    if (whole === undefined) return;
    if (this.netfilterHook("prerouting", whole, dev.name, "") === NF_DROP) {
      this.filtered(whole);
      return;
    }
    this.route(dev, whole);
  }

  /** A packet's next hop does not answer ARP; takes it over. */
  hostUnreachable(dev: NetDevice, skb: Skb): void {
    this.icmp?.sendError(ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0, skb, undefined);
    this.env.drop("arp", "the next hop does not answer ARP", dev, skb);
  }

  private route(dev: NetDevice, skb: Skb): void {
    const ip = skb.head + ETH_HLEN;
    const saddr = ipSaddr(skb.buf, ip);
    if (dev !== this.host.lo && (saddr === 0 || saddr >>> 28 >= 14 || saddr >>> 24 === 127 || this.isLocal(saddr))) {
      this.drop("martian source address", skb);
      return;
    }
    const dst = this.routes.lookup(ipDaddr(skb.buf, ip));
    if (dst.type === RTN_LOCAL || dst.type === RTN_BROADCAST) {
      this.deliver(dev, skb, dst);
      return;
    }
    if (!this.settings.ipForward) {
      this.drop("not for this host, which does not forward", skb);
      return;
    }
    if (dst.type !== RTN_UNICAST) {
      this.noRoute(dev, skb, dst.type);
      return;
    }
    this.forward(dev, skb, dst);
  }

  private noRoute(dev: NetDevice, skb: Skb, type: number): void {
    const code = type === RTN_NONE ? ICMP_NET_UNREACH : type === RTN_PROHIBIT ? ICMP_PKT_FILTERED : ICMP_HOST_UNREACH;
    if (type !== RTN_BLACKHOLE) this.icmp?.sendError(ICMP_DEST_UNREACH, code, 0, skb, dev);
    this.drop("no route to the destination", skb);
  }

  private deliver(dev: NetDevice, part: Skb, dst: Dst): void {
    const skb = ipIsFragment(part.buf, part.head + ETH_HLEN) ? this.reassembler.add(part) : part;
    if (skb === undefined) return;
    const ip = skb.head + ETH_HLEN;
    if (this.netfilter.active && this.netfilterHook("input", skb, dev.name, "") === NF_DROP) {
      this.filtered(skb);
      return;
    }
    const handler = this.handlers[ipProto(skb.buf, ip)];
    if (handler === undefined) {
      if (dst.type === RTN_LOCAL) this.icmp?.sendError(ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, 0, skb, dev);
      this.drop("no handler for the protocol", skb);
      return;
    }
    this.delivered++;
    handler.input(skb, ip, ip + ipHlen(skb.buf, ip), skb.end);
    this.env.pool.put(skb);
  }

  private forward(dev: NetDevice, skb: Skb, dst: Dst): void {
    const { buf } = skb;
    const ip = skb.head + ETH_HLEN;
    if (ipTtl(buf, ip) <= 1) {
      this.icmp?.sendError(ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, 0, skb, dev);
      this.drop("the TTL has run out", skb);
      return;
    }
    const mtu = dst.dev.mtu;
    if ((skb.fragMaxSize || skb.end - ip) > mtu && (ipFragOff(buf, ip) & IP_DF) !== 0) {
      this.icmp?.sendError(ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu, skb, dev);
      this.drop("larger than the next hop's MTU, and DF is set", skb);
      return;
    }
    // The TTL is the high byte of its 16-bit word.
    const word = (ipTtl(buf, ip) << 8) | ipProto(buf, ip);
    setIpCheck(buf, ip, csumReplace16(ipCheck(buf, ip), word, word - 0x100));
    buf[ip + 8]--;
    if (this.netfilter.active && this.netfilterHook("forward", skb, dev.name, dst.dev.name) === NF_DROP) {
      this.filtered(skb);
      return;
    }
    this.forwarded++;
    this.finish(skb, dst, mtu);
  }

  /** A packet of this host, header complete. */
  private send(skb: Skb, dst: Dst, mtu: number): void {
    const nf = this.netfilter;
    if (nf.active) {
      const ip = skb.head + ETH_HLEN;
      const daddr = ipDaddr(skb.buf, ip);
      if (this.netfilterHook("output", skb, "", dst.dev.name) === NF_DROP) {
        this.filtered(skb);
        return;
      }
      const translated = ipDaddr(skb.buf, ip);
      if (translated !== daddr) {
        dst = this.routes.lookup(translated);
        mtu = this.routes.pathMtu(dst, this.env.clock.now);
      }
    }
    this.finish(skb, dst, mtu);
  }

  private finish(skb: Skb, dst: Dst, mtu: number): void {
    const ip = skb.head + ETH_HLEN;
    if (this.netfilter.active && this.netfilterHook("postrouting", skb, "", dst.dev.name) === NF_DROP) {
      this.filtered(skb);
      return;
    }
    // What connection tracking put together goes on in pieces no larger than it came.
    const limit = skb.fragMaxSize === 0 ? mtu : Math.min(mtu, skb.fragMaxSize);
    if (skb.end - ip <= limit) {
      dst.dev.xmit(skb, dst.neighbour);
      return;
    }
    this.finishFragments(skb, dst, limit);
  }

  /** On its own, because a closure in `finish` would cost every packet an allocation. */
  private finishFragments(skb: Skb, dst: Dst, mtu: number): void {
    fragment(this.env.pool, skb, mtu, (part) => dst.dev.xmit(part, dst.neighbour));
    this.env.pool.put(skb);
  }

  /** Runs one of netfilter's hooks on a packet, and shows it to the observer before and after. */
  private netfilterHook(point: NfPoint, skb: Skb, inDev: string, outDev: string): number {
    const { tap } = this.env;
    if (tap?.beforeNetfilter !== undefined) tap.beforeNetfilter(this.site, point, skb);
    const verdict = this.runNetfilter(point, skb.buf, skb.head + ETH_HLEN, inDev, outDev);
    if (tap?.afterNetfilter !== undefined) tap.afterNetfilter(this.site, point, skb, verdict);
    return verdict;
  }

  private runNetfilter(point: NfPoint, buf: Uint8Array, ip: number, inDev: string, outDev: string): number {
    const nf = this.netfilter;
    switch (point) {
      case "prerouting":
        return nf.prerouting(buf, ip, inDev, this.env.clock.now);
      case "input":
        return nf.input(buf, ip, inDev);
      case "forward":
        return nf.forward(buf, ip, inDev, outDev);
      case "output":
        return nf.output(buf, ip, outDev, this.env.clock.now);
      case "postrouting":
        return nf.postrouting(buf, ip, outDev);
    }
  }

  private drop(reason: string, skb: Skb): void {
    this.env.drop("ip", reason, this.site, skb);
  }

  private filtered(skb: Skb): void {
    this.env.drop("netfilter", this.netfilter.reason, this.site, skb);
  }
}
