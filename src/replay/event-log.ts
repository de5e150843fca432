/** The events of a recording, in columns: some 70 bytes each besides the frames, which are kept once. */
import type { NfPoint } from "../sim/env.ts";
import { BytesStore } from "./bytes-store.ts";
import { float64, int32, Strings, uint8, uint16 } from "./columns.ts";
import type { EventKind, VerdictName } from "./types.ts";

export const KIND = { packet: 0, hook: 1, nat: 2, drop: 3, step: 4, control: 5 } as const satisfies Record<
  EventKind,
  number
>;
/** Which side of the NIC: a packet's direction, a hook's side, a step's beginning or end. */
export const SIDE_IN = 0;
export const SIDE_OUT = 1;
export const VERDICTS: readonly (VerdictName | undefined)[] = [undefined, "pass", "drop", "redirect", "consumed"];
export const POINTS: readonly NfPoint[] = ["prerouting", "input", "forward", "output", "postrouting"];

/** What one event is made of; numbers of texts are those of `strings`, numbers of frames those of `frames`. */
export interface RawEvent {
  time: number;
  kind: number;
  place: number;
  side: number;
  verdict: number;
  /** Of a hook: slot in REASONS. Of others: number of a text; what a drop's reason or a step says. */
  reason: number;
  /** Number of a text: who dropped it; the point of a nat event; a step's id. */
  where: number;
  tunnel: number;
  group: number;
  service: number;
  frame: number;
  after: number;
  journey: number;
  /** Of a hook: its interface, where a redirect goes (negative: to the ingress there), and the FIB's answer. */
  ifindex: number;
  redirect: number;
  fib: number;
  gso: number;
  vlan: number;
  /** Rows that changed. */
  changes: number;
  /** Of a step that ends: 1 where it failed. */
  failed: number;
}

export class EventLog {
  readonly frames = new BytesStore();
  readonly strings = new Strings();
  readonly time = float64();
  readonly kind = uint8();
  readonly place = uint16();
  readonly side = uint8();
  readonly verdict = uint8();
  readonly reason = int32();
  readonly where = int32();
  readonly tunnel = float64();
  readonly group = int32();
  readonly service = int32();
  readonly frame = int32();
  readonly after = int32();
  readonly journey = int32();
  readonly ifindex = uint16();
  readonly redirect = int32();
  readonly fib = int32();
  readonly gso = uint16();
  readonly vlan = int32();
  readonly changes = int32();
  readonly failed = uint8();
  /** Number of the text that is the id of the step under way. */
  readonly step = int32();
  /** Journeys by number, from 1: who provoked it (0: unknown). */
  readonly parents = int32();
  /** Packets on NICs, and packets lost: by a hook or otherwise. */
  packets = 0;
  drops = 0;
  currentStep = 0;

  constructor() {
    this.parents.push(0);
  }

  get length(): number {
    return this.time.length;
  }

  newJourney(parent = 0): number {
    this.parents.push(parent);
    return this.parents.length - 1;
  }

  get journeys(): number {
    return this.parents.length - 1;
  }

  push(e: RawEvent): number {
    this.time.push(e.time);
    this.kind.push(e.kind);
    this.place.push(e.place);
    this.side.push(e.side);
    this.verdict.push(e.verdict);
    this.reason.push(e.reason);
    this.where.push(e.where);
    this.tunnel.push(e.tunnel);
    this.group.push(e.group);
    this.service.push(e.service);
    this.frame.push(e.frame);
    this.after.push(e.after);
    this.journey.push(e.journey);
    this.ifindex.push(e.ifindex);
    this.redirect.push(e.redirect);
    this.fib.push(e.fib);
    this.gso.push(e.gso);
    this.vlan.push(e.vlan);
    this.changes.push(e.changes);
    this.failed.push(e.failed);
    this.step.push(this.currentStep);
    if (e.kind === KIND.packet) this.packets++;
    if (VERDICTS[e.verdict] === "drop") this.drops++;
    return this.time.length - 1;
  }

  /** True where a packet was lost: a drop, but not that of a flooded frame by a NIC that it was not for. */
  isLoss(index: number): boolean {
    if (VERDICTS[this.verdict.data[index]] !== "drop") return false;
    return this.kind.data[index] !== KIND.drop || this.strings.get(this.reason.data[index]) !== OTHER_HOST;
  }

  get bytes(): number {
    const perEvent = 3 * 8 + 11 * 4 + 3 * 2 + 4;
    return this.frames.bytes + this.time.data.length * perEvent;
  }
}

/** What a NIC says of a frame that was flooded to it and is another's. */
const OTHER_HOST = "the frame is for another MAC address";

/** An event in which nothing is said. One object serves many events. */
export const blankEvent = (): RawEvent => ({
  time: 0,
  kind: 0,
  place: 0,
  side: 0,
  verdict: 0,
  reason: 0,
  where: 0,
  tunnel: -1,
  group: -1,
  service: -1,
  frame: 0,
  after: 0,
  journey: 0,
  ifindex: 0,
  redirect: 0,
  fib: -1,
  gso: 0,
  vlan: 0,
  changes: 0,
  failed: 0,
});
