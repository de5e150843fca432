/**
 * A run as a trace: packets and drops merged by time, one line each, with what the hooks decided. "Why was this packet
 * dropped" is answered on the drop's own line: who dropped it, the reason's name, the reason in words.
 */
import type { DropRecord, PacketRecord } from "../scenario/lab.ts";
import type { StepReport } from "../scenario/report-types.ts";
import { reasonText } from "../scenario/table-print.ts";
import type { Topology } from "../scenario/topology.ts";
import { REASON } from "../tables/reasons.ts";
import { summary } from "../wire/summary.ts";
import { proxyNames } from "./capture.ts";
import { hookText, reasonOf } from "./hook-text.ts";
import { type Paint, plain, type Style } from "./paint.ts";

export interface TraceOptions {
  /** Tells proxies from nodes, and sets the width of the place column. */
  topology?: Topology;
  /** UDP ports that are tunnels besides those recognised by content. */
  tunnelPorts?: Iterable<number>;
  paint?: Paint;
}

/** `  0.000123`: seconds since the lab came up, to the microsecond, 10 wide. */
export function labTime(ns: number): string {
  const us = Math.floor(ns / 1000);
  return `${Math.floor(us / 1e6)}.${String(us % 1e6).padStart(6, "0")}`.padStart(10);
}

const OUTCOME_STYLE: Record<string, Style> = { pass: "green", drop: "red", redirect: "yellow", note: "dim" };

/** Why a packet went no further: `tc ingress: DROP_WRONG_KEY (the security field is not the service's key)`. */
export function dropText(drop: Pick<DropRecord, "where" | "reason">): string {
  const text = reasonText(drop.reason);
  return `${drop.where}: ${drop.reason}${text && text !== drop.reason ? ` (${text})` : ""}`;
}

/**
 * The trace cut by steps: one list for what came before the first step, then one for each step of the report. Both
 * lists are the lab's whole recording, of which each step's report says how much it added.
 */
export function traceBySteps(
  steps: readonly StepReport[],
  packets: readonly PacketRecord[],
  drops: readonly DropRecord[],
  options: TraceOptions = {},
): string[][] {
  const dropped = steps.map((step) => step.drops.reduce((sum, d) => sum + d.count, 0));
  const sum = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);
  let p = packets.length - sum(steps.map((step) => step.packets));
  let d = drops.length - sum(dropped);
  const out = [[...traceLines(packets.slice(0, p), drops.slice(0, d), options)]];
  steps.forEach((step, i) => {
    const [p0, d0] = [p, d];
    p += step.packets;
    d += dropped[i];
    out.push([...traceLines(packets.slice(p0, p), drops.slice(d0, d), options)]);
  });
  return out;
}

/** The trace's lines, oldest first. Both lists must be in order of time, as the lab records them. */
export function* traceLines(
  packets: readonly PacketRecord[],
  drops: readonly DropRecord[],
  options: TraceOptions = {},
): Generator<string> {
  const paint = options.paint ?? plain;
  const proxies = proxyNames(options.topology);
  const tunnelPorts = [...(options.tunnelPorts ?? [])];
  const places = options.topology?.hosts.flatMap((h) => h.nics.map((n) => `${h.name}/${n.name}`.length)) ?? [];
  const width = Math.max(10, ...places);
  const line = (r: { timeNs: number; host: string; nic: string; frame: Uint8Array }, word: string): string => {
    const place = (r.nic === "" ? r.host : `${r.host}/${r.nic}`).padEnd(width);
    return `${paint("dim", labTime(r.timeNs))} ${paint("cyan", place)} ${word} ${summary(r.frame, { tunnelPorts })}`;
  };

  let next = 0;
  const dropLine = (d: DropRecord): string =>
    `${line(d, paint("red", "✗  "))}  ${paint("red", `dropped by ${dropText(d)}`)}`;
  for (let i = 0; i < packets.length; i++) {
    const p = packets[i];
    while (next < drops.length && drops[next].timeNs < p.timeNs) yield dropLine(drops[next++]);
    let text = line(p, p.direction === "in" ? "in " : "out");
    if (p.hook && p.hook.reason !== REASON.PASS_NO_CONFIG) {
      const outcome = reasonOf(p.hook.reason)?.def.outcome ?? "note";
      text += `  ${paint(OUTCOME_STYLE[outcome], hookText(p.hook, p.frame, proxies.has(p.host)))}`;
      if (outcome === "drop" && drops[next] && sameDrop(p, drops[next])) next++;
    }
    yield text;
  }
  while (next < drops.length) yield dropLine(drops[next++]);
}

/** True when the drop record tells of the very packet whose line already says so. */
function sameDrop(p: PacketRecord, d: DropRecord): boolean {
  return d.timeNs === p.timeNs && d.host === p.host && d.nic === p.nic && d.where === `tc ${p.hook?.hook}`;
}
