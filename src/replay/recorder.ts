/** Watches a simulated lab and writes what happens there into an event log and a journal of tables. */
import type { HookResult, Verdict } from "../dataplane/datapath.ts";
import type { Skb } from "../dataplane/skb.ts";
import type { LabWatch } from "../lab/sim/lab.ts";
import type { World } from "../lab/sim/world.ts";
import type { RunEvent } from "../scenario/report-types.ts";
import type { DropSite, NfPoint, SimEnv, Tap } from "../sim/env.ts";
import type { Nic } from "../sim/nic.ts";
import { REASON, TC_ACT_REDIRECT, TC_ACT_SHOT } from "../tables/reasons.ts";
import type { Tables } from "../tables/tables.ts";
import { ETH_HLEN, ETH_P_IP, setEthType } from "../wire/ethernet.ts";
import { int32 } from "./columns.ts";
import { blankEvent, type EventLog, KIND, type RawEvent, SIDE_IN, SIDE_OUT, VERDICTS } from "./event-log.ts";
import type { Journal } from "./journal.ts";
import { RunningHistory } from "./running.ts";
import { TableWriter } from "./table-writer.ts";

const PASS = VERDICTS.indexOf("pass");
const DROP = VERDICTS.indexOf("drop");
const REDIRECT = VERDICTS.indexOf("redirect");
const CONSUMED = VERDICTS.indexOf("consumed");

export class SimRecorder implements LabWatch, Tap {
  readonly log: EventLog;
  readonly journal: Journal;
  readonly running = new RunningHistory();
  private env: SimEnv | undefined;
  private world: World | undefined;
  private inner: Tap | undefined;
  private live = false;
  private readonly writers = new Map<string, TableWriter>();
  /** Writers with rows that no event has yet. */
  private dirty: TableWriter[] = [];
  private readonly event: RawEvent = blankEvent();
  /** Frame that each journey had last: most events find it unchanged. */
  private readonly lastFrame = int32();
  /** The frame before the hook, and before netfilter, that is running. */
  private before = 0;
  private scratch = new Uint8Array(2048);
  private scratchLen = 0;

  constructor(log: EventLog, journal: Journal) {
    this.log = log;
    this.journal = journal;
    this.lastFrame.push(0);
  }

  tables(host: string): Tables {
    return this.writer(host).makeTables();
  }

  setup(world: World, recorder: Tap): Tap {
    this.live = false;
    this.env = world.env;
    this.world = world;
    this.inner = recorder;
    return this;
  }

  ready(): void {
    for (const [name, { host }] of (this.world as World).hosts) this.writer(name).watchFlows(host.netfilter.conntrack);
    for (const writer of this.writers.values()) if (this.log.length === 0) writer.flush(-1);
    this.live = true;
  }

  /** Nothing that happens from now on is recorded: the lab is being taken down. */
  stop(): void {
    this.flushOutside();
    this.live = false;
  }

  /** What the runner tells. */
  readonly onRun = (event: RunEvent): void => {
    const { log } = this;
    if (event.type === "step-start") {
      this.flushOutside();
      log.currentStep = log.strings.add(event.id);
      this.pushStep(SIDE_IN, event.id, event.command ?? event.title, false, event.timeNs);
    } else if (event.type === "step-end") {
      this.flushOutside();
      const { step } = event;
      log.currentStep = log.strings.add(step.id);
      if (step.command !== undefined) this.noteRunning(step.command);
      this.pushStep(SIDE_OUT, step.id, step.command ?? step.title, step.status === "failed", step.endNs);
      const dot = step.id.lastIndexOf(".");
      if (dot > 0) log.currentStep = log.strings.add(step.id.slice(0, dot));
    }
  };

  /** A command starts and ends things on the hosts that it names: there may be a thousand others. */
  private noteRunning(command: string): void {
    for (const word of new Set(command.split(/\s+/))) {
      const host = this.world?.hosts.get(word);
      if (host !== undefined) this.running.note(word, host, this.log.length);
    }
  }

