/**
 * IPv4 fragmentation and reassembly (RFC 791 section 3.2; RFC 815's holes are found by keeping the parts sorted).
 *
 * Overlapping fragments discard the whole datagram (RFC 5722's answer, which Linux applies to IPv4 too); an exact
 * repetition is ignored. A datagram that is not complete after 30 s is given up.
 */
import type { Skb } from "../dataplane/skb.ts";
import { rd32, wr16 } from "../wire/bytes.ts";
import { ETH_HLEN } from "../wire/ethernet.ts";
import {
  IP_DF,
  IP_MF,
  IP_OFFMASK,
  IPV4_FRAG_OFF,
  IPV4_HLEN,
  IPV4_TOT_LEN,
  ipFragOff,
  ipHlen,
  ipId,
  ipProto,
  ipSaddr,
  ipSendCheck,
  ipTotLen,
} from "../wire/ipv4.ts";
import type { DropSite, SimEnv } from "./env.ts";
import type { SkbPool } from "./pool.ts";
import { SEC, type Timer } from "./types.ts";

const REASSEMBLY_TIMEOUT_NS = 30 * SEC;
/** Datagrams under reassembly per host; then the oldest is given up. */
const QUEUE_LIMIT = 256;

/**
 * Cuts the packet at `skb` (MAC header first) into fragments of at most `mtu` bytes and gives each to `emit`, in order.
 * Does not take `skb` over. The packet may be a fragment itself. An mtu below header + 8 sends nothing.
 */
export function fragment(pool: SkbPool, skb: Skb, mtu: number, emit: (fragment: Skb) => void): void {
  const ip = skb.head + ETH_HLEN;
  const hlen = ipHlen(skb.buf, ip);
  const total = ipTotLen(skb.buf, ip) - hlen;
  const word = ipFragOff(skb.buf, ip);
  const room = (mtu - hlen) & ~7;
  if (room <= 0) return;
  for (let at = 0; at < total; at += room) {
    const last = at + room >= total;
    const len = last ? total - at : room;
    const frag = pool.get(ETH_HLEN + hlen + len);
    const to = frag.head + ETH_HLEN;
    frag.buf.set(skb.buf.subarray(skb.head, ip + hlen), frag.head);
    frag.buf.set(skb.buf.subarray(ip + hlen + at, ip + hlen + at + len), to + hlen);
    if (at > 0) blankUncopiedOptions(frag.buf, to, hlen);
    wr16(frag.buf, to + IPV4_TOT_LEN, hlen + len);
    wr16(
      frag.buf,
      to + IPV4_FRAG_OFF,
      (word & ~(IP_OFFMASK | IP_MF)) | ((word & IP_OFFMASK) + (at >>> 3)) | (last ? word & IP_MF : IP_MF),
    );
    ipSendCheck(frag.buf, to);
    frag.mark = skb.mark;
    frag.journey = skb.journey;
    emit(frag);
  }
}

/** Options without the "copied" bit stand in the first fragment only; the others have no-operations there. */
function blankUncopiedOptions(buf: Uint8Array, ip: number, hlen: number): void {
  for (let o = ip + IPV4_HLEN; o < ip + hlen; ) {
    const kind = buf[o];
    if (kind === 0) return;
    const len = kind === 1 ? 1 : buf[o + 1];
    if (len < 1 || (kind !== 1 && len < 2) || o + len > ip + hlen) return;
    if ((kind & 0x80) === 0) buf.fill(1, o, o + len);
    o += len;
  }
}

/** A datagram under reassembly: its parts sorted by offset. */
interface Queue {
  key: string;
  parts: { off: number; len: number; skb: Skb }[];
  /** Payload length, once the last fragment is there; -1 before. */
  total: number;
  timer: Timer;
}

export class Reassembler {
  private readonly env: SimEnv;
  private readonly site: DropSite;
  private readonly onTimeout: (first: Skb) => void;
  private readonly queues = new Map<string, Queue>();

  /** `onTimeout` is shown the first fragment of a datagram that was given up, if it has come; it must not keep it. */
  constructor(env: SimEnv, site: DropSite, onTimeout: (first: Skb) => void) {
    this.env = env;
    this.site = site;
    this.onTimeout = onTimeout;
  }

  /** Datagrams under reassembly. */
  get size(): number {
    return this.queues.size;
  }

