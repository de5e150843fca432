/**
 * Frames by grammar: valid packets of every kind that the hooks know, then nearly valid ones, with one or a few fields
 * wrong (mutate.ts), cut at every byte, or with random bytes changed.
 */
import type { Rng } from "../../sim/types.ts";
import { rd16, rd32, wr16, wr32 } from "../../wire/bytes.ts";
import { csumFold, csumPartial, csumPseudo } from "../../wire/checksum.ts";
import { ETH_HLEN } from "../../wire/ethernet.ts";
import { GUE_DATA_HLEN, GUE_PING_LEN } from "../../wire/gue.ts";
import { IPPROTO_TCP, IPPROTO_UDP } from "../../wire/ipv4.ts";
import { type Endpoint, pick, type Service, type TableState } from "./state.ts";
import { ADDRESSES, IF_PLAIN, PORTS } from "./universe.ts";

/** Where the headers of the frame under construction stand; 0 = there is none. */
export interface Offsets {
  ip: number;
  l4: number;
  gue: number;
  inner: number;
  innerL4: number;
}

const FRAME_SIZE = 4096;
/** The longest frame that is made: below what BPF_PROG_TEST_RUN takes. */
export const FRAME_MAX = 3400;

export class FrameMaker {
  readonly buf = new Uint8Array(FRAME_SIZE);
  readonly at: Offsets = { ip: 0, l4: 0, gue: 0, inner: 0, innerL4: 0 };
  len = 0;
  ifindex = 0;
  gsoSize = 0;
  /** The MTU of the interface, which lengths like to be close to. */
  mtu = 0;
  private rng!: Rng;
  private state!: TableState;

  /** A valid packet for the hook; `mutate` may follow. */
  make(rng: Rng, state: TableState, ingress: boolean): void {
    this.rng = rng;
    this.state = state;
    this.at.ip = this.at.l4 = this.at.gue = this.at.inner = this.at.innerL4 = 0;
    const i = rng.below(state.ifindexes.length);
    this.ifindex = rng.below(40) === 0 ? IF_PLAIN : state.ifindexes[i];
    this.mtu = state.mtus[i];
    this.gsoSize = 0;
    const kind = rng.below(100);
    this.ethernet();
    if (kind < 8) this.noise();
    else if (ingress) this.ingress(kind);
    else this.egress(kind);
    if (rng.below(25) === 0) this.gsoSize = this.gso();
    if (rng.below(10) === 0) this.trailer();
  }

  private ingress(kind: number): void {
    const { rng, state } = this;
    if (kind < 40) this.tunnelled(pick(rng, state.services));
    else if (kind < 55) this.ping(pick(rng, state.services));
    else if (kind < 85)
      this.end(this.packet(ETH_HLEN, pick(rng, state.clients), pick(rng, state.proxies), this.proto()));
    else this.end(this.packet(ETH_HLEN, this.any(), this.any(), this.proto()));
  }

  private egress(kind: number): void {
    const { rng, state } = this;
    if (kind < 50) this.end(this.packet(ETH_HLEN, pick(rng, state.clients), pick(rng, state.backends), this.proto()));
    else if (kind < 88)
      this.end(this.packet(ETH_HLEN, pick(rng, state.backends), pick(rng, state.clients), this.proto()));
    else this.end(this.packet(ETH_HLEN, this.any(), this.any(), this.proto()));
  }

  /** Any endpoint, of the state or not. */
  private any(): Endpoint {
    const { rng, state } = this;
    const pools = [state.clients, state.proxies, state.backends, state.locals, state.remotes];
    return rng.below(3) === 0 ? { ip: pick(rng, ADDRESSES), port: pick(rng, PORTS) } : pick(rng, pick(rng, pools));
  }

  private proto(): number {
    return this.rng.below(2) === 0 ? IPPROTO_TCP : IPPROTO_UDP;
  }

  private ethernet(): void {
    const b = this.buf;
    wr32(b, 0, 0x02000000);
    wr32(b, 4, this.rng.u32() & 0xffff02ff);
    wr32(b, 8, this.rng.u32());
    wr16(b, 12, 0x0800);
  }

