/**
 * Reads pcapng (draft-ietf-opsawg-pcapng): both byte orders, several sections, enhanced and simple packet blocks; the
 * obsolete packet block and unknown blocks are skipped. Malformed files give LabError ERR_CAPTURE_FORMAT with the byte
 * offset; nothing else is thrown.
 */
import { type Capture, type CaptureInterface, captureError, EndianReader } from "./capture-types.ts";
import {
  EPB_FLAGS,
  EPB_INBOUND,
  EPB_OUTBOUND,
  EPB_VERDICT,
  IF_DESCRIPTION,
  IF_NAME,
  IF_TSOFFSET,
  IF_TSRESOL,
  OPT_COMMENT,
  OPT_ENDOFOPT,
  PCAPNG_BYTE_ORDER_MAGIC,
  PCAPNG_EPB,
  PCAPNG_IDB,
  PCAPNG_SHB,
  PCAPNG_SPB,
  pad4,
  SHB_USERAPPL,
  VERDICT_LINUX_EBPF_TC,
} from "./pcapng-format.ts";

interface Interface extends CaptureInterface {
  /** Timestamp units per second, and seconds to add. */
  unit: bigint;
  offset: bigint;
}

interface State {
  r: EndianReader;
  out: Capture;
  interfaces: Interface[];
  /** Number of the section's first interface in the whole file. */
  base: number;
}

/** Reads a whole file; the frames are views into `b`. */
export function readPcapng(b: Uint8Array): Capture {
  const interfaces: Interface[] = [];
  const out: Capture = { format: "pcapng", interfaces, packets: [] };
  const s: State = { r: new EndianReader(b, true), out, interfaces, base: 0 };
  let at = 0;
  while (at < b.length) {
    if (b.length - at < 12) throw captureError(at, "block header cut short");
    // The section header's type reads the same in both byte orders; its magic then tells which one the section has.
    const isSection = s.r.u32(at) === PCAPNG_SHB;
    if (at === 0 && !isSection) throw captureError(0, "no pcapng file: it does not start with a section header block");
    if (isSection) {
      s.r = new EndianReader(b, sectionOrder(b, at));
      s.base = interfaces.length;
    }
    const len = s.r.u32(at + 4);
    if (len < 12 || len % 4 !== 0) throw captureError(at + 4, `block length ${len} is no multiple of 4 from 12 on`);
    if (len > b.length - at) throw captureError(at, `block of ${len} bytes, but only ${b.length - at} are left`);
    const trailer = s.r.u32(at + len - 4);
    if (trailer !== len) throw captureError(at + len - 4, `block length ${len} at its start, ${trailer} at its end`);
    readBlock(s, s.r.u32(at), at, at + len - 4);
    at += len;
  }
  return out;
}

function sectionOrder(b: Uint8Array, at: number): boolean {
  for (const little of [true, false])
    if (new EndianReader(b, little).u32(at + 8) === PCAPNG_BYTE_ORDER_MAGIC) return little;
  throw captureError(at + 8, "section header without the byte-order magic 0x1a2b3c4d");
}

/** `end` is where the trailing block length begins. */
function readBlock(s: State, type: number, at: number, end: number): void {
  if (type === PCAPNG_SHB) readSection(s, at, end);
  else if (type === PCAPNG_IDB) readInterface(s, at, end);
  else if (type === PCAPNG_EPB) readEnhanced(s, at, end);
  else if (type === PCAPNG_SPB) readSimple(s, at, end);
}

/** Calls `fn(code, offset, length)` for every option in [at, end). */
function eachOption(s: State, at: number, end: number, fn: (code: number, off: number, len: number) => void): void {
  let o = at;
  while (end - o >= 4) {
    const code = s.r.u16(o);
    const len = s.r.u16(o + 2);
    if (code === OPT_ENDOFOPT) return;
    if (len > end - o - 4) throw captureError(o, `option ${code} of ${len} bytes reaches beyond its block`);
    fn(code, o + 4, len);
    o += 4 + pad4(len);
  }
}

