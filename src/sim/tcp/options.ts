/** TCP options, read and written (RFC 9293 section 3.1, RFC 7323, RFC 2018). */
import { rd16, rd32, wr16, wr32 } from "../../wire/bytes.ts";
import {
  TCP_HLEN,
  TCPOPT_EOL,
  TCPOPT_MSS,
  TCPOPT_NOP,
  TCPOPT_SACK,
  TCPOPT_SACK_PERM,
  TCPOPT_TIMESTAMP,
  TCPOPT_WINDOW,
  tcpHlen,
} from "../../wire/tcp.ts";

/** RFC 7323: larger shifts are taken as 14. */
export const MAX_WSCALE = 14;
/** NOP, NOP, timestamp option of 10 bytes: the layout every segment of an established connection has. */
const TS_LAYOUT = 0x0101080a;
export const TS_LEN = 12;

/** The options of one segment. One object per host, overwritten by each segment. */
export class TcpOptions {
  /** 0 = absent. */
  mss = 0;
  /** -1 = absent. */
  wscale = -1;
  sackPermitted = false;
  hasTs = false;
  tsVal = 0;
  tsEcr = 0;
  /** SACK blocks: `sack[2i]`, `sack[2i+1]` are sequence numbers. */
  sackCount = 0;
  readonly sack: number[] = [0, 0, 0, 0, 0, 0, 0, 0];

  /** Reads the options of the header at `off`, which tcpCheck has proved. Unknown ones are skipped. */
  parse(pkt: Uint8Array, off: number): void {
    const hlen = tcpHlen(pkt, off);
    this.hasTs = false;
    this.sackCount = 0;
    this.mss = 0;
    this.wscale = -1;
    this.sackPermitted = false;
    if (hlen === TCP_HLEN) return;
    if (hlen === TCP_HLEN + TS_LEN && rd32(pkt, off + TCP_HLEN) === TS_LAYOUT) {
      this.hasTs = true;
      this.tsVal = rd32(pkt, off + TCP_HLEN + 4);
      this.tsEcr = rd32(pkt, off + TCP_HLEN + 8);
      return;
    }
    const end = off + hlen;
    let o = off + TCP_HLEN;
    while (o < end && pkt[o] !== TCPOPT_EOL) {
      if (pkt[o] === TCPOPT_NOP) {
        o++;
        continue;
      }
      if (o + 1 >= end) return;
      const len = pkt[o + 1];
      if (len < 2 || o + len > end) return;
      this.one(pkt, o, pkt[o], len);
      o += len;
    }
  }

  private one(pkt: Uint8Array, o: number, kind: number, len: number): void {
    if (kind === TCPOPT_MSS && len === 4) this.mss = rd16(pkt, o + 2);
    else if (kind === TCPOPT_WINDOW && len === 3) this.wscale = Math.min(pkt[o + 2], MAX_WSCALE);
    else if (kind === TCPOPT_SACK_PERM && len === 2) this.sackPermitted = true;
    else if (kind === TCPOPT_TIMESTAMP && len === 10) {
      this.hasTs = true;
      this.tsVal = rd32(pkt, o + 2);
      this.tsEcr = rd32(pkt, o + 6);
    } else if (kind === TCPOPT_SACK && (len - 2) % 8 === 0) {
      this.sackCount = Math.min((len - 2) / 8, 4);
      for (let i = 0; i < 2 * this.sackCount; i++) this.sack[i] = rd32(pkt, o + 2 + 4 * i);
    }
  }
}

/** Bytes of a SYN's options as `writeSynOptions` writes them. */
export function synOptionLen(sack: boolean, timestamps: boolean, wscale: number): number {
  return 4 + (timestamps ? TS_LEN : sack ? 4 : 0) + (wscale >= 0 ? 4 : 0);
}

/** Writes the options of a SYN in Linux' order: MSS, SACK permitted, timestamps, NOP, window scale. `wscale` -1 = none. */
export function writeSynOptions(
  pkt: Uint8Array,
  o: number,
  mss: number,
  sack: boolean,
  timestamps: boolean,
  tsVal: number,
  tsEcr: number,
  wscale: number,
): void {
  pkt[o] = TCPOPT_MSS;
  pkt[o + 1] = 4;
  wr16(pkt, o + 2, mss);
  o += 4;
  if (sack || timestamps) {
    wr16(pkt, o, sack ? (TCPOPT_SACK_PERM << 8) | 2 : (TCPOPT_NOP << 8) | TCPOPT_NOP);
    if (timestamps) {
      wr16(pkt, o + 2, TS_LAYOUT & 0xffff);
      wr32(pkt, o + 4, tsVal);
      wr32(pkt, o + 8, tsEcr);
      o += TS_LEN;
    } else {
      wr16(pkt, o + 2, (TCPOPT_NOP << 8) | TCPOPT_NOP);
      o += 4;
    }
  }
  if (wscale >= 0) wr32(pkt, o, ((TCPOPT_NOP << 24) | (TCPOPT_WINDOW << 16) | (3 << 8) | wscale) >>> 0);
}

/** Writes NOP, NOP, timestamps. */
export function writeTimestamps(pkt: Uint8Array, o: number, tsVal: number, tsEcr: number): void {
  wr32(pkt, o, TS_LAYOUT);
  wr32(pkt, o + 4, tsVal);
  wr32(pkt, o + 8, tsEcr);
}

/** Writes NOP, NOP, `count` SACK blocks given as offsets from `irs`; 4 + 8 * count bytes. */
export function writeSack(pkt: Uint8Array, o: number, blocks: number[], count: number, irs: number): void {
  wr32(pkt, o, 0x01010000 | (TCPOPT_SACK << 8) | (2 + 8 * count));
  for (let i = 0; i < 2 * count; i++) wr32(pkt, o + 4 + 4 * i, (irs + blocks[i]) >>> 0);
}
