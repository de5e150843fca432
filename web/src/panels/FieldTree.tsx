/**
 * A frame's headers as a tree: layers, each with its fields, their values, what they mean and where they are defined.
 * WAI-ARIA tree: up and down move, right and left open and close, Home and End jump.
 */
import { signal } from "@preact/signals";
import { useEffect, useId, useMemo, useRef } from "preact/hooks";
import type { FieldNode, LayerNode } from "../../../src/wire/dissect-types.ts";

/** Layers by title that the reader closed; kept from packet to packet. */
const closed = signal<ReadonlySet<string>>(new Set(["Ethernet II"]));

/** What is behind a GUE header is the inner packet, one level further in. */
export interface FlatLayer {
  layer: LayerNode;
  depth: number;
  /** Names the layer among the frame's: `IPv4`, `IPv4 (inner)`. */
  title: string;
}

export function flatLayers(root: LayerNode): FlatLayer[] {
  const out: FlatLayer[] = [];
  const visit = (layer: LayerNode, depth: number): void => {
    const inner = depth > 0 && (layer.name === "ipv4" || layer.name === "tcp" || layer.name === "udp");
    out.push({ layer, depth, title: inner ? `${layer.title} (inner)` : layer.title });
    for (const child of layer.children) visit(child, layer.name === "gue" ? depth + 1 : depth);
  };
  visit(root, 0);
  return out;
}

/** The innermost field that holds a byte. */
export function fieldAt(layers: readonly FlatLayer[], byte: number): { title: string; field: FieldNode } | undefined {
  for (const { layer, title } of [...layers].reverse())
    for (const field of layer.fields)
      if (byte >= field.offset && byte < field.offset + field.length) return { title, field };
  return undefined;
}

/** A layer in a few words, from the fields that people look for. */
function gist(layer: LayerNode): string {
  const text = (name: string): string | undefined => layer.fields.find((f) => f.name === name)?.text;
  const pair = (a: string, b: string): string => (text(a) && text(b) ? `${text(a)} → ${text(b)}` : "");
  if (layer.name === "gue") {
    const service = text("service id") ?? text("service");
    const group = text("group id") ?? text("group");
    return service ? `group ${group}, service ${service}` : "";
  }
  return (
    pair("source", "destination") ||
    pair("source address", "destination address") ||
    pair("source port", "destination port") ||
    `${layer.length} bytes`
  );
}

interface Row {
  key: string;
  layer: FlatLayer;
  field?: FieldNode;
}

export const fieldKey = (title: string, field: FieldNode): string => `${title}/${field.name}/${field.offset}`;

export function FieldTree(props: {
  label: string;
  layers: readonly FlatLayer[];
  selected: string | undefined;
  onSelect: (key: string, range: readonly [number, number]) => void;
  onHover: (range: readonly [number, number] | undefined) => void;
  /** Lit from the bytes' side. */
  litByte?: number;
}) {
  const id = useId();
  const tree = useRef<HTMLDivElement>(null);
  const rows = useMemo(() => {
    const out: Row[] = [];
    for (const layer of props.layers) {
      out.push({ key: layer.title, layer });
      if (!closed.value.has(layer.title))
        for (const field of layer.layer.fields) out.push({ key: fieldKey(layer.title, field), layer, field });
    }
    return out;
  }, [props.layers, closed.value]);
  const at = Math.max(
    0,
    rows.findIndex((r) => r.key === props.selected),
  );

  // A field picked in the bytes opens its layer and comes into sight.
  useEffect(() => {
    const title = props.selected?.split("/")[0];
    if (title && props.selected !== title && closed.value.has(title)) setClosed(title, false);
  }, [props.selected]);
  useEffect(() => {
    if (props.selected) document.getElementById(`${id}-${at}`)?.scrollIntoView({ block: "nearest" });
  }, [props.selected, at]);

  const range = (row: Row): [number, number] =>
    row.field
      ? [row.field.offset, row.field.offset + row.field.length]
      : [row.layer.layer.offset, row.layer.layer.offset + row.layer.layer.length];
  const select = (i: number): void => {
    const row = rows[i];
    if (row) props.onSelect(row.key, range(row));
  };
  const onKeyDown = (e: KeyboardEvent): void => {
    const row = rows[at];
    const open = row && !row.field && !closed.value.has(row.key);
    if (e.key === "ArrowDown") select(Math.min(rows.length - 1, props.selected ? at + 1 : 0));
    else if (e.key === "ArrowUp") select(Math.max(0, at - 1));
    else if (e.key === "Home") select(0);
    else if (e.key === "End") select(rows.length - 1);
    else if (e.key === "ArrowRight" && row && !row.field) open ? select(at + 1) : setClosed(row.key, false);
    else if (e.key === "ArrowLeft" && row)
      row.field ? select(rows.findIndex((r) => r.key === row.layer.title)) : setClosed(row.key, true);
    else if (e.key === "Enter" || e.key === " ") row && !row.field ? setClosed(row.key, open === true) : select(at);
    else return;
    e.preventDefault();
    e.stopPropagation();
  };

  return (
    <div
      ref={tree}
      class="tree"
      role="tree"
      aria-label={props.label}
      tabIndex={0}
      aria-activedescendant={rows.length > 0 ? `${id}-${at}` : undefined}
      data-testid="field-tree"
      onKeyDown={onKeyDown}
      onMouseLeave={() => props.onHover(undefined)}
    >
      {rows.map((row, i) => {
        const { layer, field } = row;
        const [from, to] = range(row);
        const lit = props.litByte !== undefined && field && props.litByte >= from && props.litByte < to;
        const common = {
          id: `${id}-${i}`,
          "aria-level": (field ? 2 : 1) + layer.depth,
          style: { paddingInlineStart: `${6 + layer.depth * 14 + (field ? 18 : 0)}px` },
          onMouseEnter: () => props.onHover([from, to]),
        };
        if (!field) {
          const open = !closed.value.has(layer.title);
          return (
            <div
              key={row.key}
              {...common}
              role="treeitem"
              aria-selected={row.key === props.selected}
              class="tree-layer"
              aria-expanded={open}
              data-layer={layer.layer.name}
              onClick={() => {
                select(i);
                setClosed(layer.title, open);
              }}
            >
              <span class="twist" aria-hidden="true">
                {open ? "▾" : "▸"}
              </span>
              <strong>{layer.title}</strong>
              <span class="muted">{gist(layer.layer)}</span>
              {layer.layer.notes.map((note) => (
                <span key={note} class="tag drop">
                  {note}
                </span>
              ))}
            </div>
          );
        }
        return (
          <div
            key={row.key}
            {...common}
            role="treeitem"
            aria-selected={row.key === props.selected}
            class={lit ? "tree-field lit" : "tree-field"}
            data-field={field.name}
            onClick={() => select(i)}
          >
            <span class="field-name">{field.name}</span>
            <span class="field-value mono">{field.text}</span>
            <span class="field-meaning">
              {field.problem ? <b class="problem">⚠ {field.problem}</b> : field.meaning}
            </span>
          </div>
        );
      })}
    </div>
  );
}

function setClosed(title: string, close: boolean): void {
  const next = new Set(closed.value);
  if (close) next.add(title);
  else next.delete(title);
  closed.value = next;
}
