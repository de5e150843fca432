/** Plain objects for UDP (RFC 768) and TCP with its options (RFC 9293, RFC 7323, RFC 2018). */
import { rd16, rd32, wr16, wr32 } from "./bytes.ts";
import { csumFold, csumPartial, csumPseudo } from "./checksum.ts";
import {
  TCP_ACKNO,
  TCP_CHECK,
  TCP_DOFF,
  TCP_DPORT,
  TCP_FLAGS,
  TCP_HLEN,
  TCP_SEQ,
  TCP_SPORT,
  TCP_URGPTR,
  TCP_WINDOW,
  TCPOPT_EOL,
  TCPOPT_MSS,
  TCPOPT_NOP,
  TCPOPT_SACK,
  TCPOPT_SACK_PERM,
  TCPOPT_TIMESTAMP,
  TCPOPT_WINDOW,
  tcpAckno,
  tcpCheck,
  tcpDport,
  tcpFlags,
  tcpHlen,
  tcpSeq,
  tcpSport,
  tcpWindow,
} from "./tcp.ts";
import { UDP_CHECK, UDP_HLEN, udpCheck, udpChecksum, udpDport, udpLength, udpSport, writeUdp } from "./udp.ts";

export interface UdpRepr {
  sport: number;
  dport: number;
  /** False: the checksum field is 0, "none". */
  checksum: boolean;
  payload: Uint8Array;
}

/** An option; one of a known kind but with a wrong length is kept as "unknown". */
export type TcpOption =
  | { kind: "nop" }
  | { kind: "mss"; mss: number }
  | { kind: "wscale"; shift: number }
  | { kind: "sackPermitted" }
  | { kind: "sack"; blocks: [left: number, right: number][] }
  | { kind: "timestamps"; val: number; ecr: number }
  | { kind: "unknown"; type: number; data: Uint8Array };

export interface TcpRepr {
  sport: number;
  dport: number;
  seq: number;
  ack: number;
  /** The eight flag bits, TCP_SYN and so on. */
  flags: number;
  /** As it stands on the wire, not scaled. */
  window: number;
  urgent: number;
  /** Without end-of-list and padding. */
  options: TcpOption[];
  payload: Uint8Array;
}

/** Undefined when the datagram is not whole within [off, end); bytes behind its length are ignored. */
export function parseUdp(b: Uint8Array, off = 0, end = b.length): UdpRepr | undefined {
  if (off < 0 || !udpCheck(b, off, end)) return undefined;
  return {
    sport: udpSport(b, off),
    dport: udpDport(b, off),
    checksum: udpChecksum(b, off) !== 0,
    payload: b.slice(off + UDP_HLEN, off + udpLength(b, off)),
  };
}

/** The datagram, with its checksum over the pseudo header of the two addresses (host order). */
export function emitUdp(r: UdpRepr, saddr: number, daddr: number): Uint8Array {
  const out = new Uint8Array(UDP_HLEN + r.payload.length);
  out.set(r.payload, UDP_HLEN);
  writeUdp(out, 0, r.sport, r.dport, r.payload.length, saddr, daddr);
  if (!r.checksum) wr16(out, UDP_CHECK, 0);
  return out;
}

/** Undefined when the header and its options are not whole within [off, end), or an option's length is malformed. */
export function parseTcp(b: Uint8Array, off = 0, end = b.length): TcpRepr | undefined {
  if (off < 0 || !tcpCheck(b, off, end)) return undefined;
  const hlen = tcpHlen(b, off);
  const options = parseTcpOptions(b, off + TCP_HLEN, off + hlen);
  if (!options) return undefined;
  return {
    sport: tcpSport(b, off),
    dport: tcpDport(b, off),
    seq: tcpSeq(b, off),
    ack: tcpAckno(b, off),
    flags: tcpFlags(b, off),
    window: tcpWindow(b, off),
    urgent: rd16(b, off + TCP_URGPTR),
    options,
    payload: b.slice(off + hlen, end),
  };
}

