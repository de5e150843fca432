/**
 * What a recorded run shows, as plain data: the page, the HTML reports and the terminal get the same objects. All of it can
 * be cloned to another thread; frames are bytes, MAC header first, and never written to.
 *
 * Times are ns since the lab came up. An *event* is one moment at one place; events have numbers from 0, in the order in
 * which they happened. A *journey* is one packet's way from where it was made to where it ended, copies included; what it
 * provokes (a reply, an ICMP error) is a journey of its own.
 */
import type { Position } from "../errors.ts";
import type { RunReport, StepReport } from "../scenario/report-types.ts";
import type { LinkProps, Role } from "../scenario/topology.ts";
import type { TableName } from "../tables/schema.ts";
import type { LayerNode } from "../wire/dissect-types.ts";

/**
 * `packet`: a frame on a NIC. `hook`: a TC hook has decided. `nat`: netfilter changed a packet or its flow. `drop`: a packet went no
 * further, other than by a hook. `step`: a step of the scenario begins or ends. `control`: table rows or flows changed outside of
 * a packet's way (a command, the sweep, a timeout).
 */
export const EVENT_KINDS = ["packet", "hook", "nat", "drop", "step", "control"] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

/** `consumed`: a GUE ping, which TC_ACT_SHOT ends but which is no loss. */
export type VerdictName = "pass" | "drop" | "redirect" | "consumed";

/** One line of the list of events. */
export interface EventRow {
  index: number;
  timeNs: number;
  kind: EventKind;
  /** Host, network or link; empty for a step. */
  host: string;
  /** Empty where the event is the host's, not a NIC's. */
  nic: string;
  /** Of a packet: seen coming in or going out. */
  direction?: "in" | "out";
  /** Of a hook: which one. */
  hook?: "ingress" | "egress";
  /** Of a nat event: netfilter's hook, `prerouting`, `input`, `forward`, `output` or `postrouting`. */
  point?: string;
  /** Of a hook and a drop. */
  verdict?: VerdictName;
  /** Name of the data path's reason, or a sentence. */
  reason?: string;
  /** Who dropped it: `ip`, `netfilter`, `link`, ... */
  where?: string;
  /** Tunnel, group and service: of the entry that decided, else of the packet's GUE header. */
  tunnel?: number;
  group?: number;
  service?: number;
  /** Bytes of the frame before and after; equal where nothing changed. 0 where there is no frame. */
  length: number;
  lengthAfter: number;
  /** The packet in one line (after the change), or the step or command in words. */
  summary: string;
  /** What happened to it, in words: `egress: pass PASS_ENCAP (encapsulated) ENCAP -> tunnel 65736 ..., +52 bytes`. */
  note: string;
  /** Number of the journey; 0 = none. */
  journey: number;
  /** Table rows and flows that changed with the event, counters left out. */
  changes: number;
  /** Id of the step that was under way: `3`, `3.1`; empty before the first. */
  step: string;
}

/** Bytes [start, end) of a frame. */
export interface ByteRange {
  start: number;
  end: number;
}

/** A frame taken apart. */
export interface PacketDetail {
  frame: Uint8Array;
  summary: string;
  /** Layers and fields with place, value, meaning and source (see wire/dissect-types.ts). */
  tree: LayerNode;
}

/** How a frame changed. Ranges do not overlap and are in order. */
export interface FrameDiff {
  /** Bytes of the frame before that are not in the one after, and the reverse. */
  removed: ByteRange[];
  added: ByteRange[];
  /** Bytes that both have with different values: places in the frame before and in the one after, pair by pair. */
  changed: { before: ByteRange; after: ByteRange }[];
  /** `IPv4 destination: 172.1.0.5 -> 172.2.0.3`; fields that both frames have. */
  fields: FieldChange[];
}

export interface FieldChange {
  layer: string;
  field: string;
  before: string;
  after: string;
}

/** A place in the source: `src/dataplane/decap.ts`, `gueControl`. */
export interface CodeLink {
  file: string;
  name: string;
}

/** `yes`: the check held. `no`: it did not, and the packet took another way. `stop`: it decided the packet's fate. */
export type CheckOutcome = "yes" | "no" | "stop";

/** One check that the data path made on a packet. */
export interface Check {
  /** `The key is the service's`. */
  question: string;
  outcome: CheckOutcome;
  /** What was found and, where there is such a thing, what it was compared with. */
  value: string;
  expected?: string;
  /** Field of the packet that was looked at: a range of the frame before the hook. */
  bytes?: ByteRange;
  /** Table that was looked into, with the key and the entry that matched; `entry` is absent where none did. */
  lookup?: { table: TableName; key: string; entry?: string };
  /** The function of the reference, and its twin in C. */
  code: CodeLink;
  twin: CodeLink;
}

/** A hook's decision, check by check, in the order in which the data path made them. */
export interface Decision {
  hook: "ingress" | "egress";
  checks: Check[];
  verdict: VerdictName;
  reason: string;
  /** The reason in words. */
  text: string;
  /** `ENCAP -> tunnel 65736 group 1 service 200`, or empty. */
  entry: string;
  /** Where a redirect goes; empty where there is none. */
  redirect: string;
  /** What the hook noted besides: `FIB_SUCCESS`, `SESSION_LEARNED`, `MSS_CLAMPED`. */
  notes: { name: string; text: string }[];
  /** False when this run of the reference on the recorded frame decided otherwise than the recorded hook: a defect. */
  agrees: boolean;
}

/** One row of a table or one flow of conntrack that changed. `before` and `after` are its fields, absent: no such row. */
export interface RowChange {
  host: string;
  table: TableName | "conntrack";
  key: string;
  before?: Record<string, string>;
  after?: Record<string, string>;
  /** `remote 0.0.0.0:0 -> 172.1.0.5:6000`, `added: ...`, `removed`. */
  text: string;
}