  onPacket(nic: Nic, direction: "in" | "out", skb: Skb): void {
    this.inner?.onPacket(nic, direction, skb);
    if (!this.live) return;
    this.flushOutside();
    const e = this.start(KIND.packet, nic.label, skb);
    e.side = direction === "in" ? SIDE_IN : SIDE_OUT;
    e.frame = this.frameOf(skb);
    this.log.push(e);
  }

  beforeHook(nic: Nic, _hook: "ingress" | "egress", skb: Skb): void {
    if (!this.live) return;
    this.flushOutside();
    this.before = this.frameOf(skb);
    const writer = this.writers.get(hostOf(nic.label));
    if (writer !== undefined) writer.inHook = true;
  }

  onHook(nic: Nic, hook: "ingress" | "egress", skb: Skb, verdict: Verdict, result: HookResult, len: number): void {
    this.inner?.onHook(nic, hook, skb, verdict, result, len);
    if (!this.live) return;
    const { log } = this;
    const e = this.start(KIND.hook, nic.label, skb);
    e.side = hook === "ingress" ? SIDE_IN : SIDE_OUT;
    e.frame = this.before;
    const dropped = verdict === TC_ACT_SHOT;
    if (!dropped) {
      const after = this.frameOf(skb);
      e.after = after === this.before ? 0 : after;
    }
    e.verdict = dropped ? DROP : verdict === TC_ACT_REDIRECT ? REDIRECT : PASS;
    if (result.reason === REASON.PING_CONSUMED) e.verdict = CONSUMED;
    e.reason = result.reason;
    e.tunnel = result.tunnel;
    e.group = result.group;
    e.service = result.service;
    e.fib = result.fib;
    e.ifindex = nic.ifindex;
    e.gso = skb.gsoSize;
    e.vlan = skb.vlan;
    if (verdict === TC_ACT_REDIRECT)
      e.redirect = result.redirectIngress ? -result.redirectIfindex : result.redirectIfindex;
    const writer = this.writers.get(hostOf(nic.label));
    if (writer !== undefined) {
      writer.inHook = false;
      e.changes = writer.flush(log.length);
    }
    log.push(e);
    // The packet has become the ICMP error about itself: an answer, which goes back.
    if (result.reason === REASON.REDIRECT_FRAG_NEEDED) skb.journey = this.newJourney(skb.journey);
  }

  beforeNetfilter(_at: DropSite, point: NfPoint, skb: Skb): void {
    if (!this.live) return;
    this.flushOutside();
    this.journeyOf(skb);
    this.scratchLen = this.copyFrame(point, skb, 0);
  }

  afterNetfilter(at: DropSite, point: NfPoint, skb: Skb, _verdict: number): void {
    const writer = this.writers.get(at.label);
    if (!this.live || writer === undefined) return;
    const { log } = this;
    const conntrack = this.world?.hosts.get(at.label)?.host.netfilter.conntrack;
    const flow = conntrack?.flow ?? -1;
    writer.touchFlow(flow);
    const len = this.copyFrame(point, skb, this.scratchLen);
    const { scratch, scratchLen } = this;
    let same = len === scratchLen;
    for (let i = 0; same && i < len; i++) same = scratch[i] === scratch[scratchLen + i];
    const changes = writer.flush(log.length);
    if (same && changes === 0) return;
    const e = this.start(KIND.nat, at.label, skb);
    e.where = log.strings.add(point);
    const last = this.lastFrame.data[e.journey];
    e.frame = log.frames.same(last, scratch, 0, scratchLen) ? last : log.frames.add(scratch, 0, scratchLen);
    if (!same) e.after = log.frames.add(scratch, scratchLen, scratchLen + len);
    e.ifindex = flow + 1;
    e.changes = changes;
    log.push(e);
  }

