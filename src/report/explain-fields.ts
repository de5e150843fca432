/** A frame explained: every header field with its offset, bytes, value, meaning and source, layer by layer. */

import { alignColumns } from "../scenario/table-print.ts";
import { toHex } from "../wire/bytes.ts";
import { type FieldNode, flatten, type LayerNode } from "../wire/dissect.ts";
import { type Paint, plain } from "./paint.ts";

const MAX_BYTES = 8;

/** The bytes of a field: hex, or its bits with dots for those of its neighbours. */
function bytesCell(frame: Uint8Array, f: FieldNode): string {
  if (!f.bits) {
    const shown = Math.min(f.length, MAX_BYTES);
    const hex = toHex(frame, f.offset, f.offset + shown).replace(/(..)(?=.)/g, "$1 ");
    return f.length > shown ? `${hex} ..` : hex;
  }
  let out = "";
  for (let i = 0; i < f.length * 8; i++) {
    const mine = i >= f.bits.start && i < f.bits.start + f.bits.length;
    const bit = (frame[f.offset + (i >> 3)] >> (7 - (i & 7))) & 1;
    out += (i > 0 && i % 4 === 0 ? " " : "") + (mine ? String(bit) : ".");
  }
  return out;
}

/** Long values (keys, payloads) are cut; the dump shows them whole. */
const shorten = (text: string): string => (text.length > 40 ? `${text.slice(0, 32)}..` : text);

function fieldRow(frame: Uint8Array, f: FieldNode): string[] {
  const meaning = f.problem ? (f.meaning ? `${f.meaning}; ${f.problem}` : f.problem) : f.meaning;
  return [String(f.offset).padStart(4), bytesCell(frame, f), f.name, shorten(f.text), meaning, f.source];
}

/** The layers' fields as lines in columns; a field with a problem is painted red. */
export function explainFields(frame: Uint8Array, root: LayerNode, paint: Paint = plain): string[] {
  const layers = flatten(root);
  const header = ["byte", "bytes", "field", "value", "meaning", "source"];
  const rows = layers.flatMap((l) => l.fields.map((f) => fieldRow(frame, f)));
  const [head, ...lines] = alignColumns([header, ...rows]);
  const out = [`  ${paint("dim", head)}`];
  let next = 0;
  for (const l of layers) {
    const end = l.offset + l.length;
    const range = l.length === 0 ? `byte ${l.offset}` : `bytes ${l.offset}-${end - 1}`;
    out.push(`${paint("bold", l.title)} ${paint("dim", `(${range})`)}`);
    for (const f of l.fields) {
      const line = `  ${lines[next++].trimEnd()}`;
      out.push(f.problem ? paint("red", line) : line);
    }
    for (const note of l.notes) out.push(`  ${paint("red", `! ${note}`)}`);
  }
  return out;
}