/** Made once: a capture may have a comment at each packet. */
const decoder = new TextDecoder();
const utf8 = (s: State, off: number, len: number): string => decoder.decode(s.r.b.subarray(off, off + len));

function readSection(s: State, at: number, end: number): void {
  if (end - at < 24) throw captureError(at, "section header block too short");
  if (s.r.u16(at + 12) !== 1) throw captureError(at + 12, `pcapng version ${s.r.u16(at + 12)}, 1 expected`);
  eachOption(s, at + 24, end, (code, off, len) => {
    if (code === SHB_USERAPPL) s.out.application ??= utf8(s, off, len);
  });
}

function readInterface(s: State, at: number, end: number): void {
  if (end - at < 16) throw captureError(at, "interface description block too short");
  const itf: Interface = {
    name: "",
    linktype: s.r.u16(at + 8),
    snaplen: s.r.u32(at + 12),
    unit: 1_000_000n,
    offset: 0n,
  };
  eachOption(s, at + 16, end, (code, off, len) => {
    if (code === IF_NAME) itf.name = utf8(s, off, len);
    else if (code === IF_DESCRIPTION) itf.description = utf8(s, off, len);
    else if (code === IF_TSOFFSET && len === 8) itf.offset = BigInt.asIntN(64, s.r.u64(off));
    else if (code === IF_TSRESOL && len === 1) {
      const v = s.r.b[off];
      itf.unit = v & 0x80 ? 1n << BigInt(v & 0x7f) : 10n ** BigInt(v);
    }
  });
  s.interfaces.push(itf);
}

function readEnhanced(s: State, at: number, end: number): void {
  const { r } = s;
  if (end - at < 28) throw captureError(at, "enhanced packet block too short");
  const ifId = s.base + r.u32(at + 8);
  const itf = s.interfaces[ifId];
  if (!itf) throw captureError(at + 8, `packet of interface ${r.u32(at + 8)}, which was not described`);
  const caplen = r.u32(at + 20);
  const start = at + 28;
  if (caplen > end - start) throw captureError(at + 20, `packet of ${caplen} bytes reaches beyond its block`);
  const ticks = (BigInt(r.u32(at + 12)) << 32n) | BigInt(r.u32(at + 16));
  const packet: Capture["packets"][number] = {
    ifId,
    sec: Number(ticks / itf.unit + itf.offset),
    nsec: Number(((ticks % itf.unit) * 1_000_000_000n) / itf.unit),
    frame: r.b.subarray(start, start + caplen),
    origLen: r.u32(at + 24),
    comments: [],
  };
  eachOption(s, start + pad4(caplen), end, (code, off, len) => {
    if (code === OPT_COMMENT) packet.comments.push(utf8(s, off, len));
    else if (code === EPB_FLAGS && len === 4) {
      const dir = r.u32(off) & 3;
      if (dir === EPB_INBOUND) packet.direction = "in";
      else if (dir === EPB_OUTBOUND) packet.direction = "out";
    } else if (code === EPB_VERDICT && len === 9 && r.b[off] === VERDICT_LINUX_EBPF_TC)
      packet.verdict = Number(BigInt.asIntN(64, r.u64(off + 1)));
  });
  s.out.packets.push(packet);
}

/** A simple packet block has no time and belongs to the section's first interface. */
function readSimple(s: State, at: number, end: number): void {
  if (end - at < 12) throw captureError(at, "simple packet block too short");
  const itf = s.interfaces[s.base];
  if (!itf) throw captureError(at, "packet before any interface was described");
  const origLen = s.r.u32(at + 8);
  const caplen = itf.snaplen === 0 ? origLen : Math.min(origLen, itf.snaplen);
  if (caplen > end - at - 12) throw captureError(at + 8, `packet of ${caplen} bytes reaches beyond its block`);
  const frame = s.r.b.subarray(at + 12, at + 12 + caplen);
  s.out.packets.push({ ifId: s.base, sec: 0, nsec: 0, frame, origLen, comments: [] });
}
