/** A frame as the plain view that packet expectations compare with. Never throws on any bytes. */

import { formatKey } from "../control/key.ts";
import { ARP_LEN, ARPOP_REQUEST, arpCheck, arpOper, arpSpa, arpTpa } from "../wire/arp.ts";
import { rd16, rd32 } from "../wire/bytes.ts";
import { inetChecksum, l4ChecksumOk } from "../wire/checksum.ts";
import { ETH_HLEN, ETH_P_ARP, ETH_P_IP, ethCheck, ethDst, ethSrc, ethType, formatMac } from "../wire/ethernet.ts";
import {
  GUE_BASE_HLEN,
  GUE_DATA_HLEN,
  GUE_FLAGS,
  GUE_HLEN_DATA,
  GUE_HLEN_PING,
  GUE_HLEN_PLAIN,
  GUE_KEY,
  GUE_KEY_LEN,
  GUE_PROTO_IPV4,
  gueCheck,
  gueFlags,
  gueGroup,
  gueHlen,
  gueIsControl,
  gueProto,
  gueService,
  gueTunnelId,
  gueVersion,
} from "../wire/gue.ts";
import { ICMP_HLEN, icmpCheck, icmpId, icmpIsError, icmpMtu, icmpSeq } from "../wire/icmp.ts";
import {
  formatIpv4,
  IP_DF,
  IPPROTO_ICMP,
  IPPROTO_IPIP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPV4_HLEN,
  ipDaddr,
  ipFragOff,
  ipHlen,
  ipId,
  ipIsFragment,
  ipProto,
  ipSaddr,
  ipTos,
  ipTotLen,
  ipTtl,
  ipVersion,
  ipv4Check,
} from "../wire/ipv4.ts";
import { TCP_FLAG_NAMES, TCP_HLEN, TCPOPT_MSS, tcpCheck, tcpFindOption, tcpFlags, tcpHlen } from "../wire/tcp.ts";
import { UDP_HLEN, udpCheck, udpChecksum, udpLength } from "../wire/udp.ts";

/** What expectations can say about a packet; parts that a packet does not have are absent. */
export interface PacketView {
  smac?: string;
  dmac?: string;
  /** `tcp`, `udp`, `icmp`, `ipip`, `arp`, or a number. */
  proto: string;
  src?: string;
  dst?: string;
  sport?: number;
  dport?: number;
  /** IPv4 total length, bytes. */
  length?: number;
  id?: number;
  ttl?: number;
  tos?: number;
  df?: boolean;
  fragment?: boolean;
  /** Bytes behind the TCP or UDP header. */
  payload?: number;
  /** `ok`, `bad`, or `none` (a UDP checksum of 0); of the IPv4 header and the L4 checksum together. */
  checksum?: string;
  tcp?: { flags: string; seq: number; ack: number; window: number; mss?: number };
  icmp?: { type: number; code: number; mtu: number; id: number; seq: number; quoted?: PacketView };
  gue?: {
    control: boolean;
    version: number;
    hlen: number;
    group?: number;
    service?: number;
    key?: string;
    tunnel?: number;
  };
  arp?: { op: string; sender: string; target: string };
  /** What a GUE data packet or an ipip packet carries. */
  inner?: PacketView;
}

const PROTO_NAMES: Record<number, string> = {
  [IPPROTO_TCP]: "tcp",
  [IPPROTO_UDP]: "udp",
  [IPPROTO_ICMP]: "icmp",
  [IPPROTO_IPIP]: "ipip",
};
const FLAG_ORDER = ["SYN", ...TCP_FLAG_NAMES.filter((name) => name !== "SYN")];

/** `SYN+ACK`: names of TCP flags in the one order in which views have them. */
export function joinTcpFlags(names: readonly string[]): string {
  return [...names].sort((a, b) => FLAG_ORDER.indexOf(a) - FLAG_ORDER.indexOf(b)).join("+");
}

/** `SYN+ACK`; `none` without any. */
function tcpFlagText(flags: number): string {
  return joinTcpFlags(TCP_FLAG_NAMES.filter((_, i) => flags & (1 << i))) || "none";
}

/** Reads a frame, MAC header first. */
export function viewFrame(frame: Uint8Array): PacketView {
  if (!ethCheck(frame, 0, frame.length)) return { proto: "short" };
  const type = ethType(frame, 0);
  const view = type === ETH_P_IP ? viewIp(frame, ETH_HLEN, frame.length, false) : viewOther(frame, type);
  view.smac = formatMac(ethSrc(frame, 0));
  view.dmac = formatMac(ethDst(frame, 0));
  return view;
}

function viewOther(frame: Uint8Array, type: number): PacketView {
  if (type !== ETH_P_ARP || !arpCheck(frame, ETH_HLEN, ETH_HLEN + ARP_LEN))
    return { proto: `ethertype 0x${type.toString(16)}` };
  const op = arpOper(frame, ETH_HLEN) === ARPOP_REQUEST ? "request" : "reply";
  const arp = { op, sender: formatIpv4(arpSpa(frame, ETH_HLEN)), target: formatIpv4(arpTpa(frame, ETH_HLEN)) };
  return { proto: "arp", arp };
}