  /** Takes a checked fragment over. Returns the whole datagram when this was what it lacked. */
  add(skb: Skb): Skb | undefined {
    const ip = skb.head + ETH_HLEN;
    const { buf } = skb;
    const key = `${ipSaddr(buf, ip)} ${rd32(buf, ip + 16)} ${ipId(buf, ip)} ${ipProto(buf, ip)}`;
    const off = (ipFragOff(buf, ip) & IP_OFFMASK) * 8;
    const len = ipTotLen(buf, ip) - ipHlen(buf, ip);
    const more = (ipFragOff(buf, ip) & IP_MF) !== 0;
    if (len === 0 || (more && (len & 7) !== 0) || off + len > 65_535) {
      this.env.drop("ip", "malformed fragment", this.site, skb);
      return undefined;
    }
    const q = this.queues.get(key) ?? this.open(key);
    const i = q.parts.findIndex((p) => p.off + p.len > off);
    const next = i < 0 ? undefined : q.parts[i];
    if (next !== undefined && next.off === off && next.len === len) {
      this.env.drop("ip", "repeated fragment", this.site, skb);
      return undefined;
    }
    const end = off + len;
    const lastEnd = q.parts.length > 0 ? q.parts[q.parts.length - 1].off + q.parts[q.parts.length - 1].len : 0;
    const beyond = q.total >= 0 ? end > q.total || (!more && end !== q.total) : !more && end < lastEnd;
    if ((next !== undefined && next.off < end) || beyond) {
      this.env.drop("ip", "overlapping fragments: the datagram is discarded", this.site, skb);
      this.discard(q, "overlapping fragments: the datagram is discarded");
      return undefined;
    }
    if (!more) q.total = end;
    q.parts.splice(i < 0 ? q.parts.length : i, 0, { off, len, skb });
    return this.complete(q) ? this.join(q) : undefined;
  }

  private open(key: string): Queue {
    if (this.queues.size >= QUEUE_LIMIT) {
      const oldest: Queue = this.queues.values().next().value!;
      this.discard(oldest, "too many datagrams under reassembly");
    }
    const q: Queue = { key, parts: [], total: -1, timer: this.env.clock.timer(() => this.expire(q)) };
    q.timer.start(REASSEMBLY_TIMEOUT_NS);
    this.queues.set(key, q);
    return q;
  }

  private complete(q: Queue): boolean {
    let at = 0;
    for (const p of q.parts) {
      if (p.off !== at) return false;
      at += p.len;
    }
    return at === q.total;
  }

  /** The datagram with the first fragment's headers. Fragments of one datagram may differ in their options only. */
  private join(q: Queue): Skb | undefined {
    const first = q.parts[0].skb;
    const hlen = ipHlen(first.buf, first.head + ETH_HLEN);
    if (hlen + q.total > 65_535) {
      this.discard(q, "the reassembled datagram is too long");
      return undefined;
    }
    const whole = this.env.pool.get(ETH_HLEN + hlen + q.total);
    const ip = whole.head + ETH_HLEN;
    whole.buf.set(first.buf.subarray(first.head, first.head + ETH_HLEN + hlen), whole.head);
    for (const { off, len, skb } of q.parts) {
      whole.fragMaxSize = Math.max(whole.fragMaxSize, len + ipHlen(skb.buf, skb.head + ETH_HLEN));
      const from = skb.head + ETH_HLEN + ipHlen(skb.buf, skb.head + ETH_HLEN);
      whole.buf.set(skb.buf.subarray(from, from + len), ip + hlen + off);
      this.env.pool.put(skb);
    }
    whole.ifindex = first.ifindex;
    whole.journey = first.journey;
    wr16(whole.buf, ip + IPV4_TOT_LEN, hlen + q.total);
    wr16(whole.buf, ip + IPV4_FRAG_OFF, ipFragOff(whole.buf, ip) & IP_DF);
    ipSendCheck(whole.buf, ip);
    this.close(q);
    return whole;
  }

  private expire(q: Queue): void {
    if (q.parts.length > 0 && q.parts[0].off === 0) this.onTimeout(q.parts[0].skb);
    this.discard(q, "not all fragments came within 30 s");
  }

  private discard(q: Queue, reason: string): void {
    for (const p of q.parts) this.env.drop("ip", reason, this.site, p.skb);
    this.close(q);
  }

  private close(q: Queue): void {
    q.parts = [];
    q.timer.stop();
    this.queues.delete(q.key);
  }
}
