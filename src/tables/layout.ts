/**
 * A small language for C struct layouts: declared once, it gives byte offsets for the data path, a codec for people and
 * map I/O, and (src/ebpf/cheader.ts) the C header of the eBPF programs.
 *
 * Padding is never implicit: a struct whose natural C alignment would insert any is an error when it is declared.
 */
import { rd16, rd32, wr16, wr32 } from "../wire/bytes.ts";

/** One scalar, array or nested struct: its size and alignment in bytes, its C spelling and its codec. */
export interface Field<T> {
  readonly size: number;
  readonly align: number;
  /** C declaration for a member called `name`. */
  c(name: string): string;
  get(b: Uint8Array, off: number): T;
  set(b: Uint8Array, off: number, v: T): void;
}

const scalar = <T>(size: number, ctype: string, get: Field<T>["get"], set: Field<T>["set"]): Field<T> => ({
  size,
  align: size,
  c: (name) => `${ctype} ${name}`,
  get,
  set,
});

export const rdLe32 = (b: Uint8Array, off: number): number =>
  (b[off] | (b[off + 1] << 8) | (b[off + 2] << 16) | (b[off + 3] << 24)) >>> 0;
export function wrLe32(b: Uint8Array, off: number, v: number): void {
  b[off] = v;
  b[off + 1] = v >>> 8;
  b[off + 2] = v >>> 16;
  b[off + 3] = v >>> 24;
}

export const u8: Field<number> = scalar(
  1,
  "__u8",
  (b, o) => b[o],
  (b, o, v) => {
    b[o] = v;
  },
);
/** Network order on the wire and in the map; host order as a value. */
export const be16: Field<number> = scalar(2, "__be16", rd16, wr16);
export const be32: Field<number> = scalar(4, "__be32", rd32, wr32);
/** Native order of the kernel at hand; guelab supports little-endian machines. */
export const u32: Field<number> = scalar(4, "__u32", rdLe32, wrLe32);
/** A counter: exact up to 2^53. */
export const u64: Field<number> = scalar(
  8,
  "__u64",
  (b, o) => rdLe32(b, o) + rdLe32(b, o + 4) * 0x100000000,
  (b, o, v) => {
    wrLe32(b, o, v % 0x100000000);
    wrLe32(b, o + 4, Math.floor(v / 0x100000000));
  },
);
/** A fixed array of bytes. */
export const bytes = (n: number): Field<Uint8Array> => ({
  size: n,
  align: 1,
  c: (name) => `__u8 ${name}[${n}]`,
  get: (b, o) => b.slice(o, o + n),
  set: (b, o, v) => b.set(v.subarray(0, n), o),
});

type Shape = Record<string, Field<never> | Field<number> | Field<Uint8Array> | StructField>;
// biome-ignore lint/suspicious/noExplicitAny: a struct of any shape
type StructField = Struct<any>;
export type ValueOf<F> = F extends Field<infer T> ? T : never;
export type StructValue<S> = { -readonly [K in keyof S]: ValueOf<S[K]> };

/** A declared struct; it is itself a field, so structs nest. */
export interface Struct<S> extends Field<StructValue<S>> {
  readonly name: string;
  readonly fields: S;
  /** Byte offset of a member; `remote.port` reaches into a nested struct. */
  offset(path: string): number;
  encode(v: StructValue<S>): Uint8Array;
  decode(b: Uint8Array, off?: number): StructValue<S>;
}

/** Declares `struct name { ... }`; a member called `pad` is always written as zero. */
export function struct<S extends Shape>(name: string, fields: S): Struct<S> {
  const offsets = new Map<string, number>();
  let size = 0;
  let align = 1;
  for (const [key, field] of Object.entries(fields)) {
    if (size % field.align !== 0) throw new Error(`struct ${name}: ${key} at ${size} needs explicit padding`);
    offsets.set(key, size);
    if ("fields" in field) {
      const inner = field as StructField;
      for (const sub of Object.keys(inner.fields)) offsets.set(`${key}.${sub}`, size + inner.offset(sub));
    }
    size += field.size;
    align = Math.max(align, field.align);
  }
  if (size % align !== 0) throw new Error(`struct ${name}: size ${size} needs explicit padding to ${align}`);

  const self: Struct<S> = {
    name,
    fields,
    size,
    align,
    c: (member) => `struct ${name} ${member}`,
    offset(path) {
      const off = offsets.get(path);
      if (off === undefined) throw new Error(`struct ${name} has no member ${path}`);
      return off;
    },
    get(b, off) {
      const out: Record<string, unknown> = {};
      for (const [key, field] of Object.entries(fields))
        out[key] = (field as Field<unknown>).get(b, off + (offsets.get(key) as number));
      return out as StructValue<S>;
    },
    set(b, off, v) {
      for (const [key, field] of Object.entries(fields)) {
        const value = key === "pad" ? 0 : (v as Record<string, unknown>)[key];
        (field as Field<unknown>).set(b, off + (offsets.get(key) as number), value);
      }
    },
    encode(v) {
      const b = new Uint8Array(size);
      self.set(b, 0, v);
      return b;
    },
    decode: (b, off = 0) => self.get(b, off),
  };
  return self;
}
