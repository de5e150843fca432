/** A capture as a recording: packets at the NICs of their interfaces, and what their comments say the hooks decided. */
import { LabError } from "../errors.ts";
import type { PacketRecord } from "../scenario/lab.ts";
import { REASON, REASONS, type ReasonName } from "../tables/reasons.ts";
import { packetTimeNs } from "../wire/capture-types.ts";
import { readCapture } from "../wire/pcap-reader.ts";
import { LINKTYPE_ETHERNET } from "../wire/pcapng-format.ts";
import { BudgetWatch } from "./budget.ts";
import { blankEvent, EventLog, KIND, SIDE_IN, SIDE_OUT, VERDICTS } from "./event-log.ts";
import { Journal } from "./journal.ts";
import type { CaptureSource } from "./protocol.ts";
import { type RecordOptions, readSource } from "./record.ts";
import { Recording } from "./recording.ts";
import { topologyView } from "./topology-view.ts";

/** A packet of one journey is seen again within this time, ns; later the same bytes are another packet. */
const JOURNEY_NS = 1_000_000_000;

/** What a hook said of a packet, by the comment that report/capture.ts wrote. */
function noteOf(comment: string): PacketRecord["hook"] | undefined {
  const m = /^(ingress|egress): \w+ ([A-Z_]+) /.exec(comment);
  if (m === null || !Object.hasOwn(REASONS, m[2])) return undefined;
  const number = (name: string): number => Number(new RegExp(`\\b${name} (\\d+)`).exec(comment)?.[1] ?? -1);
  return {
    hook: m[1] as "ingress" | "egress",
    reason: REASON[m[2] as ReasonName],
    tunnel: number("tunnel"),
    group: number("group"),
    service: number("service"),
    lenBefore: 0,
  };
}

function bytesOf(bytes: Uint8Array | string): Uint8Array {
  if (typeof bytes !== "string") return bytes;
  try {
    return Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0));
  } catch (cause) {
    throw new LabError("ERR_CAPTURE_FORMAT", "the capture's text is not base64", { cause });
  }
}

/** Reads a capture. Throws LabError: ERR_CAPTURE_FORMAT, ERR_LINKTYPE, and those of the scenario beside it. */
export function recordCapture(source: CaptureSource, options: RecordOptions = {}): Recording {
  const capture = readCapture(bytesOf(source.bytes));
  const scenario = source.scenario && readSource(source.scenario);
  const log = new EventLog();
  const budget = new BudgetWatch(options.budget ?? {}, log, options.clock);
  const journeys = new Journeys(log);
  const start = Math.min(...capture.packets.slice(0, 1).map(packetTimeNs), Number.POSITIVE_INFINITY);
  // Virtual time starts at 0 already; a date is nothing that one wants to read.
  const base = start > 86_400e9 ? start : 0;
  const order = capture.packets
    .map((_, i) => i)
    .sort((a, b) => packetTimeNs(capture.packets[a]) - packetTimeNs(capture.packets[b]));
  try {
    for (const [n, i] of order.entries()) {
      if (n % 1000 === 0) budget.check();
      const packet = capture.packets[i];
      const itf = capture.interfaces[packet.ifId];
      if (itf.linktype !== LINKTYPE_ETHERNET)
        throw new LabError("ERR_LINKTYPE", `${itf.name || "an interface"} is of link type ${itf.linktype}`, {
          hint: "Only Ethernet captures (link type 1) can be shown.",
        });
      const note = packet.comments.map(noteOf).find((found) => found !== undefined);
      const e = blankEvent();
      e.time = Math.max(0, packetTimeNs(packet) - base);
      e.place = log.strings.add(itf.name.includes("/") ? itf.name : `capture/${itf.name || packet.ifId}`);
      e.frame = log.frames.add(packet.frame);
      e.journey = journeys.of(e.time, packet.frame);
      const hook = note && {
        ...e,
        kind: KIND.hook,
        side: note.hook === "ingress" ? SIDE_IN : SIDE_OUT,
        verdict: verdictOf(note.reason),
        reason: note.reason,
        tunnel: note.tunnel,
        group: note.group,
        service: note.service,
      };
      const side = packet.direction === "out" ? SIDE_OUT : SIDE_IN;
      // A capture sees a packet before the ingress hook, and after the egress hook.
      if (hook && side === SIDE_OUT) log.push(hook);
      log.push({ ...e, kind: KIND.packet, side });
      if (hook && side === SIDE_IN) log.push(hook);
    }
  } catch (err) {
    if (budget.ended === undefined) throw err;
  }
  return new Recording({
    log,
    journal: new Journal(),
    about: {
      source: "capture",
      title: scenario?.title ?? source.report?.title ?? source.file,
      description: scenario?.description ?? "",
      file: source.file,
      text: source.scenario?.text ?? "",
      seed: scenario?.seed ?? 1,
      changes: [],
      truncated: budget.ended,
    },
    topology: scenario?.topology,
    topologyView: scenario && topologyView(scenario.topology),
    report: source.report,
    noDecisions: true,
  });
}

function verdictOf(reason: number): number {
  if (reason === REASON.PING_CONSUMED) return VERDICTS.indexOf("consumed");
  return VERDICTS.indexOf(Object.values(REASONS)[reason].outcome as "pass" | "drop" | "redirect");
}

/** Knows a packet again at the next NIC by its bytes behind the MAC header, which a bridge leaves as they are. */
class Journeys {
  private readonly log: EventLog;
  private readonly seen = new Map<string, { id: number; time: number }>();

  constructor(log: EventLog) {
    this.log = log;
  }

  of(time: number, frame: Uint8Array): number {
    const key = String.fromCharCode(...frame.subarray(12, 140));
    const known = this.seen.get(key);
    const id = known && time - known.time < JOURNEY_NS ? known.id : this.log.newJourney();
    this.seen.set(key, { id, time });
    return id;
  }
}
