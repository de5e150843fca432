/** A table by values instead of bytes, for the control plane and for people; works on twins and kernel maps alike. */
import type { StructValue } from "./layout.ts";
import { BPF_ANY, type TableStore } from "./map.ts";
import type { TableDef } from "./schema.ts";

export interface TypedTable<K, V> {
  get(key: StructValue<K>): StructValue<V> | undefined;
  /** Throws MapError: EEXIST, ENOENT, E2BIG. */
  set(key: StructValue<K>, value: StructValue<V>, flags?: number): void;
  delete(key: StructValue<K>): boolean;
  entries(): [StructValue<K>, StructValue<V>][];
}

/** Views `store` through the definition's codecs. */
export function typed<K, V>(def: TableDef<K, V>, store: TableStore): TypedTable<K, V> {
  return {
    get(key) {
      const value = store.lookup(def.key.encode(key));
      return value && def.value.decode(value);
    },
    set: (key, value, flags = BPF_ANY) => store.update(def.key.encode(key), def.value.encode(value), flags),
    delete: (key) => store.delete(def.key.encode(key)),
    entries: () => store.entries().map(([k, v]) => [def.key.decode(k), def.value.decode(v)]),
  };
}
