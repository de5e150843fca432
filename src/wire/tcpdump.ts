/**
 * Prints packets as `tcpdump -nvvvXXes 0` does (format of tcpdump 4.99): times, MACs, IPv4 with all its fields, ARP, ICMP,
 * UDP, TCP with relative sequence numbers, and the dump. Payloads are not decoded. Pure: one printer per capture.
 */
import { arpCheck, arpOper, arpSha, arpSpa, arpTha, arpTpa } from "./arp.ts";
import { rd16, rd32 } from "./bytes.ts";
import { csumFold, csumPartial, csumPseudo } from "./checksum.ts";
import { ETH_HLEN, ETH_P_ARP, ETH_P_IP, ethDst, ethSrc, ethType, formatMac } from "./ethernet.ts";
import { ascii, hexdump } from "./hexdump.ts";
import {
  formatIpv4,
  IP_DF,
  IP_MF,
  IP_OFFMASK,
  IP_RF,
  IPV4_HLEN,
  ipDaddr,
  ipFragOff,
  ipHlen,
  ipId,
  ipProto,
  ipSaddr,
  ipTos,
  ipTotLen,
  ipTtl,
  ipVersion,
} from "./ipv4.ts";
import { isVlanType } from "./repr-link.ts";
import { TCP_ACK, TCP_FIN, TCP_HLEN, TCP_RST, TCP_SYN, tcpAckno, tcpFlags, tcpHlen, tcpSeq, tcpWindow } from "./tcp.ts";
import { icmpText } from "./tcpdump-icmp.ts";
import { ipOptionsText, tcpOptionsText } from "./tcpdump-options.ts";
import { UDP_HLEN, udpChecksum, udpLength } from "./udp.ts";

const IP_PROTOS: Record<number, string> = {
  1: "ICMP",
  2: "IGMP",
  4: "IPIP",
  6: "TCP",
  17: "UDP",
  47: "GRE",
  50: "ESP",
  132: "SCTP",
};
const ETHER_TYPES: Record<number, string> = {
  2048: "IPv4",
  2054: "ARP",
  33024: "802.1Q",
  34525: "IPv6",
  34984: "802.1Q-QinQ",
};
const hex = (v: number): string => `0x${v.toString(16)}`;

/** `HH:MM:SS.uuuuuu` of a time in ns since midnight; days are left out, as tcpdump does. */
export function tcpdumpTime(ns: number): string {
  const us = Math.floor(ns / 1000);
  const s = Math.floor(us / 1e6) % 86_400;
  const two = (v: number): string => String(v).padStart(2, "0");
  return `${two(Math.floor(s / 3600))}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}.${String(us % 1e6).padStart(6, "0")}`;
}

/** Prints one capture; it remembers TCP connections, whose sequence numbers are then relative. */
export class TcpdumpPrinter {
  private readonly dump: boolean;
  /** First sequence numbers by connection, from the side that was seen first. */
  private readonly flows = new Map<string, { seq: number; ack: number }>();

  /** `dump: false` leaves the hex dump out (`tcpdump -nvvves 0`). */
  constructor(options: { dump?: boolean } = {}) {
    this.dump = options.dump ?? true;
  }

  /** The lines of one frame; `timeNs` counts from midnight (virtual time starts there). */
  print(timeNs: number, frame: Uint8Array): string {
    const lines = `${tcpdumpTime(timeNs)} ${this.ethernet(frame)}`.split("\n");
    return (this.dump ? [...lines, ...hexdump(frame)] : lines).join("\n");
  }

  private ethernet(b: Uint8Array): string {
    if (b.length < ETH_HLEN) return " [|ether]";
    const type = ethType(b, 0);
    const name = (t: number): string =>
      ETHER_TYPES[t] ? `${ETHER_TYPES[t]} (0x${pad4(t)})` : `Unknown (0x${pad4(t)})`;
    const head = `${formatMac(ethSrc(b, 0))} > ${formatMac(ethDst(b, 0))}, ethertype ${name(type)}, length ${b.length}: `;
    let [at, inner, tags] = [ETH_HLEN, type, ""];
    while (isVlanType(inner)) {
      if (b.length - at < 4) return `${head}${tags}[|vlan]`;
      const tci = rd16(b, at);
      inner = rd16(b, at + 2);
      const dei = tci & 0x1000 ? ", DEI" : "";
      tags += `vlan ${tci & 0xfff}, p ${tci >>> 13}${dei}, ethertype ${name(inner)}, `;
      at += 4;
    }
    if (inner === ETH_P_IP) return `${head}${tags}${this.ip(b, at, b.length)}`;
    if (inner === ETH_P_ARP) return `${head}${tags}${arpText(b, at)}`;
    return `${head}${tags}`;
  }

