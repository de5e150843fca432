/** Looks at a capture with both sides of hooks: what is in front of a hook must come before what is behind it. */
import { expect } from "vitest";
import { readCapture } from "../../src/wire/pcap-reader.ts";

/** TCP behind the ports and up to its checksum, and what follows it, in a frame without a tunnel header. */
const SEQ = 38;
const CHECK = 50;
const BEHIND = 52;
const GUE = 52;

/** One frame is the other, but for a tunnel header, addresses, ports and checksums. */
function isPassage(a: Uint8Array, b: Uint8Array): boolean {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  const more = long.length - short.length;
  if (more !== 0 && more !== GUE) return false;
  return short.every((byte, i) => i < SEQ || (i >= CHECK && i < BEHIND) || byte === long[i + more]);
}

/**
 * Every frame behind an ingress hook has its packet in front of it earlier in the file, and every frame in front of an egress hook
 * its packet behind it later, each one of its own. Gives the number of both by interface.
 */
export function checkHookCapture(bytes: Uint8Array): Record<string, number> {
  const { interfaces, packets } = readCapture(bytes);
  const inFront = new Map<string, Uint8Array[]>();
  const found: Record<string, number> = {};
  let last = 0;
  for (const { ifId, sec, nsec, direction, frame } of packets) {
    const time = sec * 1e9 + nsec;
    expect(time).toBeGreaterThanOrEqual(last);
    last = time;
    const name = interfaces[ifId].name ?? "";
    const [nic, hook, side] = name.split(":");
    if (side === undefined) {
      if (direction === "in") push(inFront, `${nic} ingress`, frame);
      else take(inFront, `${nic} egress`, frame);
      continue;
    }
    found[name] = (found[name] ?? 0) + 1;
    if (side === "before") push(inFront, `${nic} egress`, frame);
    else expect(take(inFront, `${nic} ${hook}`, frame), `${name}: the packet in front of the hook`).toBe(true);
  }
  for (const [where, frames] of inFront)
    if (where.endsWith("egress")) expect(frames, `${where}: what came out of the hook`).toEqual([]);
  return found;
}

function push(queues: Map<string, Uint8Array[]>, key: string, frame: Uint8Array): void {
  queues.set(key, [...(queues.get(key) ?? []), frame]);
}

function take(queues: Map<string, Uint8Array[]>, key: string, frame: Uint8Array): boolean {
  const queue = queues.get(key) ?? [];
  const at = queue.findIndex((f) => isPassage(f, frame));
  if (at >= 0) queue.splice(at, 1);
  return at >= 0;
}
