/** Dissects UDP (RFC 768), TCP with its options (RFC 9293) and GUE (draft-ietf-intarea-gue). */
import { rd16, rd32 } from "./bytes.ts";
import { csumFold, csumPartial, csumPseudo, l4ChecksumOk } from "./checksum.ts";
import { dissectGue } from "./dissect-gue.ts";
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
import { GUE_BASE_HLEN, GUE_PORT, GUE_PROTO_IPV4, gueCheck, gueProto, gueVersion } from "./gue.ts";
import { IPPROTO_TCP, IPPROTO_UDP, ipDaddr, ipSaddr } from "./ipv4.ts";
import {
  TCP_FLAG_NAMES,
  TCP_HLEN,
  tcpAckno,
  tcpChecksum,
  tcpDport,
  tcpFlags,
  tcpHlen,
  tcpSeq,
  tcpSport,
  tcpWindow,
} from "./tcp.ts";
import { UDP_HLEN, udpChecksum, udpDport, udpLength, udpSport } from "./udp.ts";

const UDP = "RFC 768";
const TCP = "RFC 9293 section 3.1";

/** The base words of this dialect: data, ping, older ping. */
const GUE_WORDS = [0x0504a000, 0x2601a000, 0x2501a000];

/**
 * True when the UDP datagram at `off` is taken for GUE: on a tunnel port that was named, by the exact base word of this
 * dialect, or on port 6080 with a whole header that carries IPv4 (gue_ping sends plain text there).
 */
export function looksLikeGue(d: Dissection, off: number, end: number): boolean {
  const { b } = d;
  if (end - off < UDP_HLEN) return false;
  const [sport, dport] = [udpSport(b, off), udpDport(b, off)];
  if (d.tunnelPorts.has(sport) || d.tunnelPorts.has(dport)) return true;
  const gue = off + UDP_HLEN;
  if (end - gue < GUE_BASE_HLEN) return false;
  if (GUE_WORDS.includes(rd32(b, gue))) return true;
  const registered = sport === GUE_PORT || dport === GUE_PORT;
  return registered && gueVersion(b, gue) === 0 && gueProto(b, gue) === GUE_PROTO_IPV4 && gueCheck(b, gue, end);
}

export function dissectUdp(d: Dissection, ipOff: number, off: number, end: number, verify: boolean): LayerNode {
  const { b } = d;
  const out = layer("udp", "UDP", off, UDP_HLEN);
  if (end - off < UDP_HLEN) return truncated(out, b, off, end, UDP_HLEN);
  const len = udpLength(b, off);
  add(out, "source port", off, 2, udpSport(b, off), String(udpSport(b, off)), "", UDP);
  add(out, "destination port", off + 2, 2, udpDport(b, off), String(udpDport(b, off)), "", UDP);
  let problem = len < UDP_HLEN ? "below 8" : "";
  if (verify && off + len > end) problem = `beyond the ${end - off} bytes there are`;
  add(out, "length", off + 4, 2, len, String(len), "bytes, header included", UDP, problem);
  const check = udpChecksum(b, off);
  if (check === 0) add(out, "checksum", off + 6, 2, 0, "0x0000", "none", UDP);
  else addL4Checksum(out, b, ipOff, off, off + 6, len, IPPROTO_UDP, check, verify && !problem, UDP);
  if (problem) out.notes.push(`the length is ${problem}`);
  const dataEnd = len < UDP_HLEN ? end : Math.min(end, off + len);
  const data = off + UDP_HLEN;
  if (looksLikeGue(d, off, dataEnd) && data < dataEnd) out.children.push(dissectGue(d, data, dataEnd));
  else if (data < dataEnd) out.children.push(bytesLayer(b, "payload", "Payload", data, dataEnd));
  if (dataEnd < end) out.children.push(bytesLayer(b, "trailer", "Bytes behind the datagram", dataEnd, end));
  return out;
}

function addL4Checksum(
  out: LayerNode,
  b: Uint8Array,
  ipOff: number,
  off: number,
  at: number,
  len: number,
  proto: number,
  check: number,
  verify: boolean,
  source: string,
): void {
  if (!verify) {
    add(out, "checksum", at, 2, check, hex(check), "", source);
    return;
  }
  const ok = l4ChecksumOk(b, ipOff, off, len, proto);
  const pseudo = csumPseudo(ipSaddr(b, ipOff), ipDaddr(b, ipOff), proto, len);
  const sum = ~csumFold(csumPartial(b, off, len, pseudo) + (~check & 0xffff)) & 0xffff;
  const should = proto === IPPROTO_UDP ? sum || 0xffff : sum;
  add(
    out,
    "checksum",
    at,
    2,
    check,
    hex(check),
    ok ? "correct" : "",
    source,
    ok ? "" : `wrong, should be ${hex(should)}`,
  );
}

/** `SYN,ACK`; `none` without any. */
export function tcpFlagNames(flags: number): string {
  return TCP_FLAG_NAMES.filter((_, i) => flags & (1 << i)).join(",") || "none";
}