  /** A frame of random bytes behind a random or a true EtherType. */
  private noise(): void {
    const { rng, buf } = this;
    if (rng.below(2) === 0) wr16(buf, 12, pick(rng, ETHER_TYPES));
    this.len = ETH_HLEN + 20 + rng.below(120);
    for (let i = ETH_HLEN; i < this.len; i += 4) wr32(buf, i, rng.u32());
    if (rng.below(2) === 0) buf[ETH_HLEN] = 0x45;
    if (rng.below(2) === 0) wr16(buf, ETH_HLEN + 2, this.len - ETH_HLEN);
    if (rng.below(2) === 0) wr16(buf, ETH_HLEN + 6, 0);
    if (rng.below(2) === 0) buf[ETH_HLEN + 9] = rng.below(2) === 0 ? IPPROTO_TCP : IPPROTO_UDP;
    this.at.ip = ETH_HLEN;
    this.at.l4 = ETH_HLEN + 20;
  }

  /** A packet of TCP or UDP at `ip`; gives its total length. */
  private packet(ip: number, src: Endpoint, dst: Endpoint, proto: number): number {
    const { rng, buf } = this;
    const hlen = this.ipv4Header(ip, src.ip, dst.ip, proto);
    const l4 = ip + hlen;
    if (ip === ETH_HLEN) {
      this.at.ip = ip;
      this.at.l4 = l4;
    } else {
      this.at.inner = ip;
      this.at.innerL4 = l4;
    }
    const l4Len =
      proto === IPPROTO_TCP ? this.tcp(l4, src.port, dst.port, hlen) : this.udp(l4, src.port, dst.port, hlen);
    wr16(buf, ip + 2, hlen + l4Len);
    this.l4Checksum(ip, l4, l4Len, proto, rng.below(12));
    this.ipChecksum(ip, hlen);
    return hlen + l4Len;
  }

  /** Everything of an IPv4 header but its length and checksum; gives the header's length. */
  private ipv4Header(ip: number, saddr: number, daddr: number, proto: number): number {
    const { rng, buf } = this;
    const words = rng.below(6) === 0 ? 6 + rng.below(10) : 5;
    buf[ip] = 0x40 | words;
    buf[ip + 1] = rng.below(8) === 0 ? rng.u32() : 0;
    wr16(buf, ip + 4, rng.u32());
    wr16(buf, ip + 6, FRAG_WORDS[rng.below(FRAG_WORDS.length)]);
    buf[ip + 8] = rng.below(8) === 0 ? rng.u32() : 64;
    buf[ip + 9] = proto;
    wr32(buf, ip + 12, saddr);
    wr32(buf, ip + 16, daddr);
    for (let i = 20; i < words * 4; i += 4) wr32(buf, ip + i, rng.u32());
    return words * 4;
  }

  private tcp(l4: number, sport: number, dport: number, ipHlen: number): number {
    const { rng, buf } = this;
    const syn = rng.below(5) < 2;
    const optWords = syn ? rng.below(11) : rng.below(4) === 0 ? 3 : 0;
    const hlen = 20 + optWords * 4;
    wr16(buf, l4, sport);
    wr16(buf, l4 + 2, dport);
    wr32(buf, l4 + 4, rng.u32());
    wr32(buf, l4 + 8, rng.u32());
    buf[l4 + 12] = (hlen / 4) << 4;
    buf[l4 + 13] = syn ? (rng.below(2) === 0 ? 0x02 : 0x12) : 0x10 | (rng.u32() & 0x09);
    wr16(buf, l4 + 14, rng.u32());
    wr16(buf, l4 + 18, 0);
    this.tcpOptions(l4 + 20, optWords * 4);
    // Sometimes the data offset promises more or less than there is.
    if (rng.below(12) === 0) buf[l4 + 12] = rng.below(16) << 4;
    return hlen + this.payload(l4 + hlen, ipHlen + hlen);
  }