  onDrop(where: string, reason: string, at: DropSite, skb: Skb): void {
    this.inner?.onDrop(where, reason, at, skb);
    // What a hook drops is that hook's event.
    if (!this.live || where.startsWith("tc ")) return;
    this.flushOutside();
    const { strings } = this.log;
    const e = this.start(KIND.drop, at.label, skb);
    e.verdict = DROP;
    e.reason = strings.add(reason);
    e.where = strings.add(where);
    e.frame = this.frameOf(skb);
    this.log.push(e);
  }

  /** Rows that were written outside of packets' ways are an event of their own, at the time when it happened. */
  flushOutside(): void {
    if (this.dirty.length === 0 || !this.live) return;
    const writers = this.dirty;
    this.dirty = [];
    for (const writer of writers) {
      if (!writer.dirty) continue;
      const { log } = this;
      const changes = writer.flush(log.length);
      // What came and went in between is none; a journal entry, such as a counter's, then goes with the next event.
      if (changes === 0) continue;
      const e = Object.assign(this.event, blankEvent());
      e.time = Math.max(writer.since, log.length > 0 ? log.time.data[log.length - 1] : 0);
      e.kind = KIND.control;
      e.place = log.strings.add(writer.host);
      e.changes = changes;
      log.push(e);
    }
  }

  private writer(host: string): TableWriter {
    let writer = this.writers.get(host);
    if (writer === undefined) {
      writer = new TableWriter(
        host,
        this.journal,
        () => this.env?.clock.now ?? 0,
        (w) => this.dirty.push(w),
      );
      this.writers.set(host, writer);
    }
    return writer;
  }

  private pushStep(side: number, id: string, text: string, failed: boolean, timeNs: number): void {
    const { log } = this;
    const e = Object.assign(this.event, blankEvent());
    e.time = Math.max(timeNs, log.length > 0 ? log.time.data[log.length - 1] : 0);
    e.kind = KIND.step;
    e.side = side;
    e.where = log.strings.add(id);
    e.reason = log.strings.add(text);
    e.failed = failed ? 1 : 0;
    log.push(e);
  }

  private start(kind: number, label: string, skb: Skb): RawEvent {
    const e = this.event;
    e.time = (this.env as SimEnv).clock.now;
    e.kind = kind;
    e.place = this.log.strings.add(label);
    e.journey = this.journeyOf(skb);
    e.side =
      e.verdict =
      e.reason =
      e.where =
      e.after =
      e.ifindex =
      e.redirect =
      e.gso =
      e.vlan =
      e.changes =
      e.failed =
        0;
    e.tunnel = e.group = e.service = e.fib = -1;
    return e;
  }

  private journeyOf(skb: Skb): number {
    if (skb.journey === 0) skb.journey = this.newJourney(0);
    return skb.journey;
  }

  private newJourney(parent: number): number {
    this.lastFrame.push(0);
    return this.log.newJourney(parent);
  }

  /** Number of the skb's frame: its journey's last one where nothing changed since. */
  private frameOf(skb: Skb): number {
    const journey = this.journeyOf(skb);
    const { frames } = this.log;
    const last = this.lastFrame.data[journey];
    if (frames.same(last, skb.buf, skb.head, skb.end)) return last;
    return (this.lastFrame.data[journey] = frames.add(skb.buf, skb.head, skb.end));
  }

  /** Copies the frame to `scratch` from `at` on; returns its length. */
  private copyFrame(point: NfPoint, skb: Skb, at: number): number {
    const len = skb.end - skb.head;
    if (this.scratch.length < at + len) {
      const grown = new Uint8Array((at + len) * 2);
      grown.set(this.scratch);
      this.scratch = grown;
    }
    this.scratch.set(skb.buf.subarray(skb.head, skb.end), at);
    // A packet that leaves has no MAC header yet: what stands there is an earlier packet's.
    if (point === "output" || point === "postrouting") {
      this.scratch.fill(0, at, at + ETH_HLEN);
      setEthType(this.scratch, at, ETH_P_IP);
    }
    return len;
  }
}

const hostOf = (label: string): string => {
  const slash = label.indexOf("/");
  return slash < 0 ? label : label.slice(0, slash);
};