  private ip(b: Uint8Array, off: number, end: number, quoted = false): string {
    if (end - off < IPV4_HLEN) return " [|ip]";
    if (ipVersion(b, off) !== 4) return `IP${ipVersion(b, off)}, wrong link-layer encapsulation (invalid)`;
    const hlen = ipHlen(b, off);
    if (hlen < IPV4_HLEN) return `bad-hlen ${hlen}`;
    const tot = ipTotLen(b, off);
    if (tot < hlen) return `bad-len ${tot}`;
    const frag = ipFragOff(b, off);
    const flags = [frag & IP_MF && "+", frag & IP_DF && "DF", frag & IP_RF && "rsvd"].filter(Boolean);
    const proto = ipProto(b, off);
    const name = IP_PROTOS[proto] ? `${IP_PROTOS[proto]} (${proto})` : `unknown (${proto})`;
    const tos = ipTos(b, off);
    const ecn = ["", ",ECT(1)", ",ECT(0)", ",CE"][tos & 3];
    const missing = quoted ? 0 : off + tot - end;
    let text = missing > 0 ? `truncated-ip - ${missing} bytes missing! ` : "";
    text += `(tos ${hex(tos)}${ecn}, ttl ${ipTtl(b, off)}, id ${ipId(b, off)}, offset ${(frag & IP_OFFMASK) * 8}, `;
    text += `flags [${flags.join(", ") || "none"}], proto ${name}, length ${tot}`;
    if (hlen > IPV4_HLEN) text += `, options (${ipOptionsText(b, off + IPV4_HLEN, Math.min(off + hlen, end))})`;
    if (off + hlen <= end) {
      const sum = csumFold(csumPartial(b, off, hlen));
      if (sum !== 0xffff) {
        const [check, should] = [rd16(b, off + 10), correct(b, off, hlen, rd16(b, off + 10))];
        text += `, bad cksum ${check.toString(16)} (->${should.toString(16)})!`;
      }
    }
    text += ")\n    ";
    const len = tot - hlen;
    const [src, dst] = [formatIpv4(ipSaddr(b, off)), formatIpv4(ipDaddr(b, off))];
    if (frag & IP_OFFMASK) return `${text}${src} > ${dst}: ip-proto-${proto}`;
    const ports = proto === 6 || proto === 17;
    const l4 = off + hlen;
    const captured = Math.min(end, l4 + len);
    if (!ports) return `${text}${src} > ${dst}: ${this.other(b, proto, l4, captured)}`;
    if (captured - l4 < 4) return `${text}${src} > ${dst}: ${proto === 6 ? "[|tcp]" : " [|udp]"}`;
    const pair = `${src}.${rd16(b, l4)} > ${dst}.${rd16(b, l4 + 2)}: `;
    if (proto === 6) return text + pair + this.tcp(b, off, l4, captured, len);
    return text + pair + udpText(b, off, l4, captured, len, (frag & IP_MF) !== 0);
  }

  private other(b: Uint8Array, proto: number, off: number, end: number): string {
    if (proto === 1) return icmpText(b, off, end, (at, stop) => this.ip(b, at, stop, true));
    if (proto === 4) return this.ip(b, off, end);
    return ` ${protoName(proto)} ${end - off}`;
  }

  /** `captured` ends the bytes there are, `total` is the segment's length by its IP header. */
  private tcp(b: Uint8Array, ipOff: number, off: number, captured: number, total: number): string {
    if (captured - off < TCP_HLEN) return " [|tcp]";
    const hlen = tcpHlen(b, off);
    if (hlen < TCP_HLEN) return `[bad hdr length ${hlen} - too short, < ${TCP_HLEN}]`;
    if (hlen > total) return `[bad hdr length ${hlen} - too long, > ${total}]`;
    const flags = tcpFlags(b, off);
    const len = total - hlen;
    const base = this.flowBase(b, ipOff, off, flags);
    const seq = (tcpSeq(b, off) - base.seq) >>> 0;
    let text = `Flags [${tcpFlagText(flags)}], `;
    if (off + total <= captured) text += `cksum ${cksumText(b, ipOff, off, total, 6, 16)}, `;
    text += `seq ${seq}${len > 0 ? `:${(seq + len) >>> 0}` : ""}`;
    if (flags & TCP_ACK) text += `, ack ${(tcpAckno(b, off) - base.ack) >>> 0}`;
    text += `, win ${tcpWindow(b, off)}`;
    if (flags & 0x20) text += `, urg ${rd16(b, off + 18)}`;
    if (hlen > TCP_HLEN) {
      const options = tcpOptionsText(b, off + TCP_HLEN, Math.min(off + hlen, captured), base.ack);
      text += `, options [${options}]`;
    }
    text += `, length ${len}`;
    if (flags & TCP_RST && len > 0) text += ` [RST ${ascii(b, off + hlen, Math.min(captured, off + hlen + 30))}]`;
    return text;
  }

