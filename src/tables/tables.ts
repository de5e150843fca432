/** The tables of one host: the twins of the kernel's maps, one per entry of the schema. */
import { BpfMap, type TableStore } from "./map.ts";
import { TABLE_NAMES, TABLES, type TableName } from "./schema.ts";

/** The tables of one host by bytes: the twins or the kernel's own. */
export type TableStores = Readonly<Record<TableName, TableStore>>;
/** The twins, with the fast lookups that the reference data path uses. */
export type Tables = Readonly<Record<TableName, BpfMap>>;

/** Makes a host's tables; `sizes` replaces maximum entry counts (a load parameter, as with the kernel's maps). */
export function createTables(sizes: Partial<Record<TableName, number>> = {}): Tables {
  const out = {} as Record<TableName, BpfMap>;
  for (const name of TABLE_NAMES) out[name] = new BpfMap(TABLES[name], sizes[name] ?? TABLES[name].maxEntries);
  return out;
}

/** Word 1 of an endpoint key; word 0 is the address. */
export const endpointWord = (port: number, proto: number): number => ((port << 16) | (proto << 8)) >>> 0;
