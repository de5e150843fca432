/**
 * The kernel's own GUE tunnel, without True Ingress: `ip fou add port N gue` and an ipip device with `encap gue`
 * (net/ipv4/fou_core.c, ip_tunnel.c, ipip.c). The GUE header is the 4 base bytes, Hlen 0, no flags.
 *
 *   outer IPv4 (20, TTL 64, DF) | UDP (8, checksum 0) | GUE (4: 00 04 00 00) | inner IPv4
 */
import type { Skb } from "../dataplane/skb.ts";
import { rd16, rd32, wr16, wr32 } from "../wire/bytes.ts";
import { ETH_HLEN, ETH_P_IP, setEthType } from "../wire/ethernet.ts";
import { GUE_BASE_HLEN, GUE_PORT, GUE_PROTO_IPV4, gueHlen, gueIsControl, gueVersion } from "../wire/gue.ts";
import { ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED } from "../wire/icmp.ts";
import { IP_DF, IPPROTO_UDP, IPV4_HLEN, ipDaddr, ipFragOff, ipProto, ipSaddr, writeIpv4 } from "../wire/ipv4.ts";
import { UDP_CHECK, UDP_DPORT, UDP_HLEN, UDP_LEN, UDP_SPORT } from "../wire/udp.ts";
import type { Host } from "./host.ts";
import type { NetDevice } from "./nic.ts";
import { EPHEMERAL_MAX, EPHEMERAL_MIN, type UdpEncap } from "./udp.ts";

/** Outer IPv4, UDP and GUE. */
export const GUE_DEVICE_OVERHEAD = IPV4_HLEN + UDP_HLEN + GUE_BASE_HLEN;
const OUTER_TTL = 64;

export interface GueDeviceOptions {
  name: string;
  remote: number;
  /** Outer source address; 0 = by the route. */
  local?: number;
  /** encap-dport, by default 6080. */
  dport?: number;
  /** encap-sport; 0 = "auto", by the inner flow. */
  sport?: number;
  /** By default what the way to the remote leaves. */
  mtu?: number;
}

/** An ipip device with `encap gue`. */
export class GueDevice implements NetDevice {
  readonly isEthernet = false;
  readonly name: string;
  readonly label: string;
  readonly ifindex: number;
  readonly mtu: number;
  readonly local: number;
  readonly remote: number;
  txPackets = 0;
  rxPackets = 0;

  private readonly host: Host;
  /** encap-dport. */
  readonly dport: number;
  private readonly sport: number;
  private id: number;

  constructor(host: Host, opts: GueDeviceOptions) {
    this.host = host;
    this.name = opts.name;
    this.label = `${host.name}/${opts.name}`;
    this.ifindex = host.takeIfindex();
    this.remote = opts.remote;
    this.local = opts.local ?? 0;
    this.dport = opts.dport ?? GUE_PORT;
    this.sport = opts.sport ?? 0;
    this.mtu = opts.mtu ?? host.ip.pathMtu(opts.remote) - GUE_DEVICE_OVERHEAD;
    this.id = host.ip.rng.below(0x10000);
    host.addDevice(this);
  }

  xmit(skb: Skb): void {
    const { ip } = this.host;
    const inner = skb.head + ETH_HLEN;
    const room = ip.pathMtu(this.remote) - GUE_DEVICE_OVERHEAD;
    // tnl_update_pmtu: the sender of a packet with DF hears of a path that is narrower than the device.
    if (skb.end - inner > room && (ipFragOff(skb.buf, inner) & IP_DF) !== 0) {
      ip.icmp?.sendError(ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, room, skb, undefined);
      this.host.env.drop("ip", "larger than the tunnel's path MTU, and DF is set", this, skb);
      return;
    }
    const sport = this.sport || flowPort(skb.buf, inner);
    const saddr = this.local || ip.sourceFor(this.remote);
    skb.push(GUE_DEVICE_OVERHEAD);
    const { buf } = skb;
    const outer = skb.head + ETH_HLEN;
    const udp = outer + IPV4_HLEN;
    const len = skb.end - udp;
    wr16(buf, udp + UDP_SPORT, sport);
    wr16(buf, udp + UDP_DPORT, this.dport);
    wr16(buf, udp + UDP_LEN, len);
    wr16(buf, udp + UDP_CHECK, 0);
    wr32(buf, udp + UDP_HLEN, GUE_PROTO_IPV4 << 16);
    this.id = (this.id + 1) & 0xffff;
    writeIpv4(buf, outer, IPV4_HLEN + len, this.id, IP_DF, OUTER_TTL, IPPROTO_UDP, saddr, this.remote);
    this.txPackets++;
    ip.outputRaw(skb);
  }

