/**
 * Writes pcapng (draft-ietf-opsawg-pcapng): one section, little-endian, timestamps in nanoseconds. The same calls give
 * the same bytes: nothing of the machine or of the time of writing gets in.
 *
 *   section header | interface description * n | enhanced packet * n (interfaces may still be added in between)
 */
import { wr32 } from "./bytes.ts";
import { type Mac, wrMac } from "./ethernet.ts";
import {
  EPB_FLAGS,
  EPB_INBOUND,
  EPB_OUTBOUND,
  EPB_VERDICT,
  IF_DESCRIPTION,
  IF_IPV4ADDR,
  IF_MACADDR,
  IF_NAME,
  IF_TSRESOL,
  LINKTYPE_ETHERNET,
  OPT_COMMENT,
  PCAPNG_BYTE_ORDER_MAGIC,
  PCAPNG_EPB,
  PCAPNG_IDB,
  PCAPNG_SHB,
  pad4,
  SHB_HARDWARE,
  SHB_OS,
  SHB_USERAPPL,
  VERDICT_LINUX_EBPF_TC,
  wrLe16,
  wrLe32,
} from "./pcapng-format.ts";

export interface SectionInfo {
  hardware?: string;
  os?: string;
  userappl?: string;
  comment?: string;
}

export interface InterfaceInfo {
  name: string;
  description?: string;
  /** Longest frame that is written whole, bytes; 0 or left out = unlimited. */
  snaplen?: number;
  mac?: Mac;
  /** Address in host order and its prefix length. */
  ip?: number;
  prefix?: number;
  /** The format has no field for it: written as a comment. */
  mtu?: number;
}

export interface PacketInfo {
  direction?: "in" | "out";
  comment?: string;
  /** What a TC hook returned: TC_ACT_UNSPEC (-1), TC_ACT_SHOT and so on. */
  verdict?: number;
}

type Option = [code: number, value: Uint8Array];
const MAX_OPTION = 0xffff;

const MAX_CACHED = 1000;
const encoder = new TextEncoder();

function encode(value: string): Uint8Array {
  const out = new Uint8Array(Math.min(value.length * 3, MAX_OPTION));
  // encodeInto stops at a whole character where the text is longer than an option can be.
  return out.subarray(0, encoder.encodeInto(value, out).written);
}

const text = (code: number, value: string | undefined): Option[] =>
  value === undefined ? [] : [[code, encode(value)]];

export class PcapngWriter {
  private readonly sink: (chunk: Uint8Array) => void;
  private readonly snaplens: number[] = [];
  /** Encoded comments: most packets of a run share a few. */
  private readonly comments = new Map<string, Uint8Array>();

  /** Writes the section header at once. Every chunk is one whole block. */
  constructor(sink: (chunk: Uint8Array) => void, info: SectionInfo = {}) {
    this.sink = sink;
    const out = block(PCAPNG_SHB, 16, [
      ...text(OPT_COMMENT, info.comment),
      ...text(SHB_HARDWARE, info.hardware),
      ...text(SHB_OS, info.os),
      ...text(SHB_USERAPPL, info.userappl ?? "guelab"),
    ]);
    wrLe32(out, BODY, PCAPNG_BYTE_ORDER_MAGIC);
    wrLe16(out, BODY + 4, 1);
    // Section length -1: not known beforehand.
    out.fill(0xff, BODY + 8, BODY + 16);
    sink(out);
  }