export function dissectTcp(d: Dissection, ipOff: number, off: number, end: number, verify: boolean): LayerNode {
  const { b } = d;
  const out = layer("tcp", "TCP", off, TCP_HLEN);
  if (end - off < TCP_HLEN) return dissectTcpStart(out, b, off, end);
  const hlen = tcpHlen(b, off);
  add(out, "source port", off, 2, tcpSport(b, off), String(tcpSport(b, off)), "", TCP);
  add(out, "destination port", off + 2, 2, tcpDport(b, off), String(tcpDport(b, off)), "", TCP);
  add(out, "sequence number", off + 4, 4, tcpSeq(b, off), String(tcpSeq(b, off)), "of the first byte", TCP);
  add(out, "acknowledgment number", off + 8, 4, tcpAckno(b, off), String(tcpAckno(b, off)), "next byte expected", TCP);
  const problem = hlen < TCP_HLEN ? "below 5 words" : off + hlen > end ? "beyond the packet" : "";
  addBits(out, "data offset", off + 12, 0, 4, hlen / 4, String(hlen / 4), `words: ${hlen} bytes`, TCP, problem);
  addBits(out, "reserved", off + 12, 4, 4, b[off + 12] & 0xf, String(b[off + 12] & 0xf), "", TCP);
  const flags = tcpFlags(b, off);
  add(out, "flags", off + 13, 1, flags, hex(flags, 2), tcpFlagNames(flags), TCP);
  add(out, "window", off + 14, 2, tcpWindow(b, off), String(tcpWindow(b, off)), "bytes, before scaling", TCP);
  addL4Checksum(out, b, ipOff, off, off + 16, end - off, IPPROTO_TCP, tcpChecksum(b, off), verify, TCP);
  add(out, "urgent pointer", off + 18, 2, rd16(b, off + 18), String(rd16(b, off + 18)), "", TCP);
  if (problem) {
    out.notes.push(`the data offset is ${problem}`);
    if (off + TCP_HLEN < end) out.children.push(bytesLayer(b, "payload", "Payload", off + TCP_HLEN, end));
    return out;
  }
  out.length = hlen;
  dissectTcpOptions(out, b, off + TCP_HLEN, off + hlen);
  if (off + hlen < end) out.children.push(bytesLayer(b, "payload", "Payload", off + hlen, end));
  return out;
}

/** An ICMP error may quote no more than ports and sequence number. */
function dissectTcpStart(out: LayerNode, b: Uint8Array, off: number, end: number): LayerNode {
  if (end - off < 8) return truncated(out, b, off, end, TCP_HLEN);
  add(out, "source port", off, 2, tcpSport(b, off), String(tcpSport(b, off)), "", TCP);
  add(out, "destination port", off + 2, 2, tcpDport(b, off), String(tcpDport(b, off)), "", TCP);
  add(out, "sequence number", off + 4, 4, tcpSeq(b, off), String(tcpSeq(b, off)), "of the first byte", TCP);
  return truncated(out, b, off + 8, end, TCP_HLEN - 8);
}

function dissectTcpOptions(out: LayerNode, b: Uint8Array, off: number, end: number): void {
  let o = off;
  while (o < end) {
    const kind = b[o];
    if (kind === 0) {
      addBytes(out, b, "end of options", o, end, TCP);
      return;
    }
    const len = kind === 1 ? 1 : o + 1 < end ? b[o + 1] : 0;
    if (kind !== 1 && (len < 2 || o + len > end)) {
      addBytes(out, b, "malformed option", o, end, TCP);
      out.notes.push(`option ${kind} has a malformed length`);
      return;
    }
    addTcpOption(out, b, o, len);
    o += len;
  }
}

function addTcpOption(out: LayerNode, b: Uint8Array, o: number, len: number): void {
  const option = (name: string, value: number, text: string, meaning: string, source: string): void =>
    add(out, `option ${name}`, o, len, value, text, meaning, source);
  const kind = b[o];
  if (kind === 1) option("no operation", 1, "1", "padding", TCP);
  else if (kind === 2 && len === 4)
    option(
      "maximum segment size",
      rd16(b, o + 2),
      String(rd16(b, o + 2)),
      "bytes of payload per segment",
      "RFC 9293 section 3.7.1",
    );
  else if (kind === 3 && len === 3)
    option("window scale", b[o + 2], String(b[o + 2]), `window * ${2 ** Math.min(b[o + 2], 14)}`, "RFC 7323 section 2");
  else if (kind === 4 && len === 2) option("SACK permitted", 1, "", "", "RFC 2018 section 2");
  else if (kind === 8 && len === 10) {
    const [val, ecr] = [rd32(b, o + 2), rd32(b, o + 6)];
    option("timestamps", val, `${val} ${ecr}`, "value, echo reply", "RFC 7323 section 3");
  } else if (kind === 5 && len > 2 && (len - 2) % 8 === 0) {
    const blocks: string[] = [];
    for (let i = o + 2; i < o + len; i += 8) blocks.push(`${rd32(b, i)}-${rd32(b, i + 4)}`);
    option("SACK", blocks.length, blocks.join(" "), "received out of order", "RFC 2018 section 3");
  } else addBytes(out, b, `option ${kind}`, o, o + len, TCP);
}