/** Options in [off, end) up to end-of-list; undefined when one has a length below 2 or beyond `end`. */
export function parseTcpOptions(b: Uint8Array, off: number, end: number): TcpOption[] | undefined {
  const out: TcpOption[] = [];
  let o = off;
  while (o < end && b[o] !== TCPOPT_EOL) {
    if (b[o] === TCPOPT_NOP) {
      out.push({ kind: "nop" });
      o++;
      continue;
    }
    const len = o + 1 < end ? b[o + 1] : 0;
    if (len < 2 || o + len > end) return undefined;
    out.push(parseTcpOption(b, o, len));
    o += len;
  }
  return out;
}

function parseTcpOption(b: Uint8Array, o: number, len: number): TcpOption {
  const type = b[o];
  if (type === TCPOPT_MSS && len === 4) return { kind: "mss", mss: rd16(b, o + 2) };
  if (type === TCPOPT_WINDOW && len === 3) return { kind: "wscale", shift: b[o + 2] };
  if (type === TCPOPT_SACK_PERM && len === 2) return { kind: "sackPermitted" };
  if (type === TCPOPT_TIMESTAMP && len === 10) return { kind: "timestamps", val: rd32(b, o + 2), ecr: rd32(b, o + 6) };
  if (type === TCPOPT_SACK && len > 2 && (len - 2) % 8 === 0) {
    const blocks: [number, number][] = [];
    for (let i = o + 2; i < o + len; i += 8) blocks.push([rd32(b, i), rd32(b, i + 4)]);
    return { kind: "sack", blocks };
  }
  return { kind: "unknown", type, data: b.slice(o + 2, o + len) };
}

/** Length of one option in bytes. */
export function tcpOptionLength(o: TcpOption): number {
  switch (o.kind) {
    case "nop":
      return 1;
    case "mss":
      return 4;
    case "wscale":
      return 3;
    case "sackPermitted":
      return 2;
    case "sack":
      return 2 + 8 * o.blocks.length;
    case "timestamps":
      return 10;
    case "unknown":
      return 2 + o.data.length;
  }
}

function emitTcpOption(out: Uint8Array, o: number, opt: TcpOption): void {
  if (opt.kind === "nop") {
    out[o] = TCPOPT_NOP;
    return;
  }
  out[o + 1] = tcpOptionLength(opt);
  switch (opt.kind) {
    case "mss":
      out[o] = TCPOPT_MSS;
      wr16(out, o + 2, opt.mss);
      break;
    case "wscale":
      out[o] = TCPOPT_WINDOW;
      out[o + 2] = opt.shift;
      break;
    case "sackPermitted":
      out[o] = TCPOPT_SACK_PERM;
      break;
    case "sack":
      out[o] = TCPOPT_SACK;
      opt.blocks.forEach(([left, right], i) => {
        wr32(out, o + 2 + 8 * i, left);
        wr32(out, o + 6 + 8 * i, right);
      });
      break;
    case "timestamps":
      out[o] = TCPOPT_TIMESTAMP;
      wr32(out, o + 2, opt.val);
      wr32(out, o + 6, opt.ecr);
      break;
    case "unknown":
      out[o] = opt.type;
      out.set(opt.data, o + 2);
      break;
  }
}

/** The segment, with options padded by end-of-list and the checksum over the pseudo header (addresses in host order). */
export function emitTcp(r: TcpRepr, saddr: number, daddr: number): Uint8Array {
  const optLen = r.options.reduce((n, o) => n + tcpOptionLength(o), 0);
  const hlen = TCP_HLEN + ((optLen + 3) & ~3);
  const out = new Uint8Array(hlen + r.payload.length);
  wr16(out, TCP_SPORT, r.sport);
  wr16(out, TCP_DPORT, r.dport);
  wr32(out, TCP_SEQ, r.seq);
  wr32(out, TCP_ACKNO, r.ack);
  out[TCP_DOFF] = (hlen / 4) << 4;
  out[TCP_FLAGS] = r.flags;
  wr16(out, TCP_WINDOW, r.window);
  wr16(out, TCP_URGPTR, r.urgent);
  let o = TCP_HLEN;
  for (const opt of r.options) {
    emitTcpOption(out, o, opt);
    o += tcpOptionLength(opt);
  }
  out.set(r.payload, hlen);
  const sum = csumPartial(out, 0, out.length, csumPseudo(saddr, daddr, 6, out.length));
  wr16(out, TCP_CHECK, ~csumFold(sum) & 0xffff);
  return out;
}
