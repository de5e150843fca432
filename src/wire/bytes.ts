/**
 * Big-endian ("network order") loads and stores on a byte array.
 *
 * Every accessor of this folder is built on these. None checks bounds: a header's `*Check()` proves once that its
 * getters stay inside the frame. Values are host-order unsigned numbers.
 */

/** Loads an unsigned 16-bit big-endian integer. */
export function rd16(b: Uint8Array, off: number): number {
  return (b[off] << 8) | b[off + 1];
}

/** Loads an unsigned 32-bit big-endian integer. */
export function rd32(b: Uint8Array, off: number): number {
  return ((b[off] << 24) | (b[off + 1] << 16) | (b[off + 2] << 8) | b[off + 3]) >>> 0;
}

/** Stores the low 16 bits of `v` big-endian. */
export function wr16(b: Uint8Array, off: number, v: number): void {
  b[off] = v >>> 8;
  b[off + 1] = v;
}

/** Stores the low 32 bits of `v` big-endian. */
export function wr32(b: Uint8Array, off: number, v: number): void {
  b[off] = v >>> 24;
  b[off + 1] = v >>> 16;
  b[off + 2] = v >>> 8;
  b[off + 3] = v;
}

/** True when the `len` bytes at `a[aOff]` and `b[bOff]` are equal. */
export function bytesEqual(a: Uint8Array, aOff: number, b: Uint8Array, bOff: number, len: number): boolean {
  for (let i = 0; i < len; i++) if (a[aOff + i] !== b[bOff + i]) return false;
  return true;
}

/** Copies `len` bytes within or between arrays, front to back; `dst` may overlap `src` only from below. */
export function copyBytes(dst: Uint8Array, dstOff: number, src: Uint8Array, srcOff: number, len: number): void {
  for (let i = 0; i < len; i++) dst[dstOff + i] = src[srcOff + i];
}

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));

/** Lower-case hex without separators. */
export function toHex(b: Uint8Array, off = 0, end = b.length): string {
  let s = "";
  for (let i = off; i < end; i++) s += HEX[b[i]];
  return s;
}

/** Parses hex; white space, `:` and `-` between bytes are ignored. Undefined when it is not hex or has an odd length. */
export function fromHex(text: string): Uint8Array | undefined {
  const s = text.replace(/[\s:-]/g, "");
  if (s.length % 2 !== 0 || /[^0-9a-fA-F]/.test(s)) return undefined;
  const out = new Uint8Array(s.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(s.slice(2 * i, 2 * i + 2), 16);
  return out;
}
