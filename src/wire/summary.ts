/**
 * One line per packet, for traces:
 * `172.1.0.3:5000 > 172.1.0.5:6000 GUE 1/200 [172.1.0.2:40001 > 2.2.2.2:4000 TCP SYN seq=1000 len=0]`. Never throws.
 */
import { arpCheck, arpOper, arpSha, arpSpa, arpTpa } from "./arp.ts";
import { rd16, rd32 } from "./bytes.ts";
import { etherTypeName } from "./dissect.ts";
import { icmpCodeName } from "./dissect-ipv4.ts";
import { looksLikeGue, tcpFlagNames } from "./dissect-l4.ts";
import { type Dissection, type DissectOptions, hex } from "./dissect-types.ts";
import { ETH_HLEN, ETH_P_ARP, ETH_P_IP, ethType, formatMac } from "./ethernet.ts";
import {
  GUE_BASE_HLEN,
  GUE_FLAGS,
  GUE_HLEN_DATA,
  GUE_HLEN_PING,
  gueCheck,
  gueFlags,
  gueGroup,
  gueHlen,
  gueIsControl,
  gueProto,
  gueService,
  gueTunnelId,
  gueVersion,
} from "./gue.ts";
import { ICMP_FRAG_NEEDED, ICMP_HLEN, icmpId, icmpIsError, icmpMtu, icmpSeq } from "./icmp.ts";
import {
  formatIpv4,
  IP_MF,
  IP_OFFMASK,
  IPPROTO_ICMP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPV4_HLEN,
  ipDaddr,
  ipFragOff,
  ipHlen,
  ipId,
  ipProto,
  ipSaddr,
  ipTotLen,
  ipVersion,
} from "./ipv4.ts";
import { isVlanType } from "./repr-link.ts";
import { TCP_ACK, TCP_HLEN, tcpAckno, tcpFlags, tcpHlen, tcpSeq } from "./tcp.ts";
import { UDP_HLEN, udpLength } from "./udp.ts";

/** A frame, MAC header first, in one line. */
export function summary(frame: Uint8Array, options: DissectOptions = {}): string {
  const d: Dissection = { b: frame, tunnelPorts: new Set(options.tunnelPorts) };
  if (frame.length < ETH_HLEN) return `truncated frame, ${frame.length} bytes`;
  let type = ethType(frame, 0);
  let off = ETH_HLEN;
  let tags = "";
  while (isVlanType(type) && frame.length - off >= 4) {
    tags += `vlan ${rd16(frame, off) & 0xfff} `;
    type = rd16(frame, off + 2);
    off += 4;
  }
  if (type === ETH_P_IP) return tags + summaryIp(d, off, frame.length);
  if (type === ETH_P_ARP) return tags + summaryArp(frame, off);
  return `${tags}${etherTypeName(type) || `ethertype ${hex(type)}`} len=${frame.length - off}`;
}

function summaryArp(b: Uint8Array, off: number): string {
  if (!arpCheck(b, off, b.length)) return "ARP malformed";
  const oper = arpOper(b, off);
  if (oper === 1) return `ARP who has ${formatIpv4(arpTpa(b, off))}? tell ${formatIpv4(arpSpa(b, off))}`;
  if (oper === 2) return `ARP ${formatIpv4(arpSpa(b, off))} is at ${formatMac(arpSha(b, off))}`;
  return `ARP operation ${oper}`;
}

function summaryIp(d: Dissection, off: number, end: number): string {
  const { b } = d;
  if (end - off < IPV4_HLEN) return `IPv4 truncated, ${end - off} bytes`;
  if (ipVersion(b, off) !== 4) return `IP version ${ipVersion(b, off)} under the EtherType of IPv4`;
  const hlen = ipHlen(b, off);
  if (hlen < IPV4_HLEN || off + hlen > end) return `IPv4 malformed, header length ${hlen}`;
  const l4 = off + hlen;
  const l4End = Math.max(l4, Math.min(end, off + ipTotLen(b, off)));
  const [src, dst] = [formatIpv4(ipSaddr(b, off)), formatIpv4(ipDaddr(b, off))];
  const proto = ipProto(b, off);
  const frag = ipFragOff(b, off);
  const fragText =
    frag & (IP_MF | IP_OFFMASK)
      ? ` frag id=${ipId(b, off)} offset=${(frag & IP_OFFMASK) * 8}${frag & IP_MF ? "+" : ""}`
      : "";
  if (frag & IP_OFFMASK) return `${src} > ${dst} protocol ${proto}${fragText} len=${l4End - l4}`;
  if (proto === IPPROTO_ICMP) return `${src} > ${dst} ${summaryIcmp(d, l4, l4End)}${fragText}`;
  if (proto !== IPPROTO_UDP && proto !== IPPROTO_TCP)
    return `${src} > ${dst} protocol ${proto}${fragText} len=${l4End - l4}`;
  if (l4End - l4 < 4) return `${src} > ${dst} ${proto === IPPROTO_TCP ? "TCP" : "UDP"} truncated`;
  const ends = `${src}:${rd16(b, l4)} > ${dst}:${rd16(b, l4 + 2)}`;
  const text = proto === IPPROTO_TCP ? summaryTcp(b, l4, l4End) : summaryUdp(d, l4, l4End);
  return `${ends} ${text}${fragText}`;
}

