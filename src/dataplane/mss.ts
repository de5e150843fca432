/**
 * The MSS clamp (SPEC section 5; option format RFC 9293 section 3.1): lowers the MSS option of a TCP SYN or SYN/ACK to
 * what fits the tunnel. Twin of bpf/include/mss.h.
 */
import { IPPROTO_TCP } from "../wire/ipv4.ts";
import { TCP_DOFF, TCP_FLAGS, TCP_HLEN, TCP_SYN, TCPOPT_EOL, TCPOPT_MSS, TCPOPT_NOP } from "../wire/tcp.ts";
import { delta16, l4CsumUpdate } from "./nat.ts";

/** Bytes between the MTU and the MSS: the tunnel's 52, an IPv4 and a TCP header without options. */
export const MSS_OVERHEAD = 92;
const TCPOLEN_MSS = 4;

const swap16 = (v: number): number => ((v & 0xff) << 8) | (v >>> 8);

/**
 * Lowers the MSS of the SYN at `l4` to `mtu - 92` and fixes the TCP checksum; true when it did. `end` is the end of the
 * IPv4 packet: a header that claims to reach beyond it is left alone. The first MSS option decides.
 */
export function clampMss(v: DataView, l4: number, end: number, mtu: number): boolean {
  if (mtu < MSS_OVERHEAD || (v.getUint8(l4 + TCP_FLAGS) & TCP_SYN) === 0) return false;
  const stop = l4 + (v.getUint8(l4 + TCP_DOFF) >>> 4) * 4;
  if (stop > end) return false;
  let o = l4 + TCP_HLEN;
  while (o < stop) {
    const kind = v.getUint8(o);
    if (kind === TCPOPT_EOL) return false;
    if (kind === TCPOPT_NOP) {
      o++;
      continue;
    }
    if (o + 1 >= stop) return false;
    const len = v.getUint8(o + 1);
    if (len < 2 || o + len > stop) return false;
    if (kind === TCPOPT_MSS) return len === TCPOLEN_MSS && lower(v, l4, o + 2, mtu - MSS_OVERHEAD);
    o += len;
  }
  return false;
}

function lower(v: DataView, l4: number, at: number, mss: number): boolean {
  const old = v.getUint16(at);
  if (old <= mss) return false;
  // At an odd offset the value's two bytes belong to two checksum words, each in the other half.
  const odd = ((at - l4) & 1) !== 0;
  l4CsumUpdate(v, l4, IPPROTO_TCP, odd ? delta16(swap16(old), swap16(mss)) : delta16(old, mss));
  v.setUint16(at, mss);
  return true;
}
