/**
 * The Internet checksum (RFC 1071) and its incremental update (RFC 1624).
 *
 * A "sum" is an unfolded one's-complement sum (a JS number, below 2^53); a "checksum" is the folded, inverted 16-bit
 * value as it stands in a header.
 */
import { rd32 } from "./bytes.ts";

/** Adds the `len` bytes at `off` to `sum`; an odd last byte counts as the high half of a word. */
export function csumPartial(b: Uint8Array, off: number, len: number, sum = 0): number {
  const end4 = off + (len & ~3);
  const end = off + len;
  let i = off;
  // A u32 word is congruent to the sum of its halves modulo 0xffff, so whole words can be added and folded at the end.
  for (; i < end4; i += 4) sum += ((b[i] << 24) | (b[i + 1] << 16) | (b[i + 2] << 8) | b[i + 3]) >>> 0;
  if (i + 1 < end) {
    sum += (b[i] << 8) | b[i + 1];
    i += 2;
  }
  if (i < end) sum += b[i] << 8;
  return sum;
}

/**
 * `csumPartial` over a view of the same bytes, for whole segments: a third of the time, since a load takes a word. Any
 * alignment; `len` up to 128 KiB (the four sums of halves stay below 2^32).
 */
export function csumView(v: DataView, off: number, len: number, sum = 0): number {
  const end16 = off + (len & ~15);
  const end = off + len;
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  let i = off;
  for (; i < end16; i += 16) {
    const w = v.getInt32(i);
    const x = v.getInt32(i + 4);
    const y = v.getInt32(i + 8);
    const z = v.getInt32(i + 12);
    a = (a + (w >>> 16) + (x >>> 16)) | 0;
    b = (b + (w & 0xffff) + (x & 0xffff)) | 0;
    c = (c + (y >>> 16) + (z >>> 16)) | 0;
    d = (d + (y & 0xffff) + (z & 0xffff)) | 0;
  }
  for (; i + 1 < end; i += 2) a = (a + v.getUint16(i)) | 0;
  if (i < end) b = (b + (v.getUint8(i) << 8)) | 0;
  return sum + (a >>> 0) + (b >>> 0) + (c >>> 0) + (d >>> 0);
}

/** Folds a sum to 16 bits with end-around carry. */
export function csumFold(sum: number): number {
  // `sum` may exceed 32 bits: first split off the high part, then fold halves twice.
  let s = (sum % 0x100000000) + Math.floor(sum / 0x100000000);
  s = (s & 0xffff) + Math.floor(s / 0x10000);
  s = (s & 0xffff) + (s >>> 16);
  s = (s & 0xffff) + (s >>> 16);
  return s;
}

/** The checksum of the `len` bytes at `off`, on top of `sum`: folded and inverted. */
export function inetChecksum(b: Uint8Array, off: number, len: number, sum = 0): number {
  return ~csumFold(csumPartial(b, off, len, sum)) & 0xffff;
}

/** Sum of the pseudo header of UDP and TCP over IPv4 (RFC 768, RFC 9293); addresses and length in host order. */
export function csumPseudo(saddr: number, daddr: number, proto: number, l4Len: number): number {
  return saddr + daddr + proto + l4Len;
}

/** Checksum after a 16-bit field changed from `from` to `to` (RFC 1624 eqn. 3: HC' = ~(~HC + ~m + m')). */
export function csumReplace16(check: number, from: number, to: number): number {
  let s = (~check & 0xffff) + (~from & 0xffff) + to;
  s = (s & 0xffff) + (s >>> 16);
  s = (s & 0xffff) + (s >>> 16);
  return ~s & 0xffff;
}

/** Checksum after a 32-bit field (an address) changed from `from` to `to`. */
export function csumReplace32(check: number, from: number, to: number): number {
  let s = (~check & 0xffff) + (~from & 0xffff) + ((~from >>> 16) & 0xffff) + (to & 0xffff) + (to >>> 16);
  s = (s & 0xffff) + (s >>> 16);
  s = (s & 0xffff) + (s >>> 16);
  return ~s & 0xffff;
}

/** True when an L4 segment's checksum is right; `off` is the L4 header, `len` its length with payload. */
export function l4ChecksumOk(b: Uint8Array, ipOff: number, off: number, len: number, proto: number): boolean {
  const pseudo = csumPseudo(rd32(b, ipOff + 12), rd32(b, ipOff + 16), proto, len);
  return csumFold(csumPartial(b, off, len, pseudo)) === 0xffff;
}

/** True when the IPv4 header at `off` carries a right header checksum. */
export function ipv4ChecksumOk(b: Uint8Array, off: number): boolean {
  return csumFold(csumPartial(b, off, (b[off] & 0xf) * 4)) === 0xffff;
}