function summaryTcp(b: Uint8Array, off: number, end: number): string {
  // An ICMP error may quote no more than the ports and the sequence number.
  if (end - off < TCP_HLEN) return end - off >= 8 ? `TCP seq=${tcpSeq(b, off)}` : "TCP truncated";
  const flags = tcpFlags(b, off);
  const ack = flags & TCP_ACK ? ` ack=${tcpAckno(b, off)}` : "";
  const len = Math.max(0, end - off - tcpHlen(b, off));
  return `TCP ${tcpFlagNames(flags)} seq=${tcpSeq(b, off)}${ack} len=${len}`;
}

function summaryUdp(d: Dissection, off: number, end: number): string {
  const { b } = d;
  if (end - off < UDP_HLEN) return "UDP truncated";
  const len = udpLength(b, off);
  const dataEnd = len < UDP_HLEN ? end : Math.min(end, off + len);
  if (dataEnd > off + UDP_HLEN && looksLikeGue(d, off, dataEnd)) return summaryGue(d, off + UDP_HLEN, dataEnd);
  return `UDP len=${len - UDP_HLEN}`;
}

function summaryGue(d: Dissection, off: number, end: number): string {
  const { b } = d;
  if (!gueCheck(b, off, end)) return `GUE truncated, ${end - off} bytes`;
  if (gueVersion(b, off) !== 0) return `GUE version ${gueVersion(b, off)} len=${end - off}`;
  const hlen = gueHlen(b, off);
  const known = gueFlags(b, off) === GUE_FLAGS && (hlen === GUE_HLEN_DATA || hlen === GUE_HLEN_PING);
  const id = known ? ` ${gueGroup(b, off)}/${gueService(b, off)}` : hlen === 0 ? "" : ` flags ${hex(gueFlags(b, off))}`;
  if (gueIsControl(b, off)) {
    const tunnel = known && hlen === GUE_HLEN_PING ? ` tunnel ${gueTunnelId(b, off)}` : "";
    return `GUE ${gueProto(b, off) === 1 ? "ping" : `control ${gueProto(b, off)}`}${id}${tunnel}`;
  }
  const inner = off + GUE_BASE_HLEN + hlen * 4;
  const text = gueProto(b, off) === 4 ? summaryIp(d, inner, end) : `protocol ${gueProto(b, off)} len=${end - inner}`;
  return `GUE${id} [${text}]`;
}

function summaryIcmp(d: Dissection, off: number, end: number): string {
  const { b } = d;
  if (end - off < ICMP_HLEN) return "ICMP truncated";
  const [type, code] = [b[off], b[off + 1]];
  const echo = `id=${icmpId(b, off)} seq=${icmpSeq(b, off)} len=${end - off}`;
  if (type === 8) return `ICMP echo request ${echo}`;
  if (type === 0) return `ICMP echo reply ${echo}`;
  const name = icmpCodeName(type, code) || `type ${type} code ${code}`;
  const text =
    type === 3 && code === ICMP_FRAG_NEEDED
      ? `fragmentation needed mtu=${icmpMtu(b, off)}`
      : type === 5
        ? `redirect ${name} to ${formatIpv4(rd32(b, off + 4))}`
        : name;
  return icmpIsError(type) && end > off + ICMP_HLEN
    ? `ICMP ${text} [${summaryIp(d, off + ICMP_HLEN, end)}]`
    : `ICMP ${text} len=${end - off}`;
}
