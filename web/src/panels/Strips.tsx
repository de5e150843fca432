/** The packet's headers side by side, before above after: one sees at a glance which were put in front, taken off or changed. */
import type { ByteRange, FrameDiff, PacketDetail } from "../../../src/replay/types.ts";
import { type FlatLayer, flatLayers } from "./FieldTree.tsx";
import type { Mark } from "./HexView.tsx";

const touches = (r: ByteRange, start: number, end: number): boolean => r.start < end && r.end > start;

/** What became of a layer: wholly new or gone, changed in a byte, or nothing. */
function markOf(
  layer: FlatLayer,
  whole: readonly ByteRange[],
  mark: Mark,
  changed: readonly ByteRange[],
): Mark | undefined {
  const { offset, length } = layer.layer;
  // Encapsulation puts its bytes between the MAC header and what followed it.
  if (whole.some((r) => r.start <= offset && r.end >= offset + length)) return mark;
  return changed.some((r) => touches(r, offset, offset + length)) ? "changed" : undefined;
}

const WORD: Record<Mark, string> = { added: "+", removed: "−", changed: "≠" };

export function Strips({ before, after, diff }: { before: PacketDetail; after: PacketDetail; diff: FrameDiff }) {
  return (
    <div class="strips" data-testid="strips">
      <Strip
        label="before"
        packet={before}
        mark={(l) =>
          markOf(
            l,
            diff.removed,
            "removed",
            diff.changed.map((c) => c.before),
          )
        }
      />
      <Strip
        label="after"
        packet={after}
        mark={(l) =>
          markOf(
            l,
            diff.added,
            "added",
            diff.changed.map((c) => c.after),
          )
        }
      />
    </div>
  );
}

function Strip(props: { label: string; packet: PacketDetail; mark: (l: FlatLayer) => Mark | undefined }) {
  return (
    <>
      <span class="muted small">{props.label}</span>
      <ul class="strip">
        {flatLayers(props.packet.tree).map((l) => {
          const mark = props.mark(l);
          return (
            <li key={`${l.title} ${l.layer.offset}`} class={`mark ${mark ?? ""}`} title={mark}>
              <b>{l.layer.title.replace("Ethernet II", "Eth")}</b>{" "}
              <span class="small">
                {mark ? <span title={mark}>{WORD[mark]}</span> : null}
                {l.layer.length}
              </span>
            </li>
          );
        })}
      </ul>
    </>
  );
}
