/**
 * The ageing of sessions. The data path reads no clock; EPOCH counts sweeps and is the sessions' notion of time: the
 * daemon that pfc_start runs increments it every few seconds.
 */
import { TABLES } from "../tables/schema.ts";
import type { TableStores } from "../tables/tables.ts";
import { typed } from "../tables/typed.ts";

/** One sweep: EPOCH + 1, then sessions not seen for `count` epochs go. Returns how many went. */
export function sweep(tables: TableStores, count: number): number {
  const clock = typed(TABLES.EPOCH, tables.EPOCH);
  const epoch = ((clock.get({ value: 0 })?.value ?? 0) + 1) >>> 0;
  clock.set({ value: 0 }, { value: epoch });
  const sessions = typed(TABLES.SESSION, tables.SESSION);
  let gone = 0;
  for (const [key, entry] of sessions.entries())
    if ((epoch - entry.epoch) >>> 0 >= count && sessions.delete(key)) gone++;
  return gone;
}