  /** What to subtract from sequence and acknowledgment number: the connection's first ones where those were seen. */
  private flowBase(b: Uint8Array, ipOff: number, off: number, flags: number): { seq: number; ack: number } {
    if (!(flags & TCP_ACK)) return ABSOLUTE;
    const here = `${rd32(b, ipOff + 12)}:${rd16(b, off)}`;
    const there = `${rd32(b, ipOff + 16)}:${rd16(b, off + 2)}`;
    const forward = this.flows.get(`${here} ${there}`);
    const reverse = this.flows.get(`${there} ${here}`);
    if ((!forward && !reverse) || flags & TCP_SYN) {
      // A new connection: absolute now, relative to this from here on.
      this.flows.delete(`${there} ${here}`);
      this.flows.set(`${here} ${there}`, { seq: tcpSeq(b, off), ack: (tcpAckno(b, off) - 1) >>> 0 });
      return ABSOLUTE;
    }
    return forward ?? { seq: reverse!.ack, ack: reverse!.seq };
  }
}

const ABSOLUTE = { seq: 0, ack: 0 };
const pad4 = (v: number): string => v.toString(16).padStart(4, "0");
const protoName = (proto: number): string => (IP_PROTOS[proto] ?? `ip-proto-${proto}`).toLowerCase();

function correct(b: Uint8Array, off: number, len: number, check: number, pseudo = 0): number {
  return ~csumFold(csumPartial(b, off, len, pseudo) + (~check & 0xffff)) & 0xffff;
}

function cksumText(b: Uint8Array, ipOff: number, off: number, len: number, proto: number, at: number): string {
  const check = rd16(b, off + at);
  const pseudo = csumPseudo(ipSaddr(b, ipOff), ipDaddr(b, ipOff), proto, len);
  if (csumFold(csumPartial(b, off, len, pseudo)) === 0xffff) return `0x${pad4(check)} (correct)`;
  return `0x${pad4(check)} (incorrect -> 0x${pad4(correct(b, off, len, check, pseudo))})`;
}

function tcpFlagText(flags: number): string {
  const names: [bit: number, name: string][] = [
    [TCP_FIN, "F"],
    [TCP_SYN, "S"],
    [TCP_RST, "R"],
    [0x08, "P"],
    [TCP_ACK, "."],
    [0x20, "U"],
    [0x40, "E"],
    [0x80, "W"],
  ];
  return (
    names
      .filter(([bit]) => flags & bit)
      .map(([, name]) => name)
      .join("") || "none"
  );
}

function udpText(
  b: Uint8Array,
  ipOff: number,
  off: number,
  captured: number,
  total: number,
  fragment: boolean,
): string {
  if (total < UDP_HLEN) return `truncated-udp ${total}`;
  if (captured - off < UDP_HLEN) return " [|udp]";
  const ulen = udpLength(b, off);
  if (ulen < UDP_HLEN) return `truncated-udplength ${ulen}`;
  const len = Math.min(ulen, total);
  const check = udpChecksum(b, off);
  let sum = "";
  if (!fragment && check === 0) sum = "[no cksum] ";
  else if (!fragment && off + len <= captured) {
    const pseudo = csumPseudo(ipSaddr(b, ipOff), ipDaddr(b, ipOff), 17, len);
    const ok = csumFold(csumPartial(b, off, len, pseudo)) === 0xffff;
    const should = correct(b, off, len, check, pseudo);
    sum = ok ? "[udp sum ok] " : `[bad udp cksum 0x${pad4(check)} -> 0x${pad4(should)}!] `;
  }
  if (ulen > total && !fragment) return `${sum}UDP, bad length ${ulen - UDP_HLEN} > ${total - UDP_HLEN}`;
  return `${sum}UDP, length ${ulen - UDP_HLEN}`;
}

function arpText(b: Uint8Array, off: number): string {
  if (!arpCheck(b, off, b.length)) return " [|arp]";
  const oper = arpOper(b, off);
  const [spa, tpa] = [formatIpv4(arpSpa(b, off)), formatIpv4(arpTpa(b, off))];
  const len = b.length - off;
  const head = "Ethernet (len 6), IPv4 (len 4), ";
  if (oper === 1) {
    const tha = arpTha(b, off) === 0 ? "" : ` (${formatMac(arpTha(b, off))})`;
    return `${head}Request who-has ${tpa}${tha} tell ${spa}, length ${len}`;
  }
  if (oper === 2) return `${head}Reply ${spa} is-at ${formatMac(arpSha(b, off))}, length ${len}`;
  return `${head}Unknown (${oper}), length ${len}`;
}