  /** Options in any order, at any alignment, well-formed for the most part. */
  private tcpOptions(off: number, len: number): void {
    const { rng, buf } = this;
    let o = off;
    const end = off + len;
    while (o < end) {
      const kind = rng.below(16);
      const left = end - o;
      if (kind < 6 && left >= 4) {
        buf[o] = 2;
        buf[o + 1] = rng.below(10) === 0 ? rng.below(8) : 4;
        const near = (this.mtu - 92 + rng.below(3) - 1) & 0xffff;
        wr16(buf, o + 2, rng.below(2) === 0 ? near : rng.u32());
        o += 4;
      } else if (kind < 10) buf[o++] = 1;
      else if (kind < 11) buf[o++] = 0;
      else if (kind < 14 && left >= 2) {
        const size = Math.min(pick(rng, OPTION_SIZES), left);
        buf[o] = 3 + rng.below(6);
        buf[o + 1] = size;
        for (let i = 2; i < size; i++) buf[o + i] = rng.u32();
        o += size;
      } else buf[o++] = rng.u32();
    }
  }

  private udp(l4: number, sport: number, dport: number, ipHlen: number): number {
    const { buf } = this;
    const len = 8 + this.payload(l4 + 8, ipHlen + 8);
    wr16(buf, l4, sport);
    wr16(buf, l4 + 2, dport);
    // Sometimes the datagram ends before the packet does.
    wr16(buf, l4 + 4, this.rng.below(16) === 0 ? 8 + this.rng.below(len - 7) : len);
    return len;
  }

  /** Payload of some length: mostly short, sometimes such that the packet just fits the MTU or just does not. */
  private payload(off: number, headers: number): number {
    const { rng, buf, mtu } = this;
    const how = rng.below(16);
    const fit = mtu - 52 - headers + rng.below(3) - 1;
    const long = how < 4 && fit >= 0 && (fit < 400 || how === 0) && fit + off < FRAME_MAX;
    const len = long ? fit : how < 7 ? 0 : rng.below(48);
    for (let i = 0; i < len; i += 4) wr32(buf, off + i, rng.u32());
    return len;
  }

  /** A data packet of the service, to one of the tunnel's own endpoints. */
  private tunnelled(s: Service): void {
    const { rng, state } = this;
    const src = pick(rng, state.remotes);
    const dst = pick(rng, state.locals);
    const hlen = this.ipv4Header(ETH_HLEN, src.ip, dst.ip, IPPROTO_UDP);
    const udp = ETH_HLEN + hlen;
    const gue = udp + 8;
    const plain = rng.below(16) === 0;
    const inner = gue + (plain ? 4 : GUE_DATA_HLEN);
    this.gueHeader(gue, s, plain ? 0x00 : 0x05, 4);
    if (plain) wr16(this.buf, gue + 2, 0);
    const innerLen = this.packet(inner, pick(rng, state.clients), pick(rng, state.backends), this.proto());
    this.outer(hlen, gue, inner + innerLen + (rng.below(16) === 0 ? rng.below(8) : 0), src, dst);
  }

  private ping(s: Service): void {
    const { rng, state } = this;
    const src = pick(rng, state.remotes);
    const dst = pick(rng, state.locals);
    const hlen = this.ipv4Header(ETH_HLEN, src.ip, dst.ip, IPPROTO_UDP);
    const gue = ETH_HLEN + hlen + 8;
    const old = rng.below(3) === 0;
    this.gueHeader(gue, s, old ? 0x25 : 0x26, 1);
    const other = rng.below(12) === 0 ? rng.below(4) : s.tunnel;
    wr32(this.buf, gue + GUE_DATA_HLEN, other);
    const len = old ? GUE_DATA_HLEN : GUE_PING_LEN;
    this.outer(hlen, gue, gue + len + (rng.below(8) === 0 ? rng.below(12) : 0), src, dst);
  }

  private gueHeader(gue: number, s: Service, first: number, proto: number): void {
    const b = this.buf;
    b[gue] = first;
    b[gue + 1] = proto;
    wr16(b, gue + 2, 0xa000);
    wr16(b, gue + 4, s.group);
    wr16(b, gue + 6, s.service);
    for (let i = 0; i < 16; i++) b[gue + 8 + i] = s.key[i];
  }

