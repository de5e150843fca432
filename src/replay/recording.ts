/** A recorded run to look at: rows, events in full, tables at any event, journeys, filters, and the packets as a capture. */
import type { FibHelper } from "../dataplane/datapath.ts";
import { captureBytes, proxyNames } from "../report/capture.ts";
import { entryText, hookText } from "../report/hook-text.ts";
import type { PacketRecord } from "../scenario/lab.ts";
import type { RunReport } from "../scenario/report-types.ts";
import type { Topology } from "../scenario/topology.ts";
import { REASON_NAMES, REASONS } from "../tables/reasons.ts";
import { formatIpv4 } from "../wire/ipv4.ts";
import { summary } from "../wire/summary.ts";
import { tellChecks } from "./checks.ts";
import { type EventLog, KIND, SIDE_IN, SIDE_OUT, VERDICTS } from "./event-log.ts";
import { Facts } from "./facts.ts";
import { parseDisplayFilter } from "./filter.ts";
import { compileFilter, type EventTest, filterEvents } from "./filter-run.ts";
import { type HookInput, RecordedFib, runHook } from "./hook-run.ts";
import type { Journal } from "./journal.ts";
import { JourneyIndex } from "./journey-index.ts";
import { frameDiff, packetDetail } from "./packet.ts";
import type { RunningHistory } from "./running.ts";
import { hostState, rowChanges, stateView, tablesAt } from "./state-view.ts";
import { stepViews } from "./step-views.ts";
import {
  type Decision,
  EVENT_KINDS,
  type EventDetail,
  type EventKind,
  type EventRow,
  type HostState,
  type JourneyView,
  type OtherSide,
  type RecordingInfo,
  type StateView,
  type StepView,
} from "./types.ts";

/** Filters whose events are kept: that of the list, none, and what the page asks for besides. */
const FILTERS = 4;

/** What a recording is made of. */
export interface RecordingParts {
  log: EventLog;
  journal: Journal;
  about: Pick<RecordingInfo, "source" | "title" | "description" | "file" | "text" | "seed" | "changes" | "truncated">;
  topologyView?: RecordingInfo["topology"];
  topology?: Topology;
  report?: RunReport;
  /** Of a vector: what the FIB answers, and what another data path made of a hook's packet. */
  fib?: FibHelper;
  /** Tables are not known, so that the data path cannot be asked again. */
  noDecisions?: boolean;
  /** Of a simulated run. */
  running?: RunningHistory;
  others?: ReadonlyMap<number, OtherSide>;
}

export class Recording {
  readonly info: RecordingInfo;
  readonly log: EventLog;
  readonly journal: Journal;
  readonly report: RunReport | undefined;
  private readonly parts: RecordingParts;
  private readonly proxies: ReadonlySet<string>;
  private readonly summaries: (string | undefined)[] = [];
  private readonly lowered: (string | undefined)[] = [];
  private facts: Facts | undefined;
  private readonly journeys: JourneyIndex;
  /** The filters that were asked for last, and what they let through. */
  private readonly filtered = new Map<string, Int32Array>();

  constructor(parts: RecordingParts) {
    const { log, journal, report } = parts;
    this.parts = parts;
    this.log = log;
    this.journal = journal;
    this.report = report;
    this.proxies = proxyNames(parts.topology);
    this.journeys = new JourneyIndex(log);
    const kinds = Object.fromEntries(EVENT_KINDS.map((k) => [k, 0])) as Record<EventKind, number>;
    for (let i = 0; i < log.length; i++) kinds[EVENT_KINDS[log.kind.data[i]]]++;
    this.info = {
      ...parts.about,
      topology: parts.topologyView,
      steps: stepViews(report?.steps ?? [], log),
      differs: [...(parts.others ?? [])].flatMap(([at, { differences }]) => (differences.length > 0 ? [at] : [])),
      report,
      events: log.length,
      kinds,
      packets: log.packets,
      drops: log.drops,
      journeys: log.journeys,
      endNs: Math.max(report?.timeNs ?? 0, log.length > 0 ? log.time.data[log.length - 1] : 0),
      bytes: log.bytes + journal.bytes,
    };
  }

