/** Connections by their four-tuple: open addressing with linear probing; a lookup allocates nothing. */
import type { Tcb } from "./tcb.ts";

export class ConnectionTable {
  private slots: (Tcb | undefined)[] = new Array(16).fill(undefined);
  private mask = 15;
  size = 0;

  get(laddr: number, lport: number, raddr: number, rport: number): Tcb | undefined {
    const { slots, mask } = this;
    for (let i = hash(laddr, lport, raddr, rport) & mask; ; i = (i + 1) & mask) {
      const t = slots[i];
      if (t === undefined) return undefined;
      if (t.rport === rport && t.lport === lport && t.raddr === raddr && t.laddr === laddr) return t;
    }
  }

  /** Adds a connection whose tuple is not in the table. */
  add(tcb: Tcb): void {
    if (++this.size * 2 > this.slots.length) this.grow();
    this.place(tcb);
  }

  delete(tcb: Tcb): void {
    const { slots, mask } = this;
    let i = this.home(tcb);
    while (slots[i] !== tcb) {
      if (slots[i] === undefined) return;
      i = (i + 1) & mask;
    }
    this.size--;
    // Close the gap: move back every follower whose home does not lie behind it.
    for (let j = (i + 1) & mask; ; j = (j + 1) & mask) {
      const t = slots[j];
      if (t === undefined) break;
      if (((j - this.home(t)) & mask) >= ((j - i) & mask)) {
        slots[i] = t;
        i = j;
      }
    }
    slots[i] = undefined;
  }

  /** All connections, in no particular but deterministic order. */
  values(): Tcb[] {
    return this.slots.filter((t) => t !== undefined);
  }

  private home(t: Tcb): number {
    return hash(t.laddr, t.lport, t.raddr, t.rport) & this.mask;
  }

  private place(tcb: Tcb): void {
    let i = this.home(tcb);
    while (this.slots[i] !== undefined) i = (i + 1) & this.mask;
    this.slots[i] = tcb;
  }

  private grow(): void {
    const old = this.values();
    this.slots = new Array(this.slots.length * 2).fill(undefined);
    this.mask = this.slots.length - 1;
    for (const t of old) this.place(t);
  }
}

function hash(laddr: number, lport: number, raddr: number, rport: number): number {
  let h = Math.imul(raddr ^ Math.imul(laddr, 0x85ebca6b), 0x9e3779b1) ^ ((lport << 16) | rport);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return h ^ (h >>> 13);
}
