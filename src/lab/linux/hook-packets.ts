/**
 * Frames at hooks of real hosts as packets of a capture: a capture shows ingress in front of the hook and egress behind it, here is
 * the other side of each. Both have clocks of their own, so each frame is put next to the packet of the capture that it became,
 * or came from.
 */
import type { HookNote, HookPacket, PacketRecord } from "../../scenario/lab.ts";
import { TC_ACT_SHOT } from "../../tables/reasons.ts";
import { wr16 } from "../../wire/bytes.ts";
import { ETH_P_8021Q } from "../../wire/ethernet.ts";
import { MACS, VLAN_HLEN } from "./capture.ts";
import { sameFrame } from "./events.ts";
import type { HookFrame, HookRecord } from "./hook-record.ts";

/** A packet is captured within this time of its hook. */
const NEAR_NS = 20_000_000;

/**
 * What ingress hooks left of packets, and what egress hooks were given; a dropped packet left nothing. Both lists are in the order
 * of time. A packet without a note of its hook gets it.
 */
export function hookPackets(hooks: readonly HookRecord[], packets: readonly PacketRecord[]): HookPacket[] {
  const places = new Places(packets);
  const out: HookPacket[] = [];
  for (const run of hooks) {
    const { host, nic, hook, timeNs, startNs, endNs } = run;
    const i = places.take(run);
    const note = noteOf(run);
    if (i >= 0) packets[i].hook ??= note;
    const captured = i < 0 ? undefined : packets[i].timeNs;
    if (hook === "egress") {
      const time = Math.min(timeNs, captured ?? timeNs);
      const at = countBefore(packets, time);
      const frame = tagged(run.before);
      const place = { host, nic: `${nic}:egress:before`, direction: "out" } as const;
      out.push({ timeNs: time, ...place, frame, hook: note, at: i < 0 ? at : Math.min(at, i) });
    } else if (run.verdict !== TC_ACT_SHOT) {
      const end = timeNs + (endNs - startNs);
      const time = Math.max(end, captured ?? end);
      const at = countBefore(packets, time + 1);
      const place = { host, nic: `${nic}:ingress:after`, direction: "in" } as const;
      out.push({ timeNs: time, ...place, frame: tagged(run.after), at: Math.max(at, i + 1) });
    }
  }
  return out.sort((a, b) => a.at - b.at || a.timeNs - b.timeNs);
}

/** Packets by interface and direction, each to be found once. */
class Places {
  private readonly packets: readonly PacketRecord[];
  private readonly left = new Map<string, number[]>();

  constructor(packets: readonly PacketRecord[]) {
    this.packets = packets;
    for (const [i, p] of packets.entries()) {
      const key = `${p.host}/${p.nic} ${p.direction}`;
      const queue = this.left.get(key);
      if (queue === undefined) this.left.set(key, [i]);
      else queue.push(i);
    }
  }

  /** Index of the packet that a run was given, or gave; -1: it was not captured. */
  take({ host, nic, hook, timeNs, before, after }: HookRecord): number {
    const { packets } = this;
    const queue = this.left.get(`${host}/${nic} ${hook === "ingress" ? "in" : "out"}`) ?? [];
    const old = queue.findIndex((i) => packets[i].timeNs >= timeNs - NEAR_NS);
    queue.splice(0, old < 0 ? queue.length : old);
    const { frame } = hook === "ingress" ? before : after;
    const what = { hook, frame, length: frame.length };
    for (let k = 0; k < queue.length && packets[queue[k]].timeNs <= timeNs + NEAR_NS; k++)
      if (sameFrame(packets[queue[k]].frame, what)) return queue.splice(k, 1)[0];
    return -1;
  }
}

const noteOf = ({ hook, before, result }: HookRecord): HookNote => {
  const { reason, tunnel, group, service } = result;
  return { hook, reason, tunnel, group, service, lenBefore: before.frame.length };
};

/** How many packets are older. */
function countBefore(packets: readonly PacketRecord[], timeNs: number): number {
  let [from, to] = [0, packets.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (packets[middle].timeNs < timeNs) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** The frame with its VLAN tag, which the kernel keeps beside it. */
function tagged({ frame, vlan }: HookFrame): Uint8Array {
  if (vlan === 0) return frame;
  const out = new Uint8Array(frame.length + VLAN_HLEN);
  out.set(frame.subarray(0, MACS));
  wr16(out, MACS, ETH_P_8021Q);
  wr16(out, MACS + 2, vlan & 0xffff);
  out.set(frame.subarray(MACS), MACS + VLAN_HLEN);
  return out;
}
