/**
 * Knows a packet again at the next NIC by its bytes behind the MAC header, which a bridge leaves as they are. A hash table
 * over what a capture has shown so far: a text for each packet would cost more than all the rest of opening it.
 */
import type { BytesStore } from "./bytes-store.ts";
import type { EventLog } from "./event-log.ts";

/** A packet of one journey is seen again within this time, ns; later the same bytes are another packet. */
const JOURNEY_NS = 1_000_000_000;
/** The bytes that are looked at: from the EtherType on. */
const FROM = 12;
const TO = 140;

export class Sightings {
  /** The frame last seen, and its journey. */
  frame = 0;
  journey = 0;
  private readonly log: EventLog;
  private readonly frames: BytesStore;
  private used = 0;
  /** Slots, at least half of them free: frame number (0: free), hash, journey and time of the last sighting. */
  private slots = 1024;
  private frameOf = new Int32Array(this.slots);
  private hashOf = new Int32Array(this.slots);
  private journeyOf = new Int32Array(this.slots);
  private timeOf = new Float64Array(this.slots);

  constructor(log: EventLog) {
    this.log = log;
    this.frames = log.frames;
  }

  /** Keeps the frame, once where it is the one seen before, and sets `frame` and `journey`. */
  see(time: number, bytes: Uint8Array): void {
    const { log, frames } = this;
    const hash = hashOf(bytes);
    const slot = this.find(hash, bytes);
    const known = this.frameOf[slot];
    this.frame = known !== 0 && frames.same(known, bytes, 0, bytes.length) ? known : frames.add(bytes);
    const again = known !== 0 && time - this.timeOf[slot] < JOURNEY_NS;
    this.journey = again ? this.journeyOf[slot] : log.newJourney();
    this.frameOf[slot] = this.frame;
    this.hashOf[slot] = hash;
    this.journeyOf[slot] = this.journey;
    this.timeOf[slot] = time;
    if (known === 0 && ++this.used * 2 > this.slots) this.grow();
  }

  /** The slot of packets like this one, or the free one where it belongs. */
  private find(hash: number, bytes: Uint8Array): number {
    const mask = this.slots - 1;
    let slot = hash & mask;
    while (
      this.frameOf[slot] !== 0 &&
      !(this.hashOf[slot] === hash && alike(this.frames.get(this.frameOf[slot]), bytes))
    )
      slot = (slot + 1) & mask;
    return slot;
  }

  private grow(): void {
    const { slots, frameOf, hashOf, journeyOf, timeOf } = this;
    this.slots = slots * 2;
    const mask = this.slots - 1;
    this.frameOf = new Int32Array(this.slots);
    this.hashOf = new Int32Array(this.slots);
    this.journeyOf = new Int32Array(this.slots);
    this.timeOf = new Float64Array(this.slots);
    for (let i = 0; i < slots; i++) {
      if (frameOf[i] === 0) continue;
      let slot = hashOf[i] & mask;
      while (this.frameOf[slot] !== 0) slot = (slot + 1) & mask;
      this.frameOf[slot] = frameOf[i];
      this.hashOf[slot] = hashOf[i];
      this.journeyOf[slot] = journeyOf[i];
      this.timeOf[slot] = timeOf[i];
    }
  }
}

/** FNV-1a; its upper half folded in, since the table takes the lowest bits. */
function hashOf(b: Uint8Array): number {
  const end = Math.min(b.length, TO);
  let h = 0x811c9dc5 | 0;
  for (let i = FROM; i < end; i++) h = Math.imul(h ^ b[i], 0x01000193);
  return h ^ (h >>> 15);
}

function alike(a: Uint8Array, b: Uint8Array): boolean {
  const end = Math.max(FROM, Math.min(a.length, TO));
  if (end !== Math.max(FROM, Math.min(b.length, TO))) return false;
  for (let i = FROM; i < end; i++) if (a[i] !== b[i]) return false;
  return true;
}
