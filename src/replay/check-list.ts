/** The list of checks of one decision, while it is being told: what the run's reason and its lookups leave open is "yes". */
import { REASONS, type ReasonName } from "../tables/reasons.ts";
import type { TableName } from "../tables/schema.ts";
import type { HookRun, Lookup } from "./hook-run.ts";
import type { ByteRange, Check, CodeLink } from "./types.ts";

/** A function of the reference and its twin. */
export interface Place {
  code: CodeLink;
  twin: CodeLink;
}

export const place = (file: string, name: string, twinFile: string, twinName: string): Place => ({
  code: { file: `src/dataplane/${file}`, name },
  twin: { file: `bpf/${twinFile}`, name: twinName },
});

export interface Question {
  at: Place;
  text: string;
  value: string;
  expected?: string;
  bytes?: ByteRange;
}

export class CheckList {
  readonly checks: Check[] = [];
  /** The packet's fate is told. */
  decided = false;
  private readonly run: HookRun;
  private next = 0;

  constructor(run: HookRun) {
    this.run = run;
  }

  /** A check whose failure has one of `reasons`. False when it is what decided: the story ends there. */
  ask(q: Question, ...reasons: ReasonName[]): boolean {
    if (this.decided) return false;
    this.decided = reasons.includes(this.run.reason);
    this.add(q, this.decided ? "stop" : "yes");
    return !this.decided;
  }

  /** A question with two ways to go on. */
  fork(q: Question, holds: boolean): boolean {
    if (!this.decided) this.add(q, holds ? "yes" : "no");
    return holds;
  }

  /** A lookup that the data path makes without deciding anything by it. */
  skip(table: TableName): void {
    if (this.run.lookups[this.next]?.table === table) this.next++;
  }

  /** The next lookup, which was in `table`; a miss with one of `reasons` decides. Undefined where nothing was found. */
  look(table: TableName, text: string, at: Place, ...reasons: ReasonName[]): Lookup | undefined {
    if (this.decided || this.run.lookups[this.next]?.table !== table) return undefined;
    const found = this.run.lookups[this.next++];
    const hit = found.entry !== undefined;
    this.decided = !hit && reasons.includes(this.run.reason);
    const value = found.entry ?? `no entry for ${found.key}`;
    const lookup = { table, key: found.key, ...(found.entry === undefined ? {} : { entry: found.entry }) };
    this.add({ at, text, value }, hit ? "yes" : this.decided ? "stop" : "no", lookup);
    return hit ? found : undefined;
  }

  /** What the hook did in the end, where no check has said so. */
  end(at: Place): void {
    // A lookup that nothing here speaks of: the data path has become richer than this story.
    for (; this.next < this.run.lookups.length; this.next++) {
      const l = this.run.lookups[this.next];
      if (this.decided) break;
      this.add({ at, text: `${l.table} is asked`, value: l.entry ?? `no entry for ${l.key}` }, l.entry ? "yes" : "no", {
        table: l.table,
        key: l.key,
        entry: l.entry,
      });
    }
    if (this.decided) return;
    const def = REASONS[this.run.reason];
    this.add({ at, text: `The packet is ${OUTCOME[def.outcome] ?? def.outcome}`, value: def.text }, "stop");
    this.decided = true;
  }

  /** Lookups that the story has not told. */
  get untold(): number {
    return this.run.lookups.length - this.next;
  }

  private add(q: Question, outcome: Check["outcome"], lookup?: Check["lookup"]): void {
    const check: Check = { question: q.text, outcome, value: q.value, code: q.at.code, twin: q.at.twin };
    if (q.expected !== undefined) check.expected = q.expected;
    if (q.bytes !== undefined) check.bytes = q.bytes;
    if (lookup !== undefined) check.lookup = lookup;
    this.checks.push(check);
  }
}

const OUTCOME: Record<string, string> = { pass: "passed on", drop: "dropped", redirect: "redirected" };
