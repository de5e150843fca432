/**
 * The flows of connection tracking, in typed arrays: two tuples a flow (original and reply) in one hash, as the kernel's
 * nf_conntrack_hash (net/netfilter/nf_conntrack_core.c).
 *
 * A tuple is four words, kept as *signed* 32-bit numbers, which V8 passes about without boxing: source address,
 * destination address, `sport << 16 | dport`, protocol. ICMP echo has its identifier as sport and `type << 8 | code` as
 * dport. Tuple number `t` belongs to flow `t >> 1`, direction `t & 1`.
 */

export const IP_CT_DIR_ORIGINAL = 0;
export const IP_CT_DIR_REPLY = 1;

/** Status bits of a flow (enum ip_conntrack_status, without the kernel's own numbers). */
export const IPS_SEEN_REPLY = 1;
export const IPS_ASSURED = 2;
/** In the hash: other packets find it. Until then it belongs to the one packet that made it. */
export const IPS_CONFIRMED = 4;
export const IPS_SRC_NAT = 8;
export const IPS_DST_NAT = 16;
export const IPS_NAT_MASK = IPS_SRC_NAT | IPS_DST_NAT;

const TUPLE_WORDS = 4;
const MIN_FLOWS = 16;

export class FlowTable {
  /** Words of tuple `t` at `t * 4`: source, destination, ports, protocol. */
  tuples = new Int32Array(MIN_FLOWS * 2 * TUPLE_WORDS);
  /** IPS_ bits by flow. */
  status = new Uint8Array(MIN_FLOWS);
  /** TCP_CONNTRACK_ state by flow; 0 for other protocols. */
  state = new Uint8Array(MIN_FLOWS);
  /** Times by flow, ns. */
  created = new Float64Array(MIN_FLOWS);
  expires = new Float64Array(MIN_FLOWS);

  private capacity = MIN_FLOWS;
  /** Open-addressing index of tuple + 1, 0 = empty, at most half full. */
  private index = new Int32Array(MIN_FLOWS * 4);
  private mask = MIN_FLOWS * 4 - 1;
  private nextFree = new Int32Array(MIN_FLOWS);
  private free = -1;
  private used = 0;
  private linked = 0;

  /** Confirmed flows. */
  get size(): number {
    return this.linked;
  }

  /** Flow numbers lie in [0, slots); a slot is in use where IPS_CONFIRMED is set. */
  get slots(): number {
    return this.used;
  }

  /** The tuple with these words, or -1. */
  find(src: number, dst: number, ports: number, proto: number): number {
    const tuples = this.tuples;
    for (let i = hash(src, dst, ports, proto) & this.mask; ; i = (i + 1) & this.mask) {
      const t = this.index[i] - 1;
      if (t < 0) return -1;
      const w = t * TUPLE_WORDS;
      if (tuples[w + 2] === ports && tuples[w] === src && tuples[w + 1] === dst && tuples[w + 3] === proto) return t;
    }
  }

  /** A slot for a new flow, not yet findable; its words are the caller's to fill in. */
  allocate(): number {
    let flow = this.free;
    if (flow >= 0) this.free = this.nextFree[flow];
    else {
      if (this.used === this.capacity) this.grow();
      flow = this.used++;
    }
    this.status[flow] = 0;
    this.state[flow] = 0;
    return flow;
  }

  setTuple(t: number, src: number, dst: number, ports: number, proto: number): void {
    const w = t * TUPLE_WORDS;
    this.tuples[w] = src;
    this.tuples[w + 1] = dst;
    this.tuples[w + 2] = ports;
    this.tuples[w + 3] = proto;
  }

  /** Makes both tuples of a flow findable. */
  link(flow: number): void {
    this.linkTuple(flow * 2);
    this.linkTuple(flow * 2 + 1);
    this.status[flow] |= IPS_CONFIRMED;
    this.linked++;
  }

  /** Takes a flow out of the hash and frees its slot, whose contents stay readable until the next `allocate`. */
  remove(flow: number): void {
    if (this.status[flow] & IPS_CONFIRMED) {
      this.unlinkTuple(flow * 2);
      this.unlinkTuple(flow * 2 + 1);
      this.status[flow] &= ~IPS_CONFIRMED;
      this.linked--;
    }
    this.nextFree[flow] = this.free;
    this.free = flow;
  }

  private home(t: number): number {
    const w = t * TUPLE_WORDS;
    return hash(this.tuples[w], this.tuples[w + 1], this.tuples[w + 2], this.tuples[w + 3]) & this.mask;
  }

  private linkTuple(t: number): void {
    let i = this.home(t);
    while (this.index[i] !== 0) i = (i + 1) & this.mask;
    this.index[i] = t + 1;
  }

  private unlinkTuple(t: number): void {
    let i = this.home(t);
    while (this.index[i] !== t + 1) i = (i + 1) & this.mask;
    // Backward-shift deletion leaves no tombstones, so probes stay short however many flows come and go.
    for (let j = (i + 1) & this.mask; this.index[j] !== 0; j = (j + 1) & this.mask) {
      if (((j - this.home(this.index[j] - 1)) & this.mask) >= ((j - i) & this.mask)) {
        this.index[i] = this.index[j];
        i = j;
      }
    }
    this.index[i] = 0;
  }

  private grow(): void {
    this.capacity *= 2;
    this.tuples = grown(this.tuples, this.capacity * 2 * TUPLE_WORDS);
    this.status = grown(this.status, this.capacity);
    this.state = grown(this.state, this.capacity);
    this.created = grown(this.created, this.capacity);
    this.expires = grown(this.expires, this.capacity);
    this.nextFree = grown(this.nextFree, this.capacity);
    const old = this.index;
    this.index = new Int32Array(this.capacity * 4);
    this.mask = this.capacity * 4 - 1;
    for (const t1 of old) if (t1 > 0) this.linkTuple(t1 - 1);
  }
}

/** A multiply-xorshift round per word, constants of MurmurHash3's finalizer. */
function hash(src: number, dst: number, ports: number, proto: number): number {
  let h = Math.imul(ports ^ (ports >>> 16) ^ (proto << 8), 0x85ebca6b) ^ src;
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35) ^ dst;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  return h ^ (h >>> 13);
}

function grown<T extends Int32Array | Uint8Array | Float64Array>(old: T, length: number): T {
  const out = new (old.constructor as new (n: number) => T)(length);
  out.set(old as never);
  return out;
}
