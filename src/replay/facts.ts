/** What filters ask of a frame, found once for each and kept in columns: protocols, addresses, ports, the GUE identifier. */
import { looksLikeGue } from "../wire/dissect-l4.ts";
import type { Dissection } from "../wire/dissect-types.ts";
import { ETH_HLEN, ETH_P_ARP, ETH_P_IP, ethType } from "../wire/ethernet.ts";
import {
  GUE_BASE_HLEN,
  GUE_HLEN_DATA,
  GUE_HLEN_PING,
  GUE_PROTO_IPV4,
  gueCheck,
  gueDefaultTunnelId,
  gueGroup,
  gueHlen,
  gueIsControl,
  gueProto,
  gueService,
  gueTunnelId,
} from "../wire/gue.ts";
import {
  IP_OFFMASK,
  IPPROTO_ICMP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPV4_HLEN,
  ipDaddr,
  ipFragOff,
  ipHlen,
  ipIsFragment,
  ipProto,
  ipSaddr,
  ipTotLen,
  ipVersion,
} from "../wire/ipv4.ts";
import { udpDport, udpSport } from "../wire/udp.ts";
import type { BytesStore } from "./bytes-store.ts";

/** Bits of `protos`; a tunnelled packet has those of all its layers. */
export const PROTO_BITS: Readonly<Record<string, number>> = {
  arp: 1,
  ip: 2,
  icmp: 4,
  udp: 8,
  tcp: 16,
  gue: 32,
  ping: 64,
  fragment: 128,
};
const KNOWN = 1 << 15;
const NO_PORTS: ReadonlySet<number> = new Set();

export class Facts {
  private readonly frames: BytesStore;
  private readonly protos: Uint16Array;
  /** Source and destination as signed words, outer and inner, four to a frame; ports alike. */
  private readonly addrs: Int32Array;
  private readonly ports: Uint16Array;
  private readonly ids: Int32Array;
  private readonly tunnels: Float64Array;

  /** The store must not grow any more. */
  constructor(frames: BytesStore) {
    this.frames = frames;
    const n = frames.count;
    this.protos = new Uint16Array(n);
    this.addrs = new Int32Array(n * 4);
    this.ports = new Uint16Array(n * 4);
    this.ids = new Int32Array(n).fill(-1);
    this.tunnels = new Float64Array(n).fill(-1);
  }

  /** PROTO_BITS of a frame. */
  protosOf(frame: number): number {
    if (this.protos[frame] === 0) this.read(frame);
    return this.protos[frame];
  }

  /** Address 0 to 3: outer source and destination, inner source and destination; host order, 0 where there is none. */
  addr(frame: number, i: number): number {
    this.protosOf(frame);
    return this.addrs[frame * 4 + i] >>> 0;
  }

  port(frame: number, i: number): number {
    this.protosOf(frame);
    return this.ports[frame * 4 + i];
  }

  /** Group and service of the GUE header; -1 where there is none. */
  group(frame: number): number {
    const gue = (this.protosOf(frame) & PROTO_BITS.gue) !== 0 && this.tunnels[frame] >= 0;
    return gue ? this.ids[frame] >>> 16 : -1;
  }

  service(frame: number): number {
    const gue = (this.protosOf(frame) & PROTO_BITS.gue) !== 0 && this.tunnels[frame] >= 0;
    return gue ? this.ids[frame] & 0xffff : -1;
  }

  /** The tunnel that a GUE header names, by itself or by group and service; -1 where there is none. */
  tunnel(frame: number): number {
    this.protosOf(frame);
    return this.tunnels[frame];
  }

  private read(frame: number): void {
    this.protos[frame] = KNOWN;
    const b = this.frames.get(frame);
    if (b.length < ETH_HLEN) return;
    const type = ethType(b, 0);
    if (type === ETH_P_ARP) this.protos[frame] |= PROTO_BITS.arp;
    else if (type === ETH_P_IP) this.readIp(frame, b, ETH_HLEN, b.length, 0);
  }

  private readIp(frame: number, b: Uint8Array, off: number, end: number, level: number): void {
    if (end - off < IPV4_HLEN || ipVersion(b, off) !== 4) return;
    const hlen = ipHlen(b, off);
    const stop = Math.min(end, off + ipTotLen(b, off));
    const proto = ipProto(b, off);
    this.protos[frame] |= PROTO_BITS.ip;
    const at = frame * 4 + level;
    this.addrs[at] = ipSaddr(b, off);
    this.addrs[at + 1] = ipDaddr(b, off);
    if (ipIsFragment(b, off)) this.protos[frame] |= PROTO_BITS.fragment;
    if (proto === IPPROTO_ICMP) this.protos[frame] |= PROTO_BITS.icmp;
    const l4 = off + hlen;
    if ((proto !== IPPROTO_TCP && proto !== IPPROTO_UDP) || hlen < IPV4_HLEN) return;
    this.protos[frame] |= proto === IPPROTO_TCP ? PROTO_BITS.tcp : PROTO_BITS.udp;
    if (stop - l4 < 8 || (ipFragOff(b, off) & IP_OFFMASK) !== 0) return;
    this.ports[at] = udpSport(b, l4);
    this.ports[at + 1] = udpDport(b, l4);
    const d: Dissection = { b, tunnelPorts: NO_PORTS };
    if (proto === IPPROTO_UDP && level === 0 && looksLikeGue(d, l4, stop)) this.readGue(frame, b, l4 + 8, stop);
  }

  private readGue(frame: number, b: Uint8Array, off: number, end: number): void {
    this.protos[frame] |= PROTO_BITS.gue;
    if (!gueCheck(b, off, end)) return;
    const hlen = gueHlen(b, off);
    const control = gueIsControl(b, off);
    if (control) this.protos[frame] |= PROTO_BITS.ping;
    if (hlen >= GUE_HLEN_DATA) {
      const [group, service] = [gueGroup(b, off), gueService(b, off)];
      this.ids[frame] = (group << 16) | service;
      const named = control && hlen >= GUE_HLEN_PING;
      this.tunnels[frame] = named ? gueTunnelId(b, off) : gueDefaultTunnelId(group, service);
    }
    if (!control && gueProto(b, off) === GUE_PROTO_IPV4) this.readIp(frame, b, off + GUE_BASE_HLEN + hlen * 4, end, 2);
  }
}