  /** Describes an Ethernet interface and returns its number, counting from 0. */
  addInterface(info: InterfaceInfo): number {
    const options: Option[] = [
      ...text(OPT_COMMENT, info.mtu === undefined ? undefined : `mtu ${info.mtu}`),
      ...text(IF_NAME, info.name),
      ...text(IF_DESCRIPTION, info.description),
    ];
    if (info.ip !== undefined) {
      const addr = new Uint8Array(8);
      const prefix = info.prefix ?? 32;
      wr32(addr, 0, info.ip);
      wr32(addr, 4, prefix === 0 ? 0 : 0xffffffff << (32 - prefix));
      options.push([IF_IPV4ADDR, addr]);
    }
    if (info.mac !== undefined) {
      const mac = new Uint8Array(6);
      wrMac(mac, 0, info.mac);
      options.push([IF_MACADDR, mac]);
    }
    options.push([IF_TSRESOL, Uint8Array.of(9)]);
    const out = block(PCAPNG_IDB, 8, options);
    wrLe16(out, BODY, LINKTYPE_ETHERNET);
    wrLe32(out, BODY + 4, info.snaplen ?? 0);
    this.sink(out);
    return this.snaplens.push(info.snaplen ?? 0) - 1;
  }

  /** Writes a frame, MAC header first. Throws RangeError for an interface that was never added. */
  packet(ifId: number, timeNs: number, frame: Uint8Array, info: PacketInfo = {}): void {
    const snaplen = this.snaplens[ifId];
    if (snaplen === undefined) throw new RangeError(`no interface ${ifId}`);
    const caplen = snaplen === 0 ? frame.length : Math.min(frame.length, snaplen);
    const options: Option[] = [];
    if (info.comment !== undefined) options.push([OPT_COMMENT, this.comment(info.comment)]);
    if (info.direction) {
      const flags = new Uint8Array(4);
      wrLe32(flags, 0, info.direction === "in" ? EPB_INBOUND : EPB_OUTBOUND);
      options.push([EPB_FLAGS, flags]);
    }
    if (info.verdict !== undefined) {
      const verdict = new Uint8Array(9).fill(info.verdict < 0 ? 0xff : 0);
      verdict[0] = VERDICT_LINUX_EBPF_TC;
      wrLe32(verdict, 1, info.verdict);
      options.push([EPB_VERDICT, verdict]);
    }
    const out = block(PCAPNG_EPB, 20 + pad4(caplen), options);
    wrLe32(out, BODY, ifId);
    wrLe32(out, BODY + 4, Math.floor(timeNs / 0x100000000));
    wrLe32(out, BODY + 8, timeNs % 0x100000000);
    wrLe32(out, BODY + 12, caplen);
    wrLe32(out, BODY + 16, frame.length);
    out.set(caplen === frame.length ? frame : frame.subarray(0, caplen), BODY + 20);
    this.sink(out);
  }

  private comment(value: string): Uint8Array {
    let bytes = this.comments.get(value);
    if (!bytes) {
      bytes = encode(value);
      if (this.comments.size < MAX_CACHED) this.comments.set(value, bytes);
    }
    return bytes;
  }
}

/** Bytes of type and length in front of a block's body. */
const BODY = 8;

/** A block with room for `bodyLen` bytes of body, which the caller fills, and its options. */
function block(type: number, bodyLen: number, options: readonly Option[]): Uint8Array {
  // An option list ends with opt_endofopt; a block without options has none at all.
  let optLen = options.length === 0 ? 0 : 4;
  for (const [, value] of options) optLen += 4 + pad4(value.length);
  const total = BODY + bodyLen + optLen + 4;
  const out = new Uint8Array(total);
  wrLe32(out, 0, type);
  wrLe32(out, 4, total);
  let at = BODY + bodyLen;
  for (const [code, value] of options) {
    wrLe16(out, at, code);
    wrLe16(out, at + 2, value.length);
    out.set(value, at + 4);
    at += 4 + pad4(value.length);
  }
  wrLe32(out, total - 4, total);
  return out;
}

/** Collects blocks into one array: `const f = pcapngBuffer(); new PcapngWriter(f.sink); f.bytes()`. */
export function pcapngBuffer(): { sink: (chunk: Uint8Array) => void; bytes: () => Uint8Array } {
  const chunks: Uint8Array[] = [];
  return {
    sink: (chunk) => {
      chunks.push(chunk);
    },
    bytes: () => {
      const out = new Uint8Array(chunks.reduce((n, c) => n + c.length, 0));
      let at = 0;
      for (const c of chunks) {
        out.set(c, at);
        at += c.length;
      }
      return out;
    },
  };
}
