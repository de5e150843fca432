/** Numbers of the pcapng format (draft-ietf-opsawg-pcapng) that writer and reader share; little-endian helpers. */

/** Block types. */
export const PCAPNG_SHB = 0x0a0d0d0a;
export const PCAPNG_IDB = 1;
export const PCAPNG_SPB = 3;
export const PCAPNG_EPB = 6;
export const PCAPNG_BYTE_ORDER_MAGIC = 0x1a2b3c4d;

/** Options of every block. */
export const OPT_ENDOFOPT = 0;
export const OPT_COMMENT = 1;
/** Options of the section header block. */
export const SHB_HARDWARE = 2;
export const SHB_OS = 3;
export const SHB_USERAPPL = 4;
/** Options of the interface description block. */
export const IF_NAME = 2;
export const IF_DESCRIPTION = 3;
export const IF_IPV4ADDR = 4;
export const IF_MACADDR = 6;
export const IF_TSRESOL = 9;
export const IF_TSOFFSET = 14;
/** Options of the enhanced packet block. */
export const EPB_FLAGS = 2;
export const EPB_VERDICT = 7;
/** Direction bits of epb_flags. */
export const EPB_INBOUND = 1;
export const EPB_OUTBOUND = 2;
/** First byte of epb_verdict: the value is what a TC program returned, 64 bits. */
export const VERDICT_LINUX_EBPF_TC = 1;

export const LINKTYPE_ETHERNET = 1;

export function wrLe16(b: Uint8Array, off: number, v: number): void {
  b[off] = v;
  b[off + 1] = v >>> 8;
}
export function wrLe32(b: Uint8Array, off: number, v: number): void {
  b[off] = v;
  b[off + 1] = v >>> 8;
  b[off + 2] = v >>> 16;
  b[off + 3] = v >>> 24;
}

/** `n` rounded up to whole 32-bit words. */
export const pad4 = (n: number): number => (n + 3) & ~3;
