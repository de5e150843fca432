/** Lost packets as text: one line per kind of drop, and the checks on them. */
import type { Position } from "../errors.ts";
import { REASONS, type ReasonName } from "../tables/reasons.ts";
import { summary } from "../wire/summary.ts";
import type { Matcher } from "./expect.ts";
import type { DropRecord } from "./lab.ts";
import type { DropNote } from "./report-types.ts";
import { clip, type StateCheck } from "./state.ts";

/** Kinds of drops kept in one list; a flood of random packets would otherwise fill a report. */
const MAX_KINDS = 200;

/** Merges equal drops (place, reason and packet, whatever their time), in the order of the first of each. */
export function mergeDrops(drops: readonly DropRecord[]): DropNote[] {
  const notes = new Map<string, DropNote>();
  for (const d of drops) {
    const packet = summary(d.frame);
    const id = `${d.host}/${d.nic} ${d.where} ${d.reason} ${packet}`;
    const known = notes.get(id);
    if (known) known.count++;
    else if (notes.size < MAX_KINDS) {
      const text = Object.hasOwn(REASONS, d.reason) ? REASONS[d.reason as ReasonName].text : d.reason;
      notes.set(id, {
        timeNs: d.timeNs,
        host: d.host,
        nic: d.nic,
        where: d.where,
        reason: d.reason,
        text,
        packet,
        count: 1,
      });
    }
  }
  return [...notes.values()];
}

/** `egw/eth1 tc ingress DROP_WRONG_KEY: udp 172.1.0.2:6080 > 172.1.0.3:5000 (3 times)` */
export function dropLine(d: DropNote): string {
  return `${d.host}${d.nic ? `/${d.nic}` : ""} ${d.where} ${d.reason}: ${d.packet}${d.count > 1 ? ` (${d.count} times)` : ""}`;
}

export interface DropQuery {
  /** `HOST` or `HOST/NIC`; undefined: anywhere. */
  at?: string;
  where?: Matcher;
  reason?: Matcher;
  count: Matcher;
  since: string;
}

/** A check on how many packets were dropped, where and why. */
export function dropCheck(text: string, query: DropQuery, position?: Position): StateCheck {
  const matches = (d: DropRecord): boolean =>
    (query.at === undefined || query.at === d.host || query.at === `${d.host}/${d.nic}`) &&
    (query.where?.test(d.where) ?? true) &&
    (query.reason?.test(d.reason) ?? true);
  return {
    text,
    position,
    since: query.since,
    evaluate({ lab, mark }) {
      const from = lab.drops().slice(mark(query.since).drops);
      const found = from.filter(matches).length;
      if (query.count.test(found)) return { ok: true, text, expected: "", actual: "", detail: [], position };
      const detail = clip(mergeDrops(from).map(dropLine));
      return { ok: false, text, expected: `${query.count.text} drops`, actual: `${found} drops`, detail, position };
    },
  };
}
