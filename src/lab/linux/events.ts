/**
 * What the hooks said of packets, where the flag `dump` is set: the programs' events, each put to the packet that was captured
 * (its bytes are those of the capture), or kept as the frame of a drop.
 */
import { EVENT_HAS_ENTRY, event, HOOK_INGRESS } from "../../ebpf/event.ts";
import type { HookNote, PacketRecord } from "../../scenario/lab.ts";
import { REASON_NAMES, REASONS } from "../../tables/reasons.ts";
import { ETH_P_8021AD, ETH_P_8021Q, ethType } from "../../wire/ethernet.ts";
import { MACS, VLAN_HLEN } from "./capture.ts";
import type { LinuxHost } from "./world.ts";

interface HookEvent {
  host: string;
  nic: string;
  note: HookNote;
  frame: Uint8Array;
  /** Of the whole packet as a capture shows it. */
  length: number;
  /** How often no packet was found for it. */
  misses: number;
}

/** A packet follows its egress event within microseconds; what had none for so many looks was dropped on its way. */
const MAX_MISSES = 100;
/** Packets of two processors may come in another order than their events, by less than this. */
const WINDOW = 64;

export class HookEvents {
  private pending: HookEvent[] = [];
  /** Packets without a note yet, by place and direction. */
  private readonly open = new Map<string, PacketRecord[]>();
  /** Frames of drops, by host and slot of the reason. */
  private readonly dropped = new Map<string, Uint8Array[]>();

  /** Takes the events of the hosts' rings. */
  read(hosts: Iterable<LinuxHost>): void {
    for (const { def, dataPath } of hosts)
      dataPath.readEvents((record) => {
        const e = event.decode(record);
        const hook = e.hook === HOOK_INGRESS ? "ingress" : "egress";
        const name = REASON_NAMES[e.reason];
        const frame = e.data.slice(0, e.caplen);
        if (name !== undefined && REASONS[name].outcome === "drop") {
          const key = `${def.name} ${e.reason}`;
          this.dropped.set(key, [...(this.dropped.get(key) ?? []), frame]);
          if (hook === "egress") return;
        }
        const entry = (e.flags & EVENT_HAS_ENTRY) !== 0;
        const note: HookNote = {
          hook,
          reason: e.reason,
          tunnel: entry ? e.tunnel : -1,
          group: entry ? e.id.group : -1,
          service: entry ? e.id.service : -1,
          lenBefore: e.len_in,
        };
        const length = hook === "ingress" ? e.len_in : e.len_out;
        this.pending.push({ host: def.name, nic: dataPath.nicOf(e.ifindex) ?? "", note, frame, length, misses: 0 });
      });
  }

  /** Puts events to packets, both in the order in which they came. */
  match(fresh: readonly PacketRecord[]): void {
    for (const p of fresh) {
      const key = `${p.host}/${p.nic} ${p.direction}`;
      const queue = this.open.get(key);
      if (queue === undefined) this.open.set(key, [p]);
      else queue.push(p);
    }
    this.pending = this.pending.filter((e) => !this.put(e) && ++e.misses < MAX_MISSES);
    if (this.pending.length > 0) return;
    for (const queue of this.open.values()) if (queue.length > WINDOW) queue.splice(0, queue.length - WINDOW);
  }

  /** Finds the packet of an event. */
  private put(e: HookEvent): boolean {
    const queue = this.open.get(`${e.host}/${e.nic} ${e.note.hook === "ingress" ? "in" : "out"}`) ?? [];
    const found = queue.findIndex((p) => sameFrame(p.frame, { ...e, hook: e.note.hook }));
    if (found < 0) return false;
    queue[found].hook = e.note;
    queue.splice(found, 1);
    // Events were lost, where the ring was full, of what still waits far in front.
    if (found > WINDOW) queue.splice(0, found - WINDOW);
    return true;
  }

  /** The frame of the next drop of a host by a reason; empty where no event told of it. */
  takeDropped(host: string, slot: number): Uint8Array {
    return this.dropped.get(`${host} ${slot}`)?.shift() ?? new Uint8Array(0);
  }
}

/** A frame as a hook saw it: the beginning of its `length` bytes. */
interface SeenFrame {
  hook: "ingress" | "egress";
  frame: Uint8Array;
  length: number;
}

/**
 * Whether a captured frame is the one that a hook saw. The L4 checksum of a packet that this host sends is not complete yet when the egress hook sees it: one pair of bytes may
 * differ. A VLAN tag is not in the frame that a hook sees.
 */
export function sameFrame(frame: Uint8Array, e: SeenFrame): boolean {
  const tag = frame.length === e.length + VLAN_HLEN && isTagged(frame) ? VLAN_HLEN : 0;
  if (frame.length !== e.length + tag) return false;
  let first = -1;
  for (let i = 0; i < e.frame.length; i++)
    if (frame[i < MACS ? i : i + tag] !== e.frame[i]) {
      if (e.hook === "ingress" || (first >= 0 && i > first + 1)) return false;
      if (first < 0) first = i;
    }
  return true;
}

const isTagged = (frame: Uint8Array): boolean =>
  ethType(frame, 0) === ETH_P_8021Q || ethType(frame, 0) === ETH_P_8021AD;
