/** Dissects IPv4 with options (RFC 791) and ICMP with the packet that an error quotes (RFC 792). */
import { rd16 } from "./bytes.ts";
import { csumFold, csumPartial, ipv4ChecksumOk } from "./checksum.ts";
import { dissectTcp, dissectUdp } from "./dissect-l4.ts";
import {
  add,
  addBits,
  addBytes,
  bytesLayer,
  type Dissection,
  hex,
  type LayerNode,
  layer,
  truncated,
} from "./dissect-types.ts";
import { ICMP_FRAG_NEEDED, ICMP_HLEN, icmpIsError } from "./icmp.ts";
import {
  formatIpv4,
  IP_DF,
  IP_MF,
  IP_OFFMASK,
  IP_RF,
  IPPROTO_ICMP,
  IPPROTO_IPIP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPV4_HLEN,
  ipCheck,
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

const IP = "RFC 791 section 3.1";
const ICMP = "RFC 792";

/** "whole": a packet of its own; "quoted": in an ICMP error, where it may be cut and its checksums are stale. */
export type IpContext = "whole" | "quoted";

const PROTOCOLS: Record<number, string> = { 1: "ICMP", 2: "IGMP", 4: "IPv4 in IPv4", 6: "TCP", 17: "UDP", 47: "GRE" };
const OPTION_NAMES: Record<number, string> = {
  1: "no operation",
  7: "record route",
  68: "timestamp",
  131: "loose source route",
  137: "strict source route",
  148: "router alert",
};

/** Dissects [off, end); bytes behind the total length become a trailer. */
export function dissectIpv4(d: Dissection, off: number, end: number, context: IpContext): LayerNode {
  const { b } = d;
  const out = layer("ipv4", context === "quoted" ? "IPv4 (quoted)" : "IPv4", off, IPV4_HLEN);
  if (end - off < IPV4_HLEN) return truncated(out, b, off, end, IPV4_HLEN);
  const hlen = ipHlen(b, off);
  const totLen = ipTotLen(b, off);
  const version = ipVersion(b, off);
  addBits(out, "version", off, 0, 4, version, String(version), "", IP, version === 4 ? "" : "not 4");
  const ihlProblem = hlen < IPV4_HLEN ? "below 5 words" : off + hlen > end ? "beyond the frame" : "";
  addBits(out, "header length", off, 4, 4, hlen / 4, String(hlen / 4), `words: ${hlen} bytes`, IP, ihlProblem);
  add(out, "type of service", off + 1, 1, ipTos(b, off), hex(ipTos(b, off), 2), tosMeaning(ipTos(b, off)), "RFC 2474");
  let lenProblem = totLen < hlen ? "below the header length" : "";
  if (context === "whole" && off + totLen > end) lenProblem = `beyond the ${end - off} bytes there are`;
  add(out, "total length", off + 2, 2, totLen, String(totLen), "bytes, header included", IP, lenProblem);
  add(out, "identification", off + 4, 2, ipId(b, off), hex(ipId(b, off)), "", IP);
  const frag = ipFragOff(b, off);
  const flag = (name: string, bit: number, start: number, meaning: string, problem = ""): void => {
    const on = (frag & bit) !== 0;
    addBits(out, name, off + 6, start, 1, on ? 1 : 0, on ? "1" : "0", on ? meaning : "", IP, on ? problem : "");
  };
  flag("reserved flag", IP_RF, 0, "", "must be zero");
  flag("don't fragment", IP_DF, 1, "set: routers send an ICMP error instead of fragmenting");
  flag("more fragments", IP_MF, 2, "set: not the last fragment");
  const offset = frag & IP_OFFMASK;
  addBits(out, "fragment offset", off + 6, 3, 13, offset, String(offset), offset ? `byte ${offset * 8}` : "", IP);
  add(out, "time to live", off + 8, 1, ipTtl(b, off), String(ipTtl(b, off)), "hops", IP);
  const proto = ipProto(b, off);
  add(out, "protocol", off + 9, 1, proto, String(proto), PROTOCOLS[proto] ?? "", "IANA protocol numbers");
  addChecksum(d, out, off, ihlProblem === "");
  add(out, "source address", off + 12, 4, ipSaddr(b, off), formatIpv4(ipSaddr(b, off)), "", IP);
  add(out, "destination address", off + 16, 4, ipDaddr(b, off), formatIpv4(ipDaddr(b, off)), "", IP);
  if (version !== 4 || ihlProblem) {
    out.notes.push(version !== 4 ? "the version is not 4" : `the header length is ${ihlProblem}`);
    if (end > off + IPV4_HLEN) out.children.push(bytesLayer(b, "payload", "Payload", off + IPV4_HLEN, end));
    return out;
  }
  out.length = hlen;
  dissectOptions(out, b, off + IPV4_HLEN, off + hlen);
  if (lenProblem) out.notes.push(`the total length is ${lenProblem}`);
  const packetEnd = totLen < hlen ? end : Math.min(end, off + totLen);
  dissectIpPayload(d, out, off, packetEnd, context);
  if (packetEnd < end) out.children.push(bytesLayer(b, "trailer", "Trailer behind the packet", packetEnd, end));
  return out;
}

function addChecksum(d: Dissection, out: LayerNode, off: number, known: boolean): void {
  const check = ipCheck(d.b, off);
  const ok = known && ipv4ChecksumOk(d.b, off);
  const should = known && !ok ? fixed16(d.b, off, ipHlen(d.b, off), check) : 0;
  const problem = known && !ok ? `wrong, should be ${hex(should)}` : "";
  add(out, "header checksum", off + 10, 2, check, hex(check), ok ? "correct" : "", "RFC 791, RFC 1071", problem);
}

/** What a checksum field inside [off, off + len) should hold, given what it holds. */
function fixed16(b: Uint8Array, off: number, len: number, check: number): number {
  return ~csumFold(csumPartial(b, off, len) + (~check & 0xffff)) & 0xffff;
}

function tosMeaning(tos: number): string {
  const ecn = ["", "ECT(1)", "ECT(0)", "CE"][tos & 3];
  return tos === 0 ? "best effort" : [`DSCP ${tos >>> 2}`, ecn].filter(Boolean).join(", ");
}

function dissectOptions(out: LayerNode, b: Uint8Array, off: number, end: number): void {
  let o = off;
  while (o < end) {
    if (b[o] === 0) {
      addBytes(out, b, "end of options", o, end, IP);
      return;
    }
    const len = b[o] === 1 ? 1 : o + 1 < end ? b[o + 1] : 0;
    if (b[o] !== 1 && (len < 2 || o + len > end)) {
      addBytes(out, b, "malformed option", o, end, IP);
      out.notes.push(`option ${b[o]} has a malformed length`);
      return;
    }
    addBytes(out, b, `option ${OPTION_NAMES[b[o]] ?? b[o]}`, o, o + len, IP);
    o += len;
  }
}

function dissectIpPayload(d: Dissection, out: LayerNode, ipOff: number, end: number, context: IpContext): void {
  const { b } = d;
  const off = ipOff + ipHlen(b, ipOff);
  const frag = ipFragOff(b, ipOff);
  if (off >= end) return;
  if (frag & IP_OFFMASK) {
    out.children.push(bytesLayer(b, "payload", "Part of a fragmented datagram", off, end));
    return;
  }
  const proto = ipProto(b, ipOff);
  // Checksums of a first fragment or of a quoted packet cover bytes that are not there.
  const verify = context === "whole" && (frag & IP_MF) === 0 && ipOff + ipTotLen(b, ipOff) <= end;
  if (proto === IPPROTO_UDP) out.children.push(dissectUdp(d, ipOff, off, end, verify));
  else if (proto === IPPROTO_TCP) out.children.push(dissectTcp(d, ipOff, off, end, verify));
  else if (proto === IPPROTO_ICMP) out.children.push(dissectIcmp(d, off, end, verify));
  else if (proto === IPPROTO_IPIP) out.children.push(dissectIpv4(d, off, end, "whole"));
  else out.children.push(bytesLayer(b, "payload", `Payload of protocol ${proto}`, off, end));
}

const ICMP_TYPES: Record<number, string> = {
  0: "echo reply",
  3: "destination unreachable",
  4: "source quench",
  5: "redirect",
  8: "echo request",
  11: "time exceeded",
  12: "parameter problem",
};
const UNREACH_CODES = [
  "network unreachable",
  "host unreachable",
  "protocol unreachable",
  "port unreachable",
  "fragmentation needed and DF set",
  "source route failed",
];

/** Meaning of an ICMP code; empty where it has none. */
export function icmpCodeName(type: number, code: number): string {
  if (type === 3) return code === 13 ? "administratively prohibited" : (UNREACH_CODES[code] ?? "");
  if (type === 11) return ["time to live exceeded in transit", "fragment reassembly time exceeded"][code] ?? "";
  if (type === 5) return ["for the network", "for the host"][code] ?? "";
  return "";
}

function dissectIcmp(d: Dissection, off: number, end: number, verify: boolean): LayerNode {
  const { b } = d;
  const out = layer("icmp", "ICMP", off, ICMP_HLEN);
  if (end - off < ICMP_HLEN) return truncated(out, b, off, end, ICMP_HLEN);
  const [type, code] = [b[off], b[off + 1]];
  add(out, "type", off, 1, type, String(type), ICMP_TYPES[type] ?? "", ICMP);
  add(out, "code", off + 1, 1, code, String(code), icmpCodeName(type, code), ICMP);
  const check = rd16(b, off + 2);
  const ok = csumFold(csumPartial(b, off, end - off)) === 0xffff;
  const problem = verify && !ok ? `wrong, should be ${hex(fixed16(b, off, end - off, check))}` : "";
  add(out, "checksum", off + 2, 2, check, hex(check), verify && ok ? "correct" : "", ICMP, problem);
  if (type === 0 || type === 8) {
    add(out, "identifier", off + 4, 2, rd16(b, off + 4), String(rd16(b, off + 4)), "to the NAT: the port", ICMP);
    add(out, "sequence number", off + 6, 2, rd16(b, off + 6), String(rd16(b, off + 6)), "", ICMP);
  } else if (type === 3 && code === ICMP_FRAG_NEEDED) {
    add(out, "unused", off + 4, 2, rd16(b, off + 4), hex(rd16(b, off + 4)), "", ICMP);
    const mtu = rd16(b, off + 6);
    add(out, "next-hop MTU", off + 6, 2, mtu, String(mtu), "bytes: the largest packet that fits", "RFC 1191 section 4");
  } else addBytes(out, b, type === 5 ? "gateway address" : "rest of header", off + 4, off + 8, ICMP);
  if (off + ICMP_HLEN >= end) return out;
  out.children.push(
    icmpIsError(type)
      ? dissectIpv4(d, off + ICMP_HLEN, end, "quoted")
      : bytesLayer(b, "payload", "Data", off + ICMP_HLEN, end),
  );
  return out;
}
