/** Ends a run that has grown too long: by events, packets, memory, wall time, or because someone asked. */
import { LabError } from "../errors.ts";
import type { EventLog } from "./event-log.ts";
import type { Budget } from "./protocol.ts";
import type { Truncation } from "./types.ts";

const DEFAULTS = { maxEvents: 2_000_000, maxPackets: 500_000, maxMs: 60_000, maxBytes: 512 << 20 } as const;

export class BudgetWatch {
  /** Why the run was ended, once it was. */
  ended: Truncation | undefined;
  cancelled = false;
  private readonly limits: Required<Budget>;
  private readonly log: EventLog;
  private readonly clock: () => number;
  private readonly start: number;

  constructor(budget: Budget, log: EventLog, clock: () => number = () => 0) {
    this.limits = { ...DEFAULTS, ...budget };
    this.log = log;
    this.clock = clock;
    this.start = clock();
  }

  /** Throws LabError ERR_REPLAY_BUDGET when a limit is reached; the lab then ends what it does. */
  check(): void {
    const { limits, log } = this;
    const seconds = limits.maxMs / 1000;
    if (this.cancelled) this.end("cancelled", "the run was cancelled");
    if (log.length >= limits.maxEvents) this.end("events", `the run was ended after ${log.length} events`);
    if (log.packets >= limits.maxPackets) this.end("packets", `the run was ended after ${log.packets} packets`);
    if (log.frames.bytes >= limits.maxBytes)
      this.end("memory", `the run was ended with ${limits.maxBytes >> 20} MB of packets`);
    if (this.clock() - this.start >= limits.maxMs) this.end("time", `the run was ended after ${seconds} s`);
  }

  private end(reason: Truncation["reason"], message: string): never {
    this.ended = { reason, message: `${message}: what comes later is not shown` };
    const hint = reason === "cancelled" ? undefined : "Shorten the scenario, or transfer less in it.";
    throw new LabError("ERR_REPLAY_BUDGET", message, { hint });
  }
}