  /** UDP header and lengths of a datagram that ends at `end`. */
  private outer(hlen: number, gue: number, end: number, src: Endpoint, dst: Endpoint): void {
    const b = this.buf;
    const udp = gue - 8;
    wr16(b, udp, src.port);
    wr16(b, udp + 2, dst.port);
    wr16(b, udp + 4, end - udp);
    wr16(b, udp + 6, 0);
    wr16(b, ETH_HLEN + 2, end - ETH_HLEN);
    this.ipChecksum(ETH_HLEN, hlen);
    this.at.ip = ETH_HLEN;
    this.at.l4 = udp;
    this.at.gue = gue;
    this.len = end;
  }

  private end(totLen: number): void {
    this.len = ETH_HLEN + totLen;
  }

  private trailer(): void {
    const n = 1 + this.rng.below(20);
    for (let i = 0; i < n; i++) this.buf[this.len + i] = this.rng.u32();
    this.len += n;
  }

  /** A segment size: near what the MTU allows, or anything. */
  private gso(): number {
    const near = this.mtu - 52 - (this.at.l4 - this.at.ip) - 20 + this.rng.below(3) - 1;
    return this.rng.below(2) === 0 && near > 0 && near < 0x10000 ? near : 1 + this.rng.below(0xffff);
  }

  private ipChecksum(ip: number, hlen: number): void {
    const { rng, buf } = this;
    wr16(buf, ip + 10, 0);
    const check = ~csumFold(csumPartial(buf, ip, hlen)) & 0xffff;
    wr16(buf, ip + 10, rng.below(20) === 0 ? pick(rng, CHECKS) : check);
  }

  /** Mostly right; else one of the values that arithmetic stumbles over. */
  private l4Checksum(ip: number, l4: number, len: number, proto: number, how: number): void {
    const { rng, buf } = this;
    const off = l4 + (proto === IPPROTO_TCP ? 16 : 6);
    wr16(buf, off, 0);
    if (how < 3) {
      wr16(buf, off, how < 2 ? pick(rng, CHECKS) : rng.u32());
      return;
    }
    const pseudo = csumPseudo(rd32(buf, ip + 12), rd32(buf, ip + 16), proto, len);
    const check = ~csumFold(csumPartial(buf, l4, len, pseudo)) & 0xffff;
    wr16(buf, off, check === 0 && proto === IPPROTO_UDP ? 0xffff : check);
  }

  /**
   * Sets the L4 checksum so that a rewrite of one address and port gives 0: the case of RFC 768's rule. `from` and `to` are
   * sums of the words before and after.
   */
  aimAtZero(from: number, to: number): void {
    const b = this.buf;
    if (this.at.l4 === 0) return;
    const off = this.at.l4 + (b[this.at.ip + 9] === IPPROTO_TCP ? 16 : 6);
    // HC' = ~(~HC + ~m + m') is 0 when ~HC + ~m + m' is 0xffff, that is 0 modulo 0xffff.
    const check = csumFold(to + (0xffff * 8 - from));
    if (off + 2 <= this.len) wr16(b, off, check === 0 ? 0xffff : check);
  }

  /** Sum of the address and port words at the destination, or the source, of the outer packet. */
  endpointSum(dest: boolean): number {
    const ip = this.at.ip + (dest ? 16 : 12);
    return rd16(this.buf, ip) + rd16(this.buf, ip + 2) + rd16(this.buf, this.at.l4 + (dest ? 2 : 0));
  }
}

const FRAG_WORDS = [0, 0, 0, 0x4000, 0x4000, 0x4000, 0x8000, 0xc000];
const CHECKS = [0, 0xffff, 1, 0xfffe];
const OPTION_SIZES = [2, 3, 3, 10, 10, 18, 4];
const ETHER_TYPES = [0x0806, 0x8100, 0x88a8, 0x86dd, 0x0801, 0x0000, 0x0600, 0x8847];
