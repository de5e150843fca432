/**
 * ICMP of a host (RFC 792, RFC 1122 section 3.2.2, RFC 1812 section 4.3; net/ipv4/icmp.c): answers echo requests, sends
 * errors without a rate limit, and tells protocols about errors that quote a packet of theirs.
 */
import type { Skb } from "../dataplane/skb.ts";
import { copyBytes, rd16, wr16, wr32 } from "../wire/bytes.ts";
import { csumFold, csumPartial, csumReplace16 } from "../wire/checksum.ts";
import { ETH_HLEN } from "../wire/ethernet.ts";
import {
  ICMP_CHECK,
  ICMP_DEST_UNREACH,
  ICMP_ECHO,
  ICMP_ECHOREPLY,
  ICMP_FRAG_NEEDED,
  ICMP_HLEN,
  ICMP_MTU,
  icmpCheck,
  icmpCode,
  icmpId,
  icmpIsError,
  icmpMtu,
  icmpSendCheck,
  icmpSeq,
  icmpType,
} from "../wire/icmp.ts";
import {
  IP_OFFMASK,
  IPPROTO_ICMP,
  IPV4_HLEN,
  ipDaddr,
  ipFragOff,
  ipHlen,
  ipProto,
  ipSaddr,
  ipTotLen,
} from "../wire/ipv4.ts";
import type { DropSite, SimEnv } from "./env.ts";
import type { IcmpErrors, IpStack } from "./ip.ts";
import type { NetDevice } from "./nic.ts";
import { RTN_LOCAL } from "./route.ts";
import { L4_OFFSET, type ProtocolHandler } from "./types.ts";

/** Bytes of the packet that an error quotes: all of it, as long as the error fits 576 bytes (RFC 1812 4.3.2.3). */
const QUOTE_MAX = 576 - IPV4_HLEN - ICMP_HLEN;
/** Precedence "internetwork control" (RFC 1812 4.3.2.5). */
const TOS_ERROR = 0xc0;

/** Who waits for the answers to an echo request. */
export interface EchoListener {
  reply(seq: number, saddr: number, payloadLen: number, ttl: number): void;
  /** An error quotes our request. */
  error(seq: number, type: number, code: number, mtu: number, from: number): void;
}

export class IcmpLayer implements ProtocolHandler, IcmpErrors {
  /** Messages in, errors sent. */
  received = 0;
  errorsSent = 0;

  private readonly env: SimEnv;
  private readonly site: DropSite;
  private readonly ip: IpStack;
  private readonly listeners = new Map<number, EchoListener>();
  /** Sender of the error under way. */
  private errorFrom = 0;

  constructor(env: SimEnv, site: DropSite, ip: IpStack) {
    this.env = env;
    this.site = site;
    this.ip = ip;
    ip.register(IPPROTO_ICMP, this);
    ip.icmp = this;
  }

  /** Takes a free echo identifier, for `cancel` to give back. */
  listen(listener: EchoListener): number {
    let id = this.ip.rng.below(0x10000);
    while (this.listeners.has(id)) id = (id + 1) & 0xffff;
    this.listeners.set(id, listener);
    return id;
  }

  cancel(id: number): void {
    this.listeners.delete(id);
  }

  /** Sends an echo request with `payloadLen` bytes of payload. False: no route, or too big for DF. */
  sendEcho(saddr: number, daddr: number, id: number, seq: number, payloadLen: number, df: boolean): boolean {
    const skb = this.ip.allocate(ICMP_HLEN + payloadLen);
    const off = skb.head + L4_OFFSET;
    wr16(skb.buf, off, ICMP_ECHO << 8);
    wr16(skb.buf, off + 4, id);
    wr16(skb.buf, off + 6, seq);
    for (let i = 0; i < payloadLen; i++) skb.buf[off + ICMP_HLEN + i] = i;
    icmpSendCheck(skb.buf, off, ICMP_HLEN + payloadLen);
    return this.ip.output(skb, saddr, daddr, IPPROTO_ICMP, df);
  }

  input(skb: Skb, ip: number, off: number, end: number): void {
    const { buf } = skb;
    if (!icmpCheck(buf, off, end)) {
      this.bad("truncated ICMP message", skb);
      return;
    }
    if (csumFold(csumPartial(buf, off, end - off)) !== 0xffff) {
      this.bad("wrong ICMP checksum", skb);
      return;
    }
    this.received++;
    const type = icmpType(buf, off);
    if (type === ICMP_ECHO) this.answer(skb, ip, off, end);
    else if (type === ICMP_ECHOREPLY) {
      this.listeners
        .get(icmpId(buf, off))
        ?.reply(icmpSeq(buf, off), ipSaddr(buf, ip), end - off - ICMP_HLEN, buf[ip + 8]);
    } else if (icmpIsError(type)) this.inputError(skb, ip, off, end);
  }

