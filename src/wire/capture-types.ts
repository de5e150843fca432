/** What a capture file holds, whichever of the two formats it is in, and the error of a file that is neither. */
import { LabError } from "../errors.ts";

export interface CaptureInterface {
  name: string;
  description?: string;
  linktype: number;
  snaplen: number;
}

export interface CapturedPacket {
  /** Index into `interfaces` of the whole file. */
  ifId: number;
  /** Time since the epoch of the capture; seconds and nanoseconds, both exact. */
  sec: number;
  nsec: number;
  /** The captured bytes, a view into the file. */
  frame: Uint8Array;
  /** Length on the wire; above `frame.length` when the capture cut it. */
  origLen: number;
  direction?: "in" | "out";
  comments: string[];
  /** A TC verdict, where one was written. */
  verdict?: number;
}

export interface Capture {
  format: "pcap" | "pcapng";
  interfaces: CaptureInterface[];
  packets: CapturedPacket[];
  /** userappl of the first section. */
  application?: string;
}

/** Time of a packet in ns; exact below 2^53 (virtual time is), rounded for dates. */
export const packetTimeNs = (p: CapturedPacket): number => p.sec * 1e9 + p.nsec;

export function captureError(offset: number, what: string): LabError {
  return new LabError("ERR_CAPTURE_FORMAT", `byte ${offset}: ${what}`, {
    hint: "A pcapng or pcap file is expected, as tcpdump, Wireshark and guelab write them.",
  });
}

/** Loads of either byte order, unchecked. */
export class EndianReader {
  readonly b: Uint8Array;
  readonly little: boolean;
  constructor(b: Uint8Array, little: boolean) {
    this.b = b;
    this.little = little;
  }
  u16(off: number): number {
    const { b } = this;
    return this.little ? b[off] | (b[off + 1] << 8) : (b[off] << 8) | b[off + 1];
  }
  u32(off: number): number {
    const lo = this.u16(off);
    const hi = this.u16(off + 2);
    return this.little ? hi * 0x10000 + lo : lo * 0x10000 + hi;
  }
  /** A 64-bit number stored as a whole (not as pcapng's two halves of a timestamp). */
  u64(off: number): bigint {
    const [hi, lo] = this.little ? [off + 4, off] : [off, off + 4];
    return (BigInt(this.u32(hi)) << 32n) | BigInt(this.u32(lo));
  }
}
