/**
 * Reads capture files: classic pcap (draft-ietf-opsawg-pcap; micro- and nanoseconds, both byte orders) here, pcapng in
 * pcapng-reader.ts. Malformed files give LabError ERR_CAPTURE_FORMAT with the byte offset; nothing else is thrown.
 */
import { rd32 } from "./bytes.ts";
import { type Capture, type CapturedPacket, captureError, EndianReader } from "./capture-types.ts";
import { PCAPNG_SHB } from "./pcapng-format.ts";
import { readPcapng } from "./pcapng-reader.ts";

const MAGIC_US = 0xa1b2c3d4;
const MAGIC_NS = 0xa1b23c4d;
const FILE_HLEN = 24;
const RECORD_HLEN = 16;

/** True when the file starts with the magic number of one of the two formats. */
export function isCapture(b: Uint8Array): boolean {
  return b.length >= 4 && (rd32(b, 0) === PCAPNG_SHB || pcapByteOrder(b) !== undefined);
}

/** Reads a whole pcapng or pcap file; the frames are views into `b`. */
export function readCapture(b: Uint8Array): Capture {
  if (b.length >= 4 && rd32(b, 0) === PCAPNG_SHB) return readPcapng(b);
  return readPcap(b);
}

function pcapByteOrder(b: Uint8Array): { little: boolean; nano: boolean } | undefined {
  for (const little of [true, false]) {
    const magic = new EndianReader(b, little).u32(0);
    if (magic === MAGIC_US || magic === MAGIC_NS) return { little, nano: magic === MAGIC_NS };
  }
  return undefined;
}

/** Reads a classic pcap file. */
function readPcap(b: Uint8Array): Capture {
  const order = b.length >= 4 ? pcapByteOrder(b) : undefined;
  if (!order) throw captureError(0, "no capture file: its first four bytes are no known magic number");
  if (b.length < FILE_HLEN) throw captureError(b.length, `file header cut short, ${FILE_HLEN} bytes expected`);
  const r = new EndianReader(b, order.little);
  if (r.u16(4) !== 2) throw captureError(4, `pcap version ${r.u16(4)}.${r.u16(6)}, 2.4 expected`);
  const packets: CapturedPacket[] = [];
  let at = FILE_HLEN;
  while (at < b.length) {
    if (b.length - at < RECORD_HLEN) throw captureError(at, "record header cut short");
    const caplen = r.u32(at + 8);
    if (caplen > b.length - at - RECORD_HLEN)
      throw captureError(at, `record of ${caplen} bytes, but only ${b.length - at - RECORD_HLEN} are left`);
    const start = at + RECORD_HLEN;
    packets.push({
      ifId: 0,
      sec: r.u32(at),
      nsec: r.u32(at + 4) * (order.nano ? 1 : 1000),
      frame: b.subarray(start, start + caplen),
      origLen: r.u32(at + 12),
      comments: [],
    });
    at = start + caplen;
  }
  // The upper bits of the link type word tell of a frame check sequence.
  const linktype = r.u32(20) & 0xffff;
  return { format: "pcap", interfaces: [{ name: "", linktype, snaplen: r.u32(16) }], packets };
}
