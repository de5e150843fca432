/**
 * Drops by the hooks, from the programs' counters; which packet it was is known where the flag `dump` is set. What the
 * kernel's own stack drops is not told.
 */
import type { DropRecord } from "../../scenario/lab.ts";
import { REASON_NAMES, REASONS } from "../../tables/reasons.ts";
import { TABLES } from "../../tables/schema.ts";
import { typed } from "../../tables/typed.ts";
import type { HookEvents } from "./events.ts";
import type { LinuxHost } from "./world.ts";

export class DropWatch {
  readonly drops: DropRecord[] = [];
  private readonly events: HookEvents;
  private readonly seen = new Map<LinuxHost, number[]>();

  constructor(events: HookEvents) {
    this.events = events;
  }

  /** Adds what the counters of these hosts grew by since the last look. */
  look(hosts: Iterable<LinuxHost>, timeNs: number): readonly DropRecord[] {
    for (const host of hosts) {
      if (!host.dataPath.loaded) continue;
      const before = this.seen.get(host) ?? [];
      const now: number[] = [];
      for (const [{ value: slot }, { value }] of typed(TABLES.REASON, host.tables.REASON).entries()) {
        now[slot] = Number(value);
        const name = REASON_NAMES[slot];
        if (name === undefined || REASONS[name].outcome !== "drop" || name === "PING_CONSUMED") continue;
        // pfc_stop sets counters back to zero.
        const grown = now[slot] - (now[slot] < (before[slot] ?? 0) ? 0 : (before[slot] ?? 0));
        const nic = host.dataPath.nics.length === 1 ? host.dataPath.nics[0] : "";
        const side = REASONS[name].hook;
        const where = side === "both" ? "tc" : `tc ${side}`;
        for (let i = 0; i < grown; i++) {
          const frame = this.events.takeDropped(host.def.name, slot);
          this.drops.push({ timeNs, host: host.def.name, nic, where, reason: name, frame });
        }
      }
      this.seen.set(host, now);
    }
    return this.drops;
  }

  /** The hosts are gone. */
  forget(): void {
    this.seen.clear();
  }
}
