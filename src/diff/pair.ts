/** Two packets side by side: the fields in which they differ, by their dissection. */
import { dissect, flatten } from "../wire/dissect.ts";
import type { DissectOptions, FieldNode, LayerNode } from "../wire/dissect-types.ts";
import { summary } from "../wire/summary.ts";
import type { DiffPacket, FieldDifference } from "./types.ts";

export const diffPacket = (timeNs: number, frame: Uint8Array, options?: DissectOptions): DiffPacket => ({
  timeNs,
  frame,
  summary: summary(frame, options),
});

/** Layers of a frame by name; a second one of a name is `inner` (behind the tunnel header or in a quote), and so on. */
function layers(frame: Uint8Array, options?: DissectOptions): Map<string, LayerNode> {
  const out = new Map<string, LayerNode>();
  for (const layer of flatten(dissect(frame, options))) {
    let name = layer.name;
    while (out.has(name)) name = `inner ${name}`;
    out.set(name, layer);
  }
  return out;
}

const place = (f: FieldNode | undefined): Pick<FieldNode, "offset" | "length"> | undefined =>
  f && { offset: f.offset, length: f.length };

/** Fields with different values, in the order of the frame. */
export function fieldDifferences(real: Uint8Array, reference: Uint8Array, options?: DissectOptions): FieldDifference[] {
  const theirs = layers(real, options);
  const ours = layers(reference, options);
  const out: FieldDifference[] = [];
  for (const name of new Set([...theirs.keys(), ...ours.keys()])) {
    const a = theirs.get(name)?.fields ?? [];
    const b = ours.get(name)?.fields ?? [];
    for (const field of new Set([...a, ...b].map((f) => f.name))) {
      const x = a.find((f) => f.name === field);
      const y = b.find((f) => f.name === field);
      if (x?.text === y?.text) continue;
      const difference = { layer: name, field, real: x?.text ?? "-", reference: y?.text ?? "-" };
      out.push({ ...difference, realAt: place(x), referenceAt: place(y) });
    }
  }
  return out;
}
