/** One direction of a TCP connection, put together from its segments (RFC 9293 section 3.4): its bytes, each once, and its flags. */
import { TCP_FIN, TCP_RST, TCP_SYN } from "../wire/tcp.ts";

/** Bytes of a stream that are kept; longer ones are compared as far. */
const LIMIT = 1 << 26;

export class StreamBytes {
  syn = false;
  fin = false;
  rst = false;
  private readonly parts = new Map<number, Uint8Array>();
  /** Sequence number of the first byte. */
  private base: number | undefined;

  add(seq: number, flags: number, payload: Uint8Array): void {
    const isSyn = (flags & TCP_SYN) !== 0;
    if (isSyn) this.syn = true;
    if ((flags & TCP_RST) !== 0) {
      this.rst = true;
      return;
    }
    this.base ??= (seq + (isSyn ? 1 : 0)) >>> 0;
    const at = (seq + (isSyn ? 1 : 0) - this.base) | 0;
    if ((flags & TCP_FIN) !== 0) this.fin = true;
    // A keep-alive's byte lies before the first one (RFC 9293 section 3.8.4).
    if (payload.length === 0 || at < 0 || at + payload.length > LIMIT) return;
    if ((this.parts.get(at)?.length ?? 0) < payload.length) this.parts.set(at, payload);
  }

  /** A SYN with another sequence number than this stream's: a new connection of the same ports. */
  isReopening(seq: number, flags: number): boolean {
    return (flags & TCP_SYN) !== 0 && this.base !== undefined && (seq + 1) >>> 0 !== this.base;
  }

  /** What it carried from the first byte on, up to the first gap. */
  bytes(): Uint8Array {
    const parts = [...this.parts].sort(([a], [b]) => a - b);
    const length = parts.reduce((end, [at, p]) => Math.max(end, at + p.length), 0);
    const out = new Uint8Array(length);
    let end = 0;
    for (const [at, p] of parts) {
      if (at > end) break;
      out.set(p, at);
      end = Math.max(end, at + p.length);
    }
    return out.subarray(0, end);
  }

  get flags(): string {
    return [this.syn && "SYN", this.fin && "FIN", this.rst && "RST"].filter((f) => f).join("+") || "none";
  }
}
