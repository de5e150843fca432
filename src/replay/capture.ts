/** A capture as a recording: packets at the NICs of their interfaces, and what their comments say the hooks decided. */
import { LabError } from "../errors.ts";
import type { PacketRecord } from "../scenario/lab.ts";
import { REASON, REASONS, type ReasonName } from "../tables/reasons.ts";
import { fromHex } from "../wire/bytes.ts";
import { type Capture, type CapturedPacket, packetTimeNs } from "../wire/capture-types.ts";
import { readCapture } from "../wire/pcap-reader.ts";
import { LINKTYPE_ETHERNET } from "../wire/pcapng-format.ts";
import { breather, type RecordOptions } from "./breath.ts";
import { BudgetWatch } from "./budget.ts";
import { blankEvent, EventLog, KIND, SIDE_IN, SIDE_OUT, VERDICTS } from "./event-log.ts";
import { Journal } from "./journal.ts";
import type { CaptureSource, OtherPacket } from "./protocol.ts";
import { readSource } from "./record.ts";
import { Recording } from "./recording.ts";
import { Sightings } from "./sightings.ts";
import { topologyView } from "./topology-view.ts";
import type { OtherSide } from "./types.ts";

/** Packets from one look at the clock to the next. */
const PAUSE_PACKETS = 256;
/** Characters of base64 from one look to the next. */
const PAUSE_BYTES = 1 << 19;

type Note = NonNullable<PacketRecord["hook"]>;

const TUNNEL = /\btunnel (\d+)/;
const GROUP = /\bgroup (\d+)/;
const SERVICE = /\bservice (\d+)/;

/** What a hook said of a packet, by the comment that report/capture.ts wrote. */
function parseNote(comment: string): Note | undefined {
  const m = /^(ingress|egress): \w+ ([A-Z_]+) /.exec(comment);
  if (m === null || !Object.hasOwn(REASONS, m[2])) return undefined;
  const number = (name: RegExp): number => Number(name.exec(comment)?.[1] ?? -1);
  return {
    hook: m[1] as "ingress" | "egress",
    reason: REASON[m[2] as ReasonName],
    tunnel: number(TUNNEL),
    group: number(GROUP),
    service: number(SERVICE),
    lenBefore: 0,
  };
}

/** What the first of the comments that is a hook's says. A few comments stand at most packets: each is read once. */
function noteReader(): (comments: readonly string[]) => Note | undefined {
  const known = new Map<string, Note | undefined>();
  const read = (comment: string): Note | undefined => {
    if (!known.has(comment)) known.set(comment, parseNote(comment));
    return known.get(comment);
  };
  return (comments) => {
    for (const comment of comments) {
      const note = read(comment);
      if (note !== undefined) return note;
    }
    return undefined;
  };
}

async function bytesOf(bytes: Uint8Array | string, breathe: () => Promise<void>): Promise<Uint8Array> {
  if (typeof bytes !== "string") return bytes;
  let text: string;
  try {
    text = atob(bytes);
  } catch (cause) {
    throw new LabError("ERR_CAPTURE_FORMAT", "the capture's text is not base64", { cause });
  }
  const out = new Uint8Array(text.length);
  for (let from = 0; from < out.length; from += PAUSE_BYTES) {
    await breathe();
    const to = Math.min(from + PAUSE_BYTES, out.length);
    for (let i = from; i < to; i++) out[i] = text.charCodeAt(i);
  }
  return out;
}

/** Numbers of the packets by time. Mostly they are in order already. */
function inOrder(packets: readonly CapturedPacket[]): Int32Array {
  const order = Int32Array.from(packets, (_, i) => i);
  const times = Float64Array.from(packets, packetTimeNs);
  return times.every((t, i) => i === 0 || times[i - 1] <= t) ? order : order.sort((a, b) => times[a] - times[b]);
}

/**
 * Reads a capture; what a row shows is worked out when it is asked for. One that a budget or a cancel ends is a recording as well.
 * Throws LabError: ERR_CAPTURE_FORMAT, ERR_LINKTYPE, and those of the scenario beside it.
 */
export async function recordCapture(source: CaptureSource, options: RecordOptions = {}): Promise<Recording> {
  const scenario = source.scenario && readSource(source.scenario);
  const log = new EventLog();
  const budget = new BudgetWatch(options.budget ?? {}, log, options.clock);
  const breathe = breather(log, budget, options);
  try {
    await logPackets(readCapture(await bytesOf(source.bytes, breathe)), log, breathe);
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
    others: source.other && new Map([[0, otherSide(source.other)]]),
    noDecisions: true,
  });
}

const otherSide = ({ name, differences, frame }: OtherPacket): OtherSide => ({
  name,
  verdict: "differs",
  reason: "",
  differences,
  frame: fromHex(frame),
});

/** Makes an event of every packet, and one of what a hook said of it. */
async function logPackets(capture: Capture, log: EventLog, breathe: () => Promise<void>): Promise<void> {
  const { packets, interfaces } = capture;
  const start = packets.length > 0 ? packetTimeNs(packets[0]) : 0;
  // Virtual time starts at 0 already; a date is nothing that one wants to read.
  const base = start > 86_400e9 ? start : 0;
  const places = interfaces.map(({ name }, id) => (name.includes("/") ? name : `capture/${name || id}`));
  const sightings = new Sightings(log);
  const noteOf = noteReader();
  const e = blankEvent();
  const hook = blankEvent();
  let untilBreath = 0;
  for (const i of inOrder(packets)) {
    if (untilBreath-- === 0) {
      untilBreath = PAUSE_PACKETS;
      await breathe();
    }
    const packet = packets[i];
    const itf = interfaces[packet.ifId];
    if (itf.linktype !== LINKTYPE_ETHERNET)
      throw new LabError("ERR_LINKTYPE", `${itf.name || "an interface"} is of link type ${itf.linktype}`, {
        hint: "Only Ethernet captures (link type 1) can be shown.",
      });
    e.time = Math.max(0, packetTimeNs(packet) - base);
    e.place = log.strings.add(places[packet.ifId]);
    sightings.see(e.time, packet.frame);
    e.frame = sightings.frame;
    e.journey = sightings.journey;
    e.kind = KIND.packet;
    e.side = packet.direction === "out" ? SIDE_OUT : SIDE_IN;
    const note = noteOf(packet.comments);
    if (note === undefined) {
      log.push(e);
      continue;
    }
    hook.time = e.time;
    hook.place = e.place;
    hook.frame = e.frame;
    hook.journey = e.journey;
    hook.kind = KIND.hook;
    hook.side = note.hook === "ingress" ? SIDE_IN : SIDE_OUT;
    hook.verdict = verdictOf(note.reason);
    hook.reason = note.reason;
    hook.tunnel = note.tunnel;
    hook.group = note.group;
    hook.service = note.service;
    // A capture sees a packet before the ingress hook, and after the egress hook.
    if (e.side === SIDE_OUT) log.push(hook);
    log.push(e);
    if (e.side === SIDE_IN) log.push(hook);
  }
}

function verdictOf(reason: number): number {
  if (reason === REASON.PING_CONSUMED) return VERDICTS.indexOf("consumed");
  return VERDICTS.indexOf(Object.values(REASONS)[reason].outcome as "pass" | "drop" | "redirect");
}
