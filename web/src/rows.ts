/** The rows of the event list that are near what is in sight, fetched in chunks from the worker and kept for a while. */
import { signal } from "@preact/signals";
import type { EventRow } from "../../src/replay/types.ts";

/** Rows in a chunk. */
export const CHUNK = 200;
/** Chunks kept: 40,000 rows, far more than a screen; older ones are fetched again. */
const KEEP = 200;

type Fetch = (filter: string, from: number, count: number) => Promise<EventRow[]>;

export class RowCache {
  /** Goes up with every chunk that arrives: what draws rows reads it. */
  readonly version = signal(0);
  private readonly fetchRows: Fetch;
  private chunks = new Map<number, EventRow[] | "asked">();
  private filter = "";

  constructor(fetchRows: Fetch) {
    this.fetchRows = fetchRows;
  }

  /** Forgets all rows: another recording or filter. `first`: its rows from the beginning, a chunk of them. */
  reset(filter = "", first?: EventRow[]): void {
    this.filter = filter;
    this.chunks = new Map(first && [[0, first]]);
    this.version.value++;
  }

  /** A row, or undefined while it is on its way. */
  get(row: number): EventRow | undefined {
    const chunk = this.chunks.get(Math.floor(row / CHUNK));
    return chunk === undefined || chunk === "asked" ? undefined : chunk[row % CHUNK];
  }

  /** Makes sure that rows [from, to) are here or on their way. */
  want(from: number, to: number): void {
    for (let c = Math.max(0, Math.floor(from / CHUNK)); c * CHUNK < to; c++) {
      if (this.chunks.has(c)) continue;
      const { chunks } = this;
      chunks.set(c, "asked");
      this.fetchRows(this.filter, c * CHUNK, CHUNK).then(
        (found) => {
          if (chunks !== this.chunks) return;
          chunks.set(c, found);
          for (const old of chunks.keys()) {
            if (chunks.size <= KEEP) break;
            if (old !== c) chunks.delete(old);
          }
          this.version.value++;
        },
        () => chunks.delete(c),
      );
    }
  }
}
