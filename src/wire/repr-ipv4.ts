/** Plain object for an IPv4 packet with options (RFC 791). */
import { wr16, wr32 } from "./bytes.ts";
import {
  IP_DF,
  IP_MF,
  IP_OFFMASK,
  IP_RF,
  IPV4_DADDR,
  IPV4_FRAG_OFF,
  IPV4_HLEN,
  IPV4_ID,
  IPV4_PROTO,
  IPV4_SADDR,
  IPV4_TOS,
  IPV4_TOT_LEN,
  IPV4_TTL,
  ipDaddr,
  ipFragOff,
  ipHlen,
  ipId,
  ipProto,
  ipSaddr,
  ipSendCheck,
  ipTos,
  ipTotLen,
  ipTtl,
  ipv4Check,
} from "./ipv4.ts";

/** Option types (RFC 791 section 3.1, RFC 2113). */
export const IPOPT_END = 0;
export const IPOPT_NOP = 1;
export const IPOPT_RR = 7;
export const IPOPT_TS = 68;
export const IPOPT_LSRR = 131;
export const IPOPT_SSRR = 137;
export const IPOPT_RA = 148;

/** One option; `data` is what stands behind type and length, empty for a no-operation. */
export interface Ipv4Option {
  type: number;
  data: Uint8Array;
}

export interface Ipv4Repr {
  tos: number;
  id: number;
  /** The reserved flag; always false in what hosts send. */
  rf: boolean;
  df: boolean;
  mf: boolean;
  /** Fragment offset in units of 8 bytes. */
  fragOffset: number;
  ttl: number;
  proto: number;
  /** Host order. */
  saddr: number;
  daddr: number;
  /** Without end-of-list and padding. */
  options: Ipv4Option[];
  /** The bytes between the header and the total length. */
  payload: Uint8Array;
}

/**
 * Undefined when the packet is not whole within [off, end) (see `ipv4Check`) or an option is malformed. The checksum is
 * not looked at (see `ipv4ChecksumOk`); bytes behind the total length are ignored.
 */
export function parseIpv4Packet(b: Uint8Array, off = 0, end = b.length): Ipv4Repr | undefined {
  if (off < 0 || !ipv4Check(b, off, end)) return undefined;
  const options = parseIpv4Options(b, off + IPV4_HLEN, off + ipHlen(b, off));
  if (!options) return undefined;
  const frag = ipFragOff(b, off);
  return {
    tos: ipTos(b, off),
    id: ipId(b, off),
    rf: (frag & IP_RF) !== 0,
    df: (frag & IP_DF) !== 0,
    mf: (frag & IP_MF) !== 0,
    fragOffset: frag & IP_OFFMASK,
    ttl: ipTtl(b, off),
    proto: ipProto(b, off),
    saddr: ipSaddr(b, off),
    daddr: ipDaddr(b, off),
    options,
    payload: b.slice(off + ipHlen(b, off), off + ipTotLen(b, off)),
  };
}

/** Options in [off, end) up to end-of-list; undefined when one has a length below 2 or beyond `end`. */
export function parseIpv4Options(b: Uint8Array, off: number, end: number): Ipv4Option[] | undefined {
  const out: Ipv4Option[] = [];
  let o = off;
  while (o < end && b[o] !== IPOPT_END) {
    if (b[o] === IPOPT_NOP) {
      out.push({ type: IPOPT_NOP, data: new Uint8Array(0) });
      o++;
      continue;
    }
    const len = o + 1 < end ? b[o + 1] : 0;
    if (len < 2 || o + len > end) return undefined;
    out.push({ type: b[o], data: b.slice(o + 2, o + len) });
    o += len;
  }
  return out;
}

/** Length of the options in bytes, padded to whole words. */
export function ipv4OptionsLength(options: readonly Ipv4Option[]): number {
  const len = options.reduce((n, o) => n + (o.type === IPOPT_NOP ? 1 : 2 + o.data.length), 0);
  return (len + 3) & ~3;
}

/** The packet with header length, total length and checksum filled in; options are padded with end-of-list. */
export function emitIpv4(r: Ipv4Repr): Uint8Array {
  const hlen = IPV4_HLEN + ipv4OptionsLength(r.options);
  const out = new Uint8Array(hlen + r.payload.length);
  out[0] = 0x40 | (hlen / 4);
  out[IPV4_TOS] = r.tos;
  wr16(out, IPV4_TOT_LEN, out.length);
  wr16(out, IPV4_ID, r.id);
  wr16(out, IPV4_FRAG_OFF, (r.rf ? IP_RF : 0) | (r.df ? IP_DF : 0) | (r.mf ? IP_MF : 0) | r.fragOffset);
  out[IPV4_TTL] = r.ttl;
  out[IPV4_PROTO] = r.proto;
  wr32(out, IPV4_SADDR, r.saddr);
  wr32(out, IPV4_DADDR, r.daddr);
  let o = IPV4_HLEN;
  for (const opt of r.options) {
    out[o++] = opt.type;
    if (opt.type === IPOPT_NOP) continue;
    out[o++] = opt.data.length + 2;
    out.set(opt.data, o);
    o += opt.data.length;
  }
  ipSendCheck(out, 0);
  out.set(r.payload, hlen);
  return out;
}