/** Everything about one event. */
export interface EventDetail extends EventRow {
  /** The frame before the event. */
  packet?: PacketDetail;
  /** The frame after it, where the event changed it. */
  after?: PacketDetail;
  diff?: FrameDiff;
  decision?: Decision;
  /** Of a nat event: the flow. */
  flow?: string;
  /** Of a step: what it did. */
  stepView?: StepView;
  /** Of a vector: what another data path made of the packet. */
  other?: OtherSide;
  /** Rows that changed; counters (STATS, REASON) last. */
  rows: RowChange[];
  journeyView?: JourneyView;
}

/** One packet's way. */
export interface JourneyView {
  id: number;
  /** The journey that provoked this one (the packet that became an ICMP error); 0 = none known. */
  parent: number;
  /** Numbers of its events, in order. */
  events: number[];
  /** The NICs, bridges and hosts that it came by, in order, without repetitions in a row. */
  hops: { host: string; nic: string; event: number; verdict?: VerdictName }[];
}

/** What another data path (the kernel's) made of a vector's packet. */
export interface OtherSide {
  name: string;
  verdict: string;
  reason: string;
  /** The frame that came out; absent where it was dropped. */
  frame?: Uint8Array;
  /** What differs from the reference, in words; empty: nothing. */
  differences: string[];
  /** From the reference's frame to this one, where both let one out. */
  diff?: FrameDiff;
}

/** `new`, `changed`: since the event before. */
export type RowMark = "" | "new" | "changed";

export interface StateRow {
  key: string;
  /** In the order of the table's columns. */
  cells: string[];
  mark: RowMark;
  /** Columns that changed, as numbers into `cells`. */
  changed: number[];
}

export interface StateTable {
  name: TableName | "conntrack";
  doc: string;
  columns: string[];
  rows: StateRow[];
  /** Rows that the event removed, as they were. */
  removed: { key: string; cells: string[] }[];
  /** Rows in all; more than `rows` where the table is long. */
  total: number;
}

/** What was started on a host. */
export interface RunningView {
  /** `tcp 2.2.2.2:4000` */
  services: string[];
  /** Seconds between the GUE pings; 0 = the data path runs without them, absent = no data path. */
  pingSeconds?: number;
  /** Service ids that have a Linux-only tunnel. */
  linuxTunnels: number[];
}

/** Tables and flows of one host, right after an event. Tables without rows are left out. */
export interface StateView {
  host: string;
  index: number;
  timeNs: number;
  tables: StateTable[];
  /** Of a simulated host; what ran on a real one a capture does not say. */
  running?: RunningView;
}

/** A host's tables in numbers, right after an event. */
export interface HostState {
  host: string;
  /** Rows of TUNNEL, SESSION and conntrack, where there are any. */
  sizes: Partial<Record<TableName | "conntrack", number>>;
  /** Rows of all tables that the event changed, counters left out. */
  changes: number;
  /** What runs there; known of a simulated run. */
  running?: RunningView;
}

/** Everything that is to be seen at one moment. */
export interface Moment {
  event: EventDetail;
  /** Hosts in numbers: all of them or, where there are many, those of the packet's way. */
  hosts: HostState[];
  /** Tables of one host, where they were asked for. */
  tables?: StateView;
  /** The events of the packet's journey; of a very long one those around this event. Absent where the asker has them. */
  way?: EventRow[];
}

/** A step of the scenario: its report, and the events while it ran. */
export interface StepView extends Omit<StepReport, "steps"> {
  /** Its own begin and end; -1 for a step that was skipped. */
  firstEvent: number;
  lastEvent: number;
  steps: StepView[];
}

export interface NicView {
  name: string;
  network: string;
  /** Dotted; `prefix` bits of it are the network's. */
  addr: string;
  prefix: number;
  ifindex: number;
  mtu: number;
  link: LinkProps;
}

export interface HostView {
  name: string;
  role: Role;
  nics: NicView[];
  loopback: string[];
  /** The NAT it sits behind; empty on the first network. */
  behind: string;
  /** True for a NAT. */
  masquerade: boolean;
}

/** What there is to draw. */
export interface TopologyView {
  name: string;
  networks: { name: string; subnet: string; gateway: string; members: string[] }[];
  hosts: HostView[];
  proxyIps: Record<string, string>;
}

/** Why a run was ended before its end. */
export interface Truncation {
  reason: "events" | "packets" | "memory" | "time" | "cancelled";
  message: string;
}

/** What was recorded; events, tables and packets are asked for one by one. */
export interface RecordingInfo {
  source: "scenario" | "capture" | "vector";
  title: string;
  description: string;
  /** Path as given. */
  file: string;
  /** The scenario as it ran, what-if changes included; empty where there is none. */
  text: string;
  seed: number;
  topology?: TopologyView;
  steps: StepView[];
  report?: RunReport;
  /** Events in all, of each kind, frames on NICs, drops, journeys. */
  events: number;
  kinds: Record<EventKind, number>;
  packets: number;
  drops: number;
  journeys: number;
  endNs: number;
  /** Bytes of memory that frames and the journal hold. */
  bytes: number;
  /** What the what-if changes did, one sentence each. */
  changes: string[];
  /** Of vectors: the events of which another data path made something else. */
  differs: number[];
  truncated?: Truncation;
}

/** An error as data: a LabError, or a defect with the code `ERR_INTERNAL`. */
export interface ErrorView {
  code: string;
  message: string;
  hint?: string;
  position?: Position;
}