  get length(): number {
    return this.log.length;
  }

  /** Events that a filter lets through, in order. Throws LabError ERR_FILTER_SYNTAX. */
  events(filter = ""): Int32Array {
    const known = this.filtered.get(filter);
    if (known !== undefined) return known;
    const events = filterEvents(this.test(filter), this.length);
    if (this.filtered.size >= FILTERS) this.filtered.delete(this.filtered.keys().next().value as string);
    this.filtered.set(filter, events);
    return events;
  }

  /** Whether a filter lets an event through. */
  test(filter: string): EventTest {
    const subject = { log: this.log, facts: this.factsOf(), frameText: (frame: number) => this.lower(frame) };
    return compileFilter(parseDisplayFilter(filter), subject);
  }

  row(index: number): EventRow {
    const { log } = this;
    const kind = log.kind.data[index];
    const [host, nic = ""] = log.strings.get(log.place.data[index]).split("/");
    const frame = log.frame.data[index];
    const after = log.after.data[index];
    const row: EventRow = {
      index,
      timeNs: log.time.data[index],
      kind: EVENT_KINDS[kind],
      host,
      nic,
      length: log.frames.length(frame),
      lengthAfter: log.frames.length(after || frame),
      summary: frame > 0 ? this.summary(after || frame) : "",
      note: "",
      journey: log.journey.data[index],
      changes: log.changes.data[index],
      step: log.strings.get(log.step.data[index]),
    };
    const side = log.side.data[index];
    if (kind === KIND.packet) row.direction = side === SIDE_IN ? "in" : "out";
    const verdict = VERDICTS[log.verdict.data[index]];
    if (verdict !== undefined) row.verdict = verdict;
    if (frame > 0) this.addIds(row, index, after || frame);
    if (kind === KIND.hook) this.addHook(row, index);
    else if (kind === KIND.drop) {
      row.where = log.strings.get(log.where.data[index]);
      row.reason = log.strings.get(log.reason.data[index]);
      row.note = `dropped by ${row.where}: ${row.reason}`;
    } else if (kind === KIND.nat) {
      row.point = log.strings.get(log.where.data[index]);
      row.note = `${row.point}: ${after > 0 ? this.translation(frame, after) : "the flow changed"}`;
    } else if (kind === KIND.step) {
      row.summary = log.strings.get(log.reason.data[index]);
      const end = log.failed.data[index] === 1 ? "failed" : "ends";
      row.note = `step ${log.strings.get(log.where.data[index])} ${side === SIDE_OUT ? end : "begins"}`;
    } else if (kind === KIND.control) row.summary = this.controlSummary(index);
    return row;
  }

  /** An event in full. */
  event(index: number): EventDetail {
    const { log } = this;
    const row = this.row(index);
    const kind = log.kind.data[index];
    const frame = log.frame.data[index];
    const after = log.after.data[index];
    const detail: EventDetail = { ...row, rows: rowChanges(this.journal, index, row.timeNs) };
    if (frame > 0) detail.packet = packetDetail(log.frames.get(frame).slice());
    if (after > 0) {
      detail.after = packetDetail(log.frames.get(after).slice());
      detail.diff = frameDiff(log.frames.get(frame), log.frames.get(after));
    }
    if (kind === KIND.hook && this.parts.noDecisions !== true) detail.decision = this.decision(index);
    if (kind === KIND.nat) detail.flow = this.flowText(index);
    if (kind === KIND.step) detail.stepView = this.step(log.strings.get(log.where.data[index]));
    const other = this.parts.others?.get(index);
    if (other !== undefined) detail.other = other;
    if (row.journey > 0) detail.journeyView = this.journey(row.journey);
    return detail;
  }

  /** Tables and flows right after an event, at most `most` rows of each; -1: at the beginning. */
  state(index: number, host?: string, most?: number): StateView[] {
    const hosts = host === undefined ? [...this.journal.hosts.keys()] : [host];
    return hosts.map((name) => {
      const view = stateView(this.journal, name, index, this.timeAt(index), most);
      const running = this.parts.running?.at(name, index);
      return running === undefined ? view : { ...view, running };
    });
  }

