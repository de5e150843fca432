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

function text(code: number, value: string | undefined): Option[] {
  if (value === undefined) return [];
  const out = new Uint8Array(Math.min(value.length * 3, MAX_OPTION));
  // encodeInto stops at a whole character where the text is longer than an option can be.
  return [[code, out.subarray(0, new TextEncoder().encodeInto(value, out).written)]];
}

export class PcapngWriter {
  private readonly sink: (chunk: Uint8Array) => void;
  private readonly snaplens: number[] = [];

  /** Writes the section header at once. Every chunk is one whole block. */
  constructor(sink: (chunk: Uint8Array) => void, info: SectionInfo = {}) {
    this.sink = sink;
    const body = new Uint8Array(16);
    wrLe32(body, 0, PCAPNG_BYTE_ORDER_MAGIC);
    wrLe16(body, 4, 1);
    // Section length -1: not known beforehand.
    body.fill(0xff, 8, 16);
    this.block(PCAPNG_SHB, body, body.length, [
      ...text(OPT_COMMENT, info.comment),
      ...text(SHB_HARDWARE, info.hardware),
      ...text(SHB_OS, info.os),
      ...text(SHB_USERAPPL, info.userappl ?? "guelab"),
    ]);
  }

  /** Describes an Ethernet interface and returns its number, counting from 0. */
  addInterface(info: InterfaceInfo): number {
    const body = new Uint8Array(8);
    wrLe16(body, 0, LINKTYPE_ETHERNET);
    wrLe32(body, 4, info.snaplen ?? 0);
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
    this.block(PCAPNG_IDB, body, body.length, options);
    return this.snaplens.push(info.snaplen ?? 0) - 1;
  }

  /** Writes a frame, MAC header first. Throws RangeError for an interface that was never added. */
  packet(ifId: number, timeNs: number, frame: Uint8Array, info: PacketInfo = {}): void {
    const snaplen = this.snaplens[ifId];
    if (snaplen === undefined) throw new RangeError(`no interface ${ifId}`);
    const caplen = snaplen === 0 ? frame.length : Math.min(frame.length, snaplen);
    const fixed = 20 + pad4(caplen);
    const body = new Uint8Array(fixed);
    wrLe32(body, 0, ifId);
    wrLe32(body, 4, Math.floor(timeNs / 0x100000000));
    wrLe32(body, 8, timeNs % 0x100000000);
    wrLe32(body, 12, caplen);
    wrLe32(body, 16, frame.length);
    body.set(caplen === frame.length ? frame : frame.subarray(0, caplen), 20);

    const options: Option[] = text(OPT_COMMENT, info.comment);
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
    this.block(PCAPNG_EPB, body, fixed, options);
  }

  private block(type: number, body: Uint8Array, bodyLen: number, options: readonly Option[]): void {
    // An option list ends with opt_endofopt; a block without options has none at all.
    const optLen = options.length === 0 ? 0 : options.reduce((n, [, v]) => n + 4 + pad4(v.length), 4);
    const total = 12 + bodyLen + optLen;
    const out = new Uint8Array(total);
    wrLe32(out, 0, type);
    wrLe32(out, 4, total);
    out.set(body, 8);
    let at = 8 + bodyLen;
    for (const [code, value] of options) {
      wrLe16(out, at, code);
      wrLe16(out, at + 2, value.length);
      out.set(value, at + 4);
      at += 4 + pad4(value.length);
    }
    wrLe32(out, total - 4, total);
    this.sink(out);
  }
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
