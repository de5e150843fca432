/** Plain objects for ICMP messages (RFC 792, RFC 1191) and the packet that an error quotes. */
import { rd16, rd32, wr16, wr32 } from "./bytes.ts";
import {
  ICMP_DEST_UNREACH,
  ICMP_ECHO,
  ICMP_ECHOREPLY,
  ICMP_HLEN,
  ICMP_PARAMETERPROB,
  ICMP_REDIRECT,
  ICMP_TIME_EXCEEDED,
  icmpCheck,
  icmpSendCheck,
} from "./icmp.ts";
import { IPV4_HLEN, ipDaddr, ipHlen, ipProto, ipSaddr, ipVersion } from "./ipv4.ts";

/** `quoted` is the packet an error is about: its IPv4 header and 8 bytes or more. `mtu` is 0 unless code is 4. */
export type IcmpRepr =
  | { kind: "echo" | "echoReply"; id: number; seq: number; data: Uint8Array }
  | { kind: "unreachable"; code: number; mtu: number; quoted: Uint8Array }
  | { kind: "timeExceeded"; code: number; quoted: Uint8Array }
  | { kind: "redirect"; code: number; gateway: number; quoted: Uint8Array }
  | { kind: "parameterProblem"; code: number; pointer: number; quoted: Uint8Array }
  | { kind: "other"; type: number; code: number; rest: number; data: Uint8Array };

/** Undefined when the header is not complete. The checksum is not looked at. */
export function parseIcmp(b: Uint8Array, off = 0, end = b.length): IcmpRepr | undefined {
  if (off < 0 || !icmpCheck(b, off, end)) return undefined;
  const type = b[off];
  const code = b[off + 1];
  const rest = rd32(b, off + 4);
  const data = b.slice(off + ICMP_HLEN, end);
  if (type === ICMP_ECHO && code === 0) return { kind: "echo", id: rest >>> 16, seq: rest & 0xffff, data };
  if (type === ICMP_ECHOREPLY && code === 0) return { kind: "echoReply", id: rest >>> 16, seq: rest & 0xffff, data };
  if (type === ICMP_DEST_UNREACH && rest <= 0xffff) return { kind: "unreachable", code, mtu: rest, quoted: data };
  if (type === ICMP_TIME_EXCEEDED && rest === 0) return { kind: "timeExceeded", code, quoted: data };
  if (type === ICMP_REDIRECT) return { kind: "redirect", code, gateway: rest, quoted: data };
  if (type === ICMP_PARAMETERPROB && (rest & 0xffffff) === 0)
    return { kind: "parameterProblem", code, pointer: rest >>> 24, quoted: data };
  return { kind: "other", type, code, rest, data };
}

/** The message with its checksum. */
export function emitIcmp(r: IcmpRepr): Uint8Array {
  const data = "data" in r ? r.data : r.quoted;
  const out = new Uint8Array(ICMP_HLEN + data.length);
  out.set(data, ICMP_HLEN);
  switch (r.kind) {
    case "echo":
    case "echoReply":
      out[0] = r.kind === "echo" ? ICMP_ECHO : ICMP_ECHOREPLY;
      wr16(out, 4, r.id);
      wr16(out, 6, r.seq);
      break;
    case "unreachable":
      out[0] = ICMP_DEST_UNREACH;
      out[1] = r.code;
      wr16(out, 6, r.mtu);
      break;
    case "timeExceeded":
      out[0] = ICMP_TIME_EXCEEDED;
      out[1] = r.code;
      break;
    case "redirect":
      out[0] = ICMP_REDIRECT;
      out[1] = r.code;
      wr32(out, 4, r.gateway);
      break;
    case "parameterProblem":
      out[0] = ICMP_PARAMETERPROB;
      out[1] = r.code;
      out[4] = r.pointer;
      break;
    case "other":
      out[0] = r.type;
      out[1] = r.code;
      wr32(out, 4, r.rest);
      break;
  }
  icmpSendCheck(out, 0, out.length);
  return out;
}

/** What an ICMP error says about the packet it quotes; ports only for UDP and TCP. */
export interface QuotedRepr {
  saddr: number;
  daddr: number;
  proto: number;
  sport?: number;
  dport?: number;
}

/** Undefined when [off, end) holds no whole IPv4 header. The quoted total length may well exceed the quote. */
export function parseQuoted(b: Uint8Array, off = 0, end = b.length): QuotedRepr | undefined {
  if (off < 0 || end > b.length || end - off < IPV4_HLEN || ipVersion(b, off) !== 4) return undefined;
  const hlen = ipHlen(b, off);
  if (hlen < IPV4_HLEN || off + hlen > end) return undefined;
  const proto = ipProto(b, off);
  const out: QuotedRepr = { saddr: ipSaddr(b, off), daddr: ipDaddr(b, off), proto };
  if ((proto === 6 || proto === 17) && end - off - hlen >= 4) {
    out.sport = rd16(b, off + hlen);
    out.dport = rd16(b, off + hlen + 2);
  }
  return out;
}
