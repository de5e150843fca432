/** A packet vector or counterexample as a recording: its packets go through the reference's hooks, one after another. */
import { Reference } from "../dataplane/reference.ts";
import { Skb } from "../dataplane/skb.ts";
import { fillTables, parseVector, type Vector } from "../dataplane/vector.ts";
import { VectorFib } from "../dataplane/vector-run.ts";
import { REASON, REASON_NAMES, TC_ACT_REDIRECT, TC_ACT_SHOT } from "../tables/reasons.ts";
import { bytesEqual, fromHex } from "../wire/bytes.ts";
import { blankEvent, EventLog, KIND, SIDE_IN, SIDE_OUT, VERDICTS } from "./event-log.ts";
import { Journal } from "./journal.ts";
import { frameDiff } from "./packet.ts";
import type { VectorSource } from "./protocol.ts";
import { Recording } from "./recording.ts";
import { TableWriter } from "./table-writer.ts";
import type { OtherSide } from "./types.ts";

/** The one host that a vector is about. */
const HOST = "host";
/** Packets of a vector are so far apart, ns. */
const STEP_NS = 1000;

/** Runs a vector. Throws LabError ERR_VECTOR_*. */
export function recordVector(source: VectorSource): Recording {
  const vector = parseVector(source.text, source.file);
  const other = source.other && parseOther(source.other.text);
  const log = new EventLog();
  const journal = new Journal();
  const writer = new TableWriter(HOST, journal, () => log.length * STEP_NS);
  const tables = writer.makeTables();
  fillTables(tables, vector);
  writer.flush(-1);
  const fib = new VectorFib();
  fib.set(vector.fib);
  const dataPath = new Reference(tables, fib);
  const others = new Map<number, OtherSide>();
  for (const [n, packet] of vector.packets.entries()) {
    const skb = new Skb(0);
    skb.setFrame(packet.frame);
    skb.ifindex = packet.ifindex;
    skb.gsoSize = packet.gsoSize;
    if (packet.vlan >= 0) skb.vlan = 0x10000 | packet.vlan;
    const e = blankEvent();
    e.time = n * STEP_NS;
    e.kind = KIND.hook;
    e.place = log.strings.add(`${HOST}/if${packet.ifindex}`);
    e.side = packet.hook === "ingress" ? SIDE_IN : SIDE_OUT;
    e.frame = log.frames.add(packet.frame);
    e.ifindex = packet.ifindex;
    e.gso = packet.gsoSize;
    e.vlan = skb.vlan;
    e.journey = log.newJourney();
    writer.inHook = true;
    const verdict = packet.hook === "ingress" ? dataPath.ingress(skb) : dataPath.egress(skb);
    writer.inHook = false;
    const { last } = dataPath;
    const dropped = verdict === TC_ACT_SHOT;
    if (!dropped && !log.frames.same(e.frame, skb.buf, skb.head, skb.end))
      e.after = log.frames.add(skb.buf, skb.head, skb.end);
    const name = dropped ? "drop" : verdict === TC_ACT_REDIRECT ? "redirect" : "pass";
    e.verdict = VERDICTS.indexOf(last.reason === REASON.PING_CONSUMED ? "consumed" : name);
    e.reason = last.reason;
    e.tunnel = last.tunnel;
    e.group = last.group;
    e.service = last.service;
    e.fib = last.fib;
    if (verdict === TC_ACT_REDIRECT) e.redirect = last.redirectIngress ? -last.redirectIfindex : last.redirectIfindex;
    e.changes = writer.flush(log.length);
    const result = other?.[n];
    const out = dropped ? undefined : skb.frame();
    if (result) others.set(log.length, compare(source.other?.name ?? "", result, name, last.reason, out));
    log.push(e);
  }
  return new Recording({
    log,
    journal,
    about: {
      source: "vector",
      title: vector.name,
      description: commentOf(vector),
      file: source.file,
      text: source.text,
      seed: 1,
      changes: [],
    },
    fib,
    others,
  });
}

interface Result {
  verdict: string;
  reason: string;
  out: Uint8Array | undefined;
}

const commentOf = (vector: Vector): string => (typeof vector.json.comment === "string" ? vector.json.comment : "");

/** Packets with what came of them, in a vector's own words: `verdict`, `reason`, `out` of the packet or of its `want`. */
function parseOther(text: string): Result[] {
  const vector = parseVector(stripResults(text), "result");
  return vector.packets.map(({ want }) => ({
    verdict: String(want.verdict ?? ""),
    reason: String(want.reason ?? ""),
    out: typeof want.out === "string" ? fromHex(want.out) : undefined,
  }));
}

/** Results stand beside a packet's members; the reader of vectors knows them under `want`. */
function stripResults(text: string): string {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return text; // parseVector says what is wrong with it.
  }
  if (typeof json !== "object" || json === null || !("packets" in json) || !Array.isArray(json.packets)) return text;
  const packets = json.packets.map((packet: Record<string, unknown>) => {
    const { verdict, reason, out, redirect, ...rest } = packet;
    const given = Object.entries({ verdict, reason, out, redirect }).filter(([, v]) => v !== undefined);
    return given.length === 0 ? rest : { ...rest, want: Object.fromEntries(given) };
  });
  const { after: _after, ...rest } = json as Record<string, unknown>;
  return JSON.stringify({ ...rest, packets });
}

function compare(name: string, r: Result, verdict: string, reason: number, out: Uint8Array | undefined): OtherSide {
  const differences: string[] = [];
  if (r.verdict !== verdict) differences.push(`verdict: ${verdict} here, ${r.verdict} there`);
  if (r.reason !== REASON_NAMES[reason]) differences.push(`reason: ${REASON_NAMES[reason]} here, ${r.reason} there`);
  const same =
    out === undefined || r.out === undefined
      ? out === r.out
      : out.length === r.out.length && bytesEqual(out, 0, r.out, 0, out.length);
  if (!same) differences.push(frameDifference(out, r.out));
  const side: OtherSide = { name, verdict: r.verdict, reason: r.reason, differences };
  if (r.out !== undefined) side.frame = r.out;
  if (r.out !== undefined && out !== undefined) side.diff = frameDiff(out, r.out);
  return side;
}

function frameDifference(here: Uint8Array | undefined, there: Uint8Array | undefined): string {
  if (here === undefined || there === undefined) return `a frame came out ${here ? "here" : "there"} only`;
  let i = 0;
  while (i < here.length && here[i] === there[i]) i++;
  const lengths = here.length === there.length ? "" : ` (${here.length} bytes here, ${there.length} there)`;
  return `the frame differs from byte ${i} on${lengths}`;
}
