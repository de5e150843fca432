/** `guelab bpf log`: the events of the `dump` flag, one line each, as the trace of a simulated lab shows packets. */
import { closeSync, existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { listAttachments } from "../ebpf/attach.ts";
import { objGet } from "../ebpf/bpf.ts";
import { EVENT_HAS_ENTRY, EVENT_PROXY, EVENTS_NAME, event, HOOK_INGRESS } from "../ebpf/event.ts";
import { instanceOf, mapsDir } from "../ebpf/load.ts";
import { RingReader } from "../ebpf/ringbuf.ts";
import { LabError } from "../errors.ts";
import { hookText } from "../report/hook-text.ts";
import { type Paint, paintFor, type Style } from "../report/paint.ts";
import { labTime } from "../report/trace.ts";
import type { HookNote } from "../scenario/lab.ts";
import { type Outcome, REASON_NAMES, REASONS } from "../tables/reasons.ts";
import { summary } from "../wire/summary.ts";

interface LogOptions {
  instance: string;
  /** Print what is there and end. */
  once?: boolean;
  /** End after so many events. */
  count?: number;
}

/** How long to wait for more events, ms. */
const POLL_MS = 50;

const OUTCOME_STYLE: Record<Outcome, Style> = { pass: "green", drop: "red", redirect: "yellow", note: "dim" };

/** Prints events until `count` is reached, or for ever. */
export async function printLog(options: LogOptions): Promise<void> {
  const instance = instanceOf(options.instance);
  const path = join(mapsDir(instance), EVENTS_NAME);
  if (!existsSync(path))
    throw new LabError("ERR_NOT_LOADED", `instance '${instance.name}' is not loaded`, {
      hint: `Load it: guelab bpf load --instance ${instance.name}`,
    });
  const paint = paintFor(process.stdout);
  const nics = new Map(
    listAttachments()
      .filter((at) => at.instance === instance.name)
      .map((at) => [at.ifindex, at.nic]),
  );
  const fd = objGet(path);
  const ring = new RingReader(fd);
  closeSync(fd);
  let left = options.count ?? Number.POSITIVE_INFINITY;
  try {
    for (;;) {
      left -= ring.read((record) => process.stdout.write(`${eventLine(record, nics, paint)}\n`), left);
      if (options.once || left <= 0) return;
      await delay(POLL_MS);
    }
  } finally {
    ring.close();
  }
}

/** `  3.000123 eth1       in  172.1.0.2:40001 > ... TCP SYN  ingress: pass PASS_DNAT (...)`; time is since boot. */
export function eventLine(record: Uint8Array, nics: ReadonlyMap<number, string>, paint: Paint): string {
  const e = event.decode(record);
  const hook = e.hook === HOOK_INGRESS ? "ingress" : "egress";
  const frame = e.data.slice(0, e.caplen);
  const entry = (e.flags & EVENT_HAS_ENTRY) !== 0;
  const note: HookNote = {
    hook,
    reason: e.reason,
    tunnel: entry ? e.tunnel : -1,
    group: entry ? e.id.group : -1,
    service: entry ? e.id.service : -1,
    // The record may hold less than the packet: only the difference of the two lengths counts.
    lenBefore: e.len_in - (e.len_out - e.caplen),
  };
  const reason = REASON_NAMES[e.reason];
  const style = reason === undefined ? "dim" : OUTCOME_STYLE[REASONS[reason].outcome];
  const nic = (nics.get(e.ifindex) ?? `if${e.ifindex}`).padEnd(10);
  const text = hookText(note, frame, (e.flags & EVENT_PROXY) !== 0);
  return `${paint("dim", labTime(e.time))} ${paint("cyan", nic)} ${hook === "ingress" ? "in " : "out"} ${summary(frame)}  ${paint(style, text)}`;
}