  /** A host in numbers right after an event. */
  host(index: number, name: string): HostState {
    const state = hostState(this.journal, name, index, this.timeAt(index));
    const running = this.parts.running?.at(name, index);
    return running === undefined ? state : { ...state, running };
  }

  private timeAt(index: number): number {
    return index < 0 ? 0 : this.log.time.data[index];
  }

  /** A packet's way; empty where there is no such journey. */
  journey(id: number): JourneyView {
    const { log } = this;
    const events = this.journeys.events(id);
    const view: JourneyView = { id, parent: id <= log.journeys ? log.parents.data[id] : 0, events, hops: [] };
    for (const i of events) {
      const [host, nic = ""] = log.strings.get(log.place.data[i]).split("/");
      const verdict = VERDICTS[log.verdict.data[i]];
      const last = view.hops.at(-1);
      if (last?.host === host && last.nic === nic) {
        if (verdict !== undefined) last.verdict = verdict;
      } else view.hops.push(verdict === undefined ? { host, nic, event: i } : { host, nic, event: i, verdict });
    }
    return view;
  }

  /** The packets on NICs as pcapng; with a filter, those of them that it lets through. */
  pcapng(filter = ""): Uint8Array {
    return captureBytes(this.packets(filter), this.parts.topology);
  }

  /** The packets on NICs, as a lab records them. */
  packets(filter = ""): PacketRecord[] {
    const { log } = this;
    const out: PacketRecord[] = [];
    for (const i of this.events(filter)) {
      if (log.kind.data[i] !== KIND.packet) continue;
      const [host, nic = ""] = log.strings.get(log.place.data[i]).split("/");
      const direction = log.side.data[i] === SIDE_IN ? "in" : "out";
      const record: PacketRecord = {
        timeNs: log.time.data[i],
        host,
        nic,
        direction,
        frame: log.frames.get(log.frame.data[i]),
      };
      // The hook of a packet that comes in is the next event, that of one that goes out the last.
      const h = direction === "in" ? i + 1 : i - 1;
      const same =
        h >= 0 && h < log.length && log.kind.data[h] === KIND.hook && log.place.data[h] === log.place.data[i];
      if (same && log.side.data[h] === log.side.data[i] && log.journey.data[h] === log.journey.data[i])
        record.hook = this.noteOf(h);
      out.push(record);
    }
    return out;
  }

  /** A step by its id. */
  step(id: string): StepView | undefined {
    const find = (steps: readonly StepView[]): StepView | undefined => {
      for (const s of steps) {
        const found = s.id === id ? s : find(s.steps);
        if (found) return found;
      }
      return undefined;
    };
    return find(this.info.steps);
  }

  /** Why a hook decided as it did: the reference is run once more. */
  decision(index: number): Decision {
    const { log } = this;
    const input = this.hookInput(index);
    const run = runHook(input);
    const list = tellChecks(input, run);
    const recorded = REASON_NAMES[log.reason.data[index]];
    const verdict = VERDICTS[log.verdict.data[index]] ?? "pass";
    const redirect = log.redirect.data[index];
    const after = log.after.data[index] || log.frame.data[index];
    const sameFrame =
      verdict === "drop" || verdict === "consumed" || log.frames.same(after, run.after, 0, run.after.length);
    return {
      hook: input.hook,
      checks: list.checks,
      verdict,
      reason: recorded,
      text: REASONS[recorded].text,
      entry: entryText(this.noteOf(index), this.proxies.has(this.hostOf(index))),
      redirect:
        redirect === 0 ? "" : `${redirect < 0 ? "to the ingress of" : "out of"} interface ${Math.abs(redirect)}`,
      notes: run.notes.map((name) => ({ name, text: REASONS[name].text })),
      agrees: run.reason === recorded && sameFrame,
    };
  }