  /** An error about an echo request. */
  icmpError(type: number, code: number, mtu: number, buf: Uint8Array, _ip: number, off: number): void {
    if (icmpType(buf, off) !== ICMP_ECHO) return;
    this.listeners.get(icmpId(buf, off))?.error(icmpSeq(buf, off), type, code, mtu, this.errorFrom);
  }

  sendError(type: number, code: number, mtu: number, skb: Skb, inDev: NetDevice | undefined): void {
    const { buf } = skb;
    const ip = skb.head + ETH_HLEN;
    if (!this.mayAnswer(skb, ip, inDev)) return;
    const saddr = ipSaddr(buf, ip);
    const daddr = ipDaddr(buf, ip);
    const quote = Math.min(ipTotLen(buf, ip), QUOTE_MAX, skb.end - ip);
    const err = this.ip.allocate(ICMP_HLEN + quote);
    const off = err.head + L4_OFFSET;
    wr16(err.buf, off, (type << 8) | code);
    wr32(err.buf, off + 4, 0);
    if (type === ICMP_DEST_UNREACH && code === ICMP_FRAG_NEEDED) wr16(err.buf, off + ICMP_MTU, mtu);
    copyBytes(err.buf, off + ICMP_HLEN, buf, ip, quote);
    icmpSendCheck(err.buf, off, ICMP_HLEN + quote);
    this.errorsSent++;
    this.ip.output(err, this.ip.isLocal(daddr) ? daddr : 0, saddr, IPPROTO_ICMP, false, TOS_ERROR);
  }

  /** RFC 1122 3.2.2: no error about an error, a later fragment, or a packet without one plain sender and receiver. */
  private mayAnswer(skb: Skb, ip: number, inDev: NetDevice | undefined): boolean {
    const { buf } = skb;
    if ((ipFragOff(buf, ip) & IP_OFFMASK) !== 0) return false;
    // A frame to a group address; a frame that never was on a wire has no MAC addresses yet.
    if (inDev?.isEthernet && (buf[skb.head] & 1) !== 0) return false;
    const saddr = ipSaddr(buf, ip);
    const daddr = ipDaddr(buf, ip);
    if (saddr === 0 || saddr >>> 28 >= 14 || daddr >>> 28 >= 14) return false;
    if (ipProto(buf, ip) === IPPROTO_ICMP) {
      const off = ip + ipHlen(buf, ip);
      if (off >= skb.end || icmpIsError(buf[off])) return false;
    }
    return true;
  }

  private answer(skb: Skb, ip: number, off: number, end: number): void {
    const { buf } = skb;
    const daddr = ipDaddr(buf, ip);
    // Echo requests to a broadcast address are not answered (icmp_echo_ignore_broadcasts).
    if (this.ip.routes.lookup(daddr).type !== RTN_LOCAL) return;
    const len = end - off;
    const reply = this.ip.allocate(len);
    const to = reply.head + L4_OFFSET;
    copyBytes(reply.buf, to, buf, off, len);
    reply.buf[to] = ICMP_ECHOREPLY;
    wr16(reply.buf, to + ICMP_CHECK, csumReplace16(rd16(buf, off + ICMP_CHECK), ICMP_ECHO << 8, ICMP_ECHOREPLY << 8));
    this.ip.output(reply, daddr, ipSaddr(buf, ip), IPPROTO_ICMP, false, buf[ip + 1]);
  }

  private inputError(skb: Skb, ip: number, off: number, end: number): void {
    const { buf } = skb;
    const quoted = off + ICMP_HLEN;
    if (end - quoted < IPV4_HLEN || buf[quoted] >>> 4 !== 4) {
      this.bad("the ICMP error quotes no packet", skb);
      return;
    }
    const hlen = ipHlen(buf, quoted);
    const l4 = quoted + hlen;
    if (hlen < IPV4_HLEN || l4 + 8 > end) {
      this.bad("the ICMP error quotes too little", skb);
      return;
    }
    if (!this.ip.isLocal(ipSaddr(buf, quoted))) {
      this.bad("the ICMP error quotes another's packet", skb);
      return;
    }
    const type = icmpType(buf, off);
    const code = icmpCode(buf, off);
    let mtu = 0;
    if (type === ICMP_DEST_UNREACH && code === ICMP_FRAG_NEEDED) {
      const told = icmpMtu(buf, off);
      this.ip.routes.updatePmtu(ipDaddr(buf, quoted), told, ipTotLen(buf, quoted), this.env.clock.now);
      mtu = this.ip.pathMtu(ipDaddr(buf, quoted));
    }
    this.errorFrom = ipSaddr(buf, ip);
    this.ip.handler(ipProto(buf, quoted))?.icmpError(type, code, mtu, buf, quoted, l4, end);
  }

  private bad(reason: string, skb: Skb): void {
    this.env.tap?.onDrop("icmp", reason, this.site, skb);
  }
}