/** Reads the IPv4 packet at `off`; a quoted one may be cut off behind its header. */
function viewIp(b: Uint8Array, off: number, end: number, quoted: boolean): PacketView {
  const whole = ipv4Check(b, off, end);
  if (!whole && !(quoted && end - off >= IPV4_HLEN && ipVersion(b, off) === 4 && ipHlen(b, off) <= end - off))
    return { proto: "malformed" };
  const proto = ipProto(b, off);
  const view: PacketView = {
    proto: PROTO_NAMES[proto] ?? String(proto),
    src: formatIpv4(ipSaddr(b, off)),
    dst: formatIpv4(ipDaddr(b, off)),
    length: ipTotLen(b, off),
    id: ipId(b, off),
    ttl: ipTtl(b, off),
    tos: ipTos(b, off),
    df: (ipFragOff(b, off) & IP_DF) !== 0,
    fragment: ipIsFragment(b, off),
  };
  const l4 = off + ipHlen(b, off);
  if (quoted) {
    if (end - l4 >= 4 && (proto === IPPROTO_TCP || proto === IPPROTO_UDP)) {
      view.sport = rd16(b, l4);
      view.dport = rd16(b, l4 + 2);
    }
    return view;
  }
  const headerOk = inetChecksum(b, off, ipHlen(b, off)) === 0;
  view.checksum = headerOk ? "ok" : "bad";
  if (!view.fragment) viewL4(view, b, off, l4, off + ipTotLen(b, off), proto, headerOk);
  return view;
}

function viewL4(
  view: PacketView,
  b: Uint8Array,
  ipOff: number,
  off: number,
  end: number,
  proto: number,
  headerOk: boolean,
): void {
  const verdict = (ok: boolean): string => (headerOk && ok ? "ok" : "bad");
  if (proto === IPPROTO_TCP && tcpCheck(b, off, end)) {
    view.sport = rd16(b, off);
    view.dport = rd16(b, off + 2);
    view.payload = end - off - tcpHlen(b, off);
    view.checksum = verdict(l4ChecksumOk(b, ipOff, off, end - off, proto));
    view.tcp = {
      flags: tcpFlagText(tcpFlags(b, off)),
      seq: rd32(b, off + 4),
      ack: rd32(b, off + 8),
      window: rd16(b, off + 14),
    };
    const mss = tcpHlen(b, off) > TCP_HLEN ? tcpFindOption(b, off, TCPOPT_MSS) : 0;
    if (mss > 0) view.tcp.mss = rd16(b, mss + 2);
  } else if (proto === IPPROTO_UDP && udpCheck(b, off, end)) {
    const len = udpLength(b, off);
    view.sport = rd16(b, off);
    view.dport = rd16(b, off + 2);
    view.payload = len - UDP_HLEN;
    const none = udpChecksum(b, off) === 0;
    view.checksum = none && headerOk ? "none" : verdict(none || l4ChecksumOk(b, ipOff, off, len, proto));
    viewGue(view, b, off + UDP_HLEN, off + len);
  } else if (proto === IPPROTO_ICMP && icmpCheck(b, off, end)) {
    view.checksum = verdict(inetChecksum(b, off, end - off) === 0);
    view.icmp = { type: b[off], code: b[off + 1], mtu: icmpMtu(b, off), id: icmpId(b, off), seq: icmpSeq(b, off) };
    if (icmpIsError(b[off])) view.icmp.quoted = viewIp(b, off + ICMP_HLEN, end, true);
  } else if (proto === IPPROTO_IPIP) view.inner = viewIp(b, off, end, false);
}

/** GUE is told by its own bytes: this dialect's flags and lengths, or the plain header in front of an IPv4 packet. */
function viewGue(view: PacketView, b: Uint8Array, off: number, end: number): void {
  if (!gueCheck(b, off, end)) return;
  const hlen = gueHlen(b, off);
  const head = { control: gueIsControl(b, off), version: gueVersion(b, off), hlen };
  if (hlen === GUE_HLEN_PLAIN) {
    if (rd32(b, off) !== GUE_PROTO_IPV4 << 16 || !ipv4Check(b, off + GUE_BASE_HLEN, end)) return;
    view.gue = head;
    view.inner = viewIp(b, off + GUE_BASE_HLEN, end, false);
    return;
  }
  if (gueFlags(b, off) !== GUE_FLAGS || (hlen !== GUE_HLEN_DATA && hlen !== GUE_HLEN_PING)) return;
  const key = formatKey(b.slice(off + GUE_KEY, off + GUE_KEY + GUE_KEY_LEN));
  view.gue = { ...head, group: gueGroup(b, off), service: gueService(b, off), key };
  if (head.control && hlen === GUE_HLEN_PING) view.gue.tunnel = gueTunnelId(b, off);
  if (!head.control && gueProto(b, off) === GUE_PROTO_IPV4) view.inner = viewIp(b, off + GUE_DATA_HLEN, end, false);
}