  /** What the hook of an event had before it. */
  hookInput(index: number): HookInput {
    const { log } = this;
    const frame = log.frames.get(log.frame.data[index]);
    const after = log.after.data[index] > 0 ? log.frames.get(log.after.data[index]) : frame;
    const ifindex = log.ifindex.data[index];
    const out = log.redirect.data[index] > 0 ? log.redirect.data[index] : ifindex;
    return {
      hook: log.side.data[index] === SIDE_IN ? "ingress" : "egress",
      ifindex,
      frame,
      gso: log.gso.data[index],
      vlan: log.vlan.data[index],
      tables: tablesAt(this.journal, this.hostOf(index), index - 1),
      fib: this.parts.fib ?? new RecordedFib(log.fib.data[index], after, out),
    };
  }

  private hostOf(index: number): string {
    return this.log.strings.get(this.log.place.data[index]).split("/")[0];
  }

  private noteOf(index: number): NonNullable<PacketRecord["hook"]> {
    const { log } = this;
    return {
      hook: log.side.data[index] === SIDE_IN ? "ingress" : "egress",
      reason: log.reason.data[index],
      tunnel: log.tunnel.data[index],
      group: log.group.data[index],
      service: log.service.data[index],
      lenBefore: log.frames.length(log.frame.data[index]),
    };
  }

  private addHook(row: EventRow, index: number): void {
    const { log } = this;
    const note = this.noteOf(index);
    row.hook = note.hook;
    row.reason = REASON_NAMES[note.reason] ?? String(note.reason);
    const after = log.after.data[index] || log.frame.data[index];
    const seen = log.frames.get(note.hook === "egress" ? after : log.frame.data[index]);
    row.note = hookText(note, seen, this.proxies.has(row.host));
  }

  private addIds(row: EventRow, index: number, frame: number): void {
    const { log } = this;
    const facts = this.factsOf();
    const ids = log.tunnel.data[index] >= 0;
    const tunnel = ids ? log.tunnel.data[index] : facts.tunnel(frame);
    if (tunnel < 0) return;
    row.tunnel = tunnel;
    row.group = ids ? log.group.data[index] : facts.group(frame);
    row.service = ids ? log.service.data[index] : facts.service(frame);
  }

  /** `destination 172.1.0.5:6000 -> 172.2.0.3:6000`, of the outer header. */
  private translation(before: number, after: number): string {
    const facts = this.factsOf();
    const end = (frame: number, i: number): string => {
      const port = facts.port(frame, i);
      return `${formatIpv4(facts.addr(frame, i))}${port > 0 ? `:${port}` : ""}`;
    };
    const changes = ["source", "destination"].flatMap((name, i) =>
      end(before, i) === end(after, i) ? [] : [`${name} ${end(before, i)} -> ${end(after, i)}`],
    );
    return changes.join(", ") || "the packet is translated";
  }

  private factsOf(): Facts {
    return (this.facts ??= new Facts(this.log.frames));
  }

  /** Makes filters fast from the first one on, for frames [from, to). Returns false when there are no more. */
  warm(from: number, to: number): boolean {
    const end = Math.min(to, this.log.frames.count);
    const facts = this.factsOf();
    for (let frame = Math.max(1, from); frame < end; frame++) {
      facts.protosOf(frame);
      this.lower(frame);
    }
    return to < this.log.frames.count;
  }

  private controlSummary(index: number): string {
    const rows = rowChanges(this.journal, index, this.log.time.data[index]);
    const tables = [...new Set(rows.map((r) => r.table))].join(", ");
    const [first] = rows;
    return rows.length === 1 ? `${first.table} ${first.key}: ${first.text}` : `${rows.length} rows of ${tables}`;
  }

  private flowText(index: number): string {
    const flow = rowChanges(this.journal, index, this.log.time.data[index]).find((r) => r.table === "conntrack");
    return flow ? `${flow.key}, reply ${(flow.after ?? flow.before)?.reply ?? ""}` : "";
  }

  private summary(frame: number): string {
    return (this.summaries[frame] ??= summary(this.log.frames.get(frame)));
  }

  private lower(frame: number): string {
    return (this.lowered[frame] ??= this.summary(frame).toLowerCase());
  }
}