  /** Takes the device off its host, with its addresses and routes. */
  remove(): void {
    this.host.removeDevice(this);
  }
}

/** `ip fou add port N gue`: takes plain GUE datagrams apart and hands them to the ipip device of their sender. */
export class FouPort implements UdpEncap {
  readonly port: number;
  private readonly host: Host;

  private constructor(host: Host, port: number) {
    this.host = host;
    this.port = port;
  }

  /** Undefined when the port is taken. */
  static open(host: Host, port: number = GUE_PORT): FouPort | undefined {
    const fou = new FouPort(host, port);
    return host.udp.addEncap(port, fou) ? fou : undefined;
  }

  close(): void {
    this.host.udp.removeEncap(this.port);
  }

  /** Drops what is not plain GUE with IPv4 inside, as gue_udp_recv and the ipip receive path do. */
  input(skb: Skb, ip: number, off: number, end: number): boolean {
    const { buf } = skb;
    const { env } = this.host;
    const plain =
      end - off >= GUE_BASE_HLEN + IPV4_HLEN &&
      gueVersion(buf, off) === 0 &&
      !gueIsControl(buf, off) &&
      gueHlen(buf, off) === 0 &&
      buf[off + 1] === GUE_PROTO_IPV4 &&
      rd16(buf, off + 2) === 0;
    if (!plain) {
      env.tap?.onDrop("udp", "not a plain GUE packet with IPv4 inside", this.host, skb);
      return true;
    }
    const dev = this.device(ipSaddr(buf, ip), ipDaddr(buf, ip));
    if (dev === undefined) {
      env.tap?.onDrop("ip", "no ipip device for the tunnel's other end", this.host, skb);
      return true;
    }
    dev.rxPackets++;
    const from = off + GUE_BASE_HLEN;
    const inner = env.pool.get(ETH_HLEN + end - from);
    inner.journey = skb.journey;
    setEthType(inner.buf, inner.head, ETH_P_IP);
    inner.buf.set(buf.subarray(from, end), inner.head + ETH_HLEN);
    this.host.enqueue(dev, inner);
    return true;
  }

  /** A device bound to both addresses is preferred to one bound to the remote only (ip_tunnel_lookup). */
  private device(remote: number, local: number): GueDevice | undefined {
    let found: GueDevice | undefined;
    for (const dev of this.host.allDevices()) {
      if (!(dev instanceof GueDevice) || dev.remote !== remote) continue;
      if (dev.local === local) return dev;
      if (dev.local === 0) found = dev;
    }
    return found;
  }
}

/** udp_flow_src_port: one flow keeps one port, of the ephemeral ones. */
function flowPort(buf: Uint8Array, ip: number): number {
  const proto = ipProto(buf, ip);
  const ports = proto === 6 || proto === IPPROTO_UDP ? rd32(buf, ip + (buf[ip] & 0xf) * 4) : 0;
  let h = Math.imul(ipSaddr(buf, ip) ^ 0x9e3779b9, 0x85ebca6b);
  h = Math.imul(h ^ ipDaddr(buf, ip) ^ (h >>> 15), 0xc2b2ae35);
  h = Math.imul(h ^ ports ^ proto ^ (h >>> 13), 0x27d4eb2f);
  return EPHEMERAL_MIN + ((h >>> 4) % (EPHEMERAL_MAX - EPHEMERAL_MIN + 1));
}
