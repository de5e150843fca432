/** A free list of packet buffers: frames are moved through the simulator by reference and never left to the collector. */
import { Skb } from "../dataplane/skb.ts";

export class SkbPool {
  private readonly free: Skb[] = [];
  /** Packets handed out and not given back. */
  outstanding = 0;
  private readonly make: () => Skb;

  constructor(make: () => Skb = () => new Skb()) {
    this.make = make;
  }

  /** A frame of `len` bytes with full headroom; its bytes are whatever was there before. */
  get(len: number): Skb {
    this.outstanding++;
    const skb = this.free.pop() ?? this.make();
    skb.reset(len);
    return skb;
  }

  /** Takes a frame back; only its other sharers may hold on to it. */
  put(skb: Skb): void {
    if (skb.sharers > 0) {
      skb.sharers--;
      return;
    }
    this.outstanding--;
    this.free.push(skb);
  }

  /** A frame that may be changed, with these bytes: the frame itself, or a copy of one that is shared. Takes it over. */
  unshare(skb: Skb): Skb {
    if (skb.sharers === 0) return skb;
    skb.sharers--;
    return this.clone(skb);
  }

  /** A copy of a frame, with full headroom. */
  clone(from: Skb): Skb {
    const len = from.end - from.head;
    const skb = this.get(len);
    copy(skb.buf, skb.head, from.buf, from.head, len);
    skb.gsoSize = from.gsoSize;
    skb.mark = from.mark;
    skb.vlan = from.vlan;
    skb.journey = from.journey;
    return skb;
  }
}

/** A loop beats `set(subarray())` for short frames only. */
function copy(dst: Uint8Array, dstOff: number, src: Uint8Array, srcOff: number, len: number): void {
  if (len > 128) dst.set(src.subarray(srcOff, srcOff + len), dstOff);
  else for (let i = 0; i < len; i++) dst[dstOff + i] = src[srcOff + i];
}
