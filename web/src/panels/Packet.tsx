/** The selected packet as a tree of headers beside its bytes, linked both ways; before or after what happened to it. */
import { signal } from "@preact/signals";
import { useMemo, useState } from "preact/hooks";
import * as store from "../store.ts";
import { FieldTree, fieldAt, fieldKey, flatLayers } from "./FieldTree.tsx";
import { HexView } from "./HexView.tsx";

const side = signal<"before" | "after">("after");
/** The field by name, kept from packet to packet, so that one can watch it while stepping. */
const chosen = signal<string | undefined>(undefined);

export function Packet() {
  const e = store.event.value;
  const [hovered, setHovered] = useState<readonly [number, number] | undefined>(undefined);
  const [litByte, setLitByte] = useState<number | undefined>(undefined);
  const shown = e?.after && side.value === "after" ? e.after : e?.packet;
  const layers = useMemo(() => (shown ? flatLayers(shown.tree) : []), [shown]);
  if (!e || !shown) return <p class="empty">There is no packet at this event.</p>;
  let selected: readonly [number, number] | undefined;
  for (const { layer, title } of layers) {
    if (title === chosen.value) selected = [layer.offset, layer.offset + layer.length];
    for (const f of layer.fields) if (fieldKey(title, f) === chosen.value) selected = [f.offset, f.offset + f.length];
  }
  const under = litByte === undefined ? undefined : fieldAt(layers, litByte)?.field;
  const field =
    selected &&
    layers
      .flatMap((l) => l.layer.fields.map((f) => ({ f, l })))
      .find(({ f, l }) => fieldKey(l.title, f) === chosen.value);
  return (
    <div class="packet" data-testid="packet">
      <div class="packet-head">
        <p class="mono">{shown.summary}</p>
        {e.after ? (
          <div class="quick" role="group" aria-label="Which frame">
            {(["before", "after"] as const).map((s) => (
              <button
                key={s}
                type="button"
                aria-pressed={side.value === s}
                onClick={() => {
                  side.value = s;
                }}
              >
                {s === "before" ? "Before" : "After"}
              </button>
            ))}
          </div>
        ) : null}
      </div>
      <FieldTree
        label="Headers"
        layers={layers}
        selected={chosen.value}
        litByte={litByte}
        onSelect={(key) => {
          chosen.value = key;
        }}
        onHover={setHovered}
      />
      <p class="field-about small" data-testid="field-about">
        {field ? (
          <>
            <b>{field.f.name}</b>: bytes {field.f.offset}
            {field.f.length > 1 ? `–${field.f.offset + field.f.length - 1}` : ""}
            {field.f.bits ? `, bits ${field.f.bits.start}–${field.f.bits.start + field.f.bits.length - 1}` : ""}.{" "}
            {field.f.meaning ? `${field.f.meaning}. ` : ""}
            <span class="muted">{field.f.source}</span>
          </>
        ) : (
          <span class="muted">Choose a field or a byte; its meaning and where it is defined stand here.</span>
        )}
      </p>
      <HexView
        label="Bytes"
        bytes={shown.frame}
        lit={under ? [under.offset, under.offset + under.length] : hovered}
        selected={selected}
        testid="hex"
        onHover={setLitByte}
        onPick={(byte) => {
          const hit = fieldAt(layers, byte);
          if (hit) chosen.value = fieldKey(hit.title, hit.field);
        }}
      />
    </div>
  );
}
