/** A recorded frame for people: its header tree, and how it changed from one frame to another. */
import { dissect, flatten } from "../wire/dissect.ts";
import { ETH_HLEN } from "../wire/ethernet.ts";
import { ICMP_HLEN } from "../wire/icmp.ts";
import { IPV4_HLEN } from "../wire/ipv4.ts";
import { summary } from "../wire/summary.ts";
import type { ByteRange, FieldChange, FrameDiff, PacketDetail } from "./types.ts";

export function packetDetail(frame: Uint8Array): PacketDetail {
  return { frame, summary: summary(frame), tree: dissect(frame) };
}

/** Bytes of two frames that belong together: places before and after, and how many. */
interface Aligned {
  before: number;
  after: number;
  length: number;
}

/**
 * The frames' common parts. Encapsulation adds bytes between the MAC header and the packet, decapsulation takes them from there;
 * an ICMP error quotes the packet
 * behind two headers, and cuts it.
 */
function align(before: Uint8Array, after: Uint8Array): Aligned[] {
  const head = Math.min(ETH_HLEN, before.length, after.length);
  const delta = after.length - before.length;
  const starts = [
    { before: head + Math.max(0, -delta), after: head + Math.max(0, delta) },
    { before: head, after: head },
    { before: head, after: Math.min(after.length, head + IPV4_HLEN + ICMP_HLEN) },
  ];
  const parts = starts.map((at) => ({ ...at, length: Math.min(before.length - at.before, after.length - at.after) }));
  const best = parts.reduce((a, b) => (likeness(before, after, b) > likeness(before, after, a) ? b : a));
  return [{ before: 0, after: 0, length: head }, best];
}

function likeness(before: Uint8Array, after: Uint8Array, part: Aligned): number {
  let same = 0;
  for (let i = 0; i < part.length; i++) if (before[part.before + i] === after[part.after + i]) same++;
  return same;
}

/** How `before` became `after`. */
export function frameDiff(before: Uint8Array, after: Uint8Array): FrameDiff {
  const parts = align(before, after);
  const changed: FrameDiff["changed"] = [];
  for (const p of parts)
    for (let i = 0; i < p.length; ) {
      let n = i;
      while (n < p.length && before[p.before + n] !== after[p.after + n]) n++;
      if (n > i)
        changed.push({
          before: { start: p.before + i, end: p.before + n },
          after: { start: p.after + i, end: p.after + n },
        });
      i = n + 1;
    }
  return {
    removed: gaps(parts, "before", before.length),
    added: gaps(parts, "after", after.length),
    changed,
    fields: fieldChanges(before, after),
  };
}

/** What of a frame no common part covers. */
function gaps(parts: readonly Aligned[], side: "before" | "after", length: number): ByteRange[] {
  const out: ByteRange[] = [];
  let at = 0;
  for (const p of parts) {
    if (p[side] > at) out.push({ start: at, end: p[side] });
    at = p[side] + p.length;
  }
  if (at < length) out.push({ start: at, end: length });
  return out;
}

/** Fields of layers that both frames have: counted from the innermost, since tunnels are put on from outside. */
function fieldChanges(before: Uint8Array, after: Uint8Array): FieldChange[] {
  const [old, now] = [flatten(dissect(before)), flatten(dissect(after))];
  const out: FieldChange[] = [];
  const seen = new Map<string, number>();
  for (const layer of [...now].reverse()) {
    const nth = (seen.get(layer.name) ?? 0) + 1;
    seen.set(layer.name, nth);
    const same = old.filter((l) => l.name === layer.name);
    const was = layer.name === "ethernet" ? same[0] : same[same.length - nth];
    if (was === undefined || layer.name === "payload" || layer.name === "trailer") continue;
    const changes = layer.fields.flatMap((f) => {
      const g = was.fields.find((field) => field.name === f.name);
      return g && g.text !== f.text ? [{ layer: layer.title, field: f.name, before: g.text, after: f.text }] : [];
    });
    out.unshift(...changes);
  }
  return out;
}
