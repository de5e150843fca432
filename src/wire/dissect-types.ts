/** The tree that `dissect` gives: layers of fields with place, value and meaning. Plain data, fit for JSON. */
import { toHex } from "./bytes.ts";

export interface FieldNode {
  name: string;
  /** Byte offset in the frame and length in bytes. */
  offset: number;
  length: number;
  /** Bits within those bytes, counted from the most significant; left out when the field is whole bytes. */
  bits?: { start: number; length: number };
  /** Number in host order; hex text for what is no number. */
  value: number | string;
  /** The value as people write it: `172.1.0.3`, `0x0800`. */
  text: string;
  /** What this value says; may be empty. */
  meaning: string;
  /** Where the field is defined: `RFC 791 section 3.1`. */
  source: string;
  /** What is wrong with the value, where something is. */
  problem?: string;
}

export interface LayerNode {
  /** `ethernet`, `vlan`, `arp`, `ipv4`, `icmp`, `udp`, `tcp`, `gue`, `payload`, `trailer`. */
  name: string;
  title: string;
  offset: number;
  /** Bytes of the header (of the whole for `payload` and `trailer`). */
  length: number;
  fields: FieldNode[];
  /** What the layer carries: mostly one; behind an IPv4 packet there may be a trailer. */
  children: LayerNode[];
  /** Truncations and other faults, as sentences. */
  notes: string[];
}

export interface DissectOptions {
  /** UDP ports that carry GUE. Besides these, port 6080 and the exact base words of this dialect are recognised. */
  tunnelPorts?: Iterable<number>;
}

/** What the layer dissectors share: the frame, and which ports are tunnels. */
export interface Dissection {
  b: Uint8Array;
  tunnelPorts: ReadonlySet<number>;
}

export function layer(name: string, title: string, offset: number, length: number): LayerNode {
  return { name, title, offset, length, fields: [], children: [], notes: [] };
}

/** Adds a field of whole bytes. */
export function add(
  to: LayerNode,
  name: string,
  offset: number,
  length: number,
  value: number | string,
  text: string,
  meaning: string,
  source: string,
  problem?: string,
): void {
  const field: FieldNode = { name, offset, length, value, text, meaning, source };
  if (problem) field.problem = problem;
  to.fields.push(field);
}

/** Adds a field of some bits; `start` counts from the most significant bit of the byte at `offset`. */
export function addBits(
  to: LayerNode,
  name: string,
  offset: number,
  start: number,
  length: number,
  value: number,
  text: string,
  meaning: string,
  source: string,
  problem?: string,
): void {
  add(to, name, offset, Math.ceil((start + length) / 8), value, text, meaning, source, problem);
  to.fields[to.fields.length - 1].bits = { start, length };
}

/** Adds raw bytes as one field. */
export function addBytes(to: LayerNode, b: Uint8Array, name: string, off: number, end: number, source = ""): void {
  if (end <= off) return;
  const hex = toHex(b, off, end);
  add(to, name, off, end - off, hex, hex, `${end - off} bytes`, source);
}

/** A header that is not all there, from `off` on: its bytes, and a note. */
export function truncated(to: LayerNode, b: Uint8Array, off: number, end: number, need: number): LayerNode {
  addBytes(to, b, "bytes", off, end);
  to.length = end - to.offset;
  to.notes.push(`truncated: ${end - off} bytes of at least ${need}`);
  return to;
}

/** A leaf of uninterpreted bytes. */
export function bytesLayer(b: Uint8Array, name: string, title: string, off: number, end: number): LayerNode {
  const out = layer(name, title, off, end - off);
  addBytes(out, b, name, off, end);
  return out;
}

/** `0x` and at least `digits` hex digits. */
export const hex = (v: number, digits = 4): string => `0x${v.toString(16).padStart(digits, "0")}`;
