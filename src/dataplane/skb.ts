/**
 * A packet under way, as the kernel's sk_buff is to a TC program: bytes with headroom, and what the kernel knows of them.
 */

/** Bytes kept free in front of a frame, so that encap needs no copy: the 52 of the tunnel and some to spare. */
export const HEADROOM = 64;
/** Default buffer: headroom, the largest Ethernet frame of a 1500-byte MTU with room for a tunnel header. */
export const SKB_SIZE = 2048 - 256;

export class Skb {
  /** The frame, MAC header first, is `buf[head..end)`. */
  buf: Uint8Array;
  head: number;
  end: number;
  /** Interface whose hook the packet is in. */
  ifindex = 0;
  /** Payload bytes per segment of a GSO packet; 0 = not GSO. */
  gsoSize = 0;
  mark = 0;
  /** Length of the largest fragment that the packet was reassembled from (IPCB frag_max_size); 0 = it came whole. */
  fragMaxSize = 0;
  /** The VLAN tag that the kernel keeps beside the frame, TCI with 0x10000 set where there is one; 0 = none. */
  vlan = 0;
  /** Number by which an observer follows the packet, copies and pieces of it included; 0 = not followed. */
  journey = 0;
  /** Others who hold the same frame; while above 0 nobody may change it (a flooded frame in the simulator). */
  sharers = 0;
  private cachedView: DataView;
  /** The buffer that `cachedView` shows. */
  private viewed: Uint8Array;

  constructor(size: number = SKB_SIZE) {
    this.buf = new Uint8Array(size);
    this.cachedView = new DataView(this.buf.buffer);
    this.viewed = this.buf;
    this.head = HEADROOM;
    this.end = HEADROOM;
  }

  /** A view of `buf`, for loads and stores of whole words; made anew only when `buf` was replaced. */
  get view(): DataView {
    const { buf } = this;
    if (this.viewed === buf) return this.cachedView;
    this.viewed = buf;
    return (this.cachedView = new DataView(buf.buffer, buf.byteOffset, buf.byteLength));
  }

  /** Length of the frame in bytes. */
  get len(): number {
    return this.end - this.head;
  }

  /** Starts an empty frame with full headroom and room for `len` bytes, which `end` then includes. */
  reset(len: number): void {
    if (this.buf.length < HEADROOM + len) this.buf = new Uint8Array(HEADROOM + len);
    this.head = HEADROOM;
    this.end = HEADROOM + len;
    this.gsoSize = this.mark = this.vlan = this.fragMaxSize = this.journey = 0;
  }

  /** Takes a copy of a frame. */
  setFrame(frame: Uint8Array): void {
    this.reset(frame.length);
    this.buf.set(frame, this.head);
  }

  /** A copy of the frame. */
  frame(): Uint8Array {
    return this.buf.slice(this.head, this.end);
  }

  /** Lowers `head` by `n` bytes; the buffer is enlarged where the headroom does not suffice. */
  push(n: number): void {
    if (this.head < n) {
      const grown = new Uint8Array(this.buf.length + n + HEADROOM);
      grown.set(this.buf.subarray(this.head, this.end), this.head + n + HEADROOM);
      this.end += n + HEADROOM;
      this.head += n + HEADROOM;
      this.buf = grown;
    }
    this.head -= n;
  }
}

/** A frame of bytes as a packet. */
export function skbFrom(frame: Uint8Array, ifindex = 0): Skb {
  const skb = new Skb(HEADROOM + frame.length);
  skb.setFrame(frame);
  skb.ifindex = ifindex;
  return skb;
}
