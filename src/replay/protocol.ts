/**
 * What the page says to its worker and hears from it. Each request has a number of the asker's choice; its answers carry the
 * same one: any count of `progress`, then either the answer or an `error`. Plain data throughout (structured clone).
 *
 * One server holds one recording. Requests are answered in order, save `cancel`, which ends an `open` that is under way.
 */
import type { RunReport } from "../scenario/report-types.ts";
import type { ErrorView, EventDetail, EventRow, JourneyView, Moment, RecordingInfo, StateView } from "./types.ts";

/** A scenario, which is run in the simulator and recorded: the same source and seed always give the same recording. */
export interface ScenarioSource {
  kind: "scenario";
  /** What errors and reports call it. */
  file: string;
  text: string;
  /** Topology files (.cfg) by the name that the scenario, or another of them, gives. */
  topologies: Record<string, string>;
  /** In place of the scenario's own. */
  seed?: number;
  changes?: WhatIf[];
}

/** A capture of a lab (pcapng with interfaces `host/nic`, as guelab writes it) or of anything else. */
export interface CaptureSource {
  kind: "capture";
  file: string;
  /** The file's bytes, or these in base64. */
  bytes: Uint8Array | string;
  /** The scenario that was captured, for topology and steps. */
  scenario?: { file: string; text: string; topologies: Record<string, string> };
  /** What the run came to. */
  report?: RunReport;
  /** What stands in another's place of the first packet: the reference's, in a difference. */
  other?: OtherPacket;
}

export interface OtherPacket {
  name: string;
  /** What differs, in words. */
  differences: string[];
  /** The frame as hex. */
  frame: string;
}

/** A packet vector or counterexample: one line of docs/vectors.md. Its packets go through the reference's hooks. */
export interface VectorSource {
  kind: "vector";
  file: string;
  /** The JSON object. */
  text: string;
  /** The same vector as another data path answered it: results as in docs/vectors.md, packet by packet. */
  other?: { name: string; text: string };
}

export type OpenSource = ScenarioSource | CaptureSource | VectorSource;

/** A change to try; applied in order to the scenario's text, so that the result can be looked at and kept. */
export type WhatIf =
  /** Faults of a link: `loss 5% delay 20ms`, in the words of the link command; `link`: HOST/NIC, HOST or all. */
  | { kind: "link"; link: string; faults: string }
  /** No GUE pings from this host, or from any; `first: true` also leaves out the one of `pfc_add -p`. */
  | { kind: "stop-pings"; host?: string; first?: boolean }
  /** Another key for one service on one host. */
  | { kind: "key"; host: string; group: number; service: number; key: string }
  /** When a host's conntrack forgets UDP flows, s. */
  | { kind: "nat-udp-timeout"; host: string; seconds: number; stream?: number }
  | { kind: "seed"; seed: number }
  /** One more step, a command or `wait T`, before the step with this number (from 1); at the end without it. */
  | { kind: "step"; before?: number; text: string };

/** When to end a run; what was recorded until then can be looked at. */
export interface Budget {
  /** Default 2,000,000. */
  maxEvents?: number;
  /** Frames seen on NICs. Default 500,000. */
  maxPackets?: number;
  /** Wall time of the run, ms, by the clock that the worker's host supplies. Default 60,000. */
  maxMs?: number;
  /** Memory that packets take, bytes. Default 512 MB. */
  maxBytes?: number;
}

/** Where to go from an event; `filter` narrows every one of them but `time` and `step`. */
export type NavTarget =
  | { to: "next" | "previous" | "first" | "last" }
  | { to: "next-drop" | "previous-drop" }
  | { to: "next-at-host" | "previous-at-host"; host: string }
  /** Of the journey of the event at hand, or of this one. */
  | { to: "next-of-journey" | "previous-of-journey"; journey?: number }
  /** The first event at or after a time. */
  | { to: "time"; timeNs: number }
  /** A step's beginning, by id. */
  | { to: "step"; step: string };

export type Request =
  | { id: number; type: "open"; source: OpenSource; budget?: Budget }
  /** Ends the `open` with this number. */
  | { id: number; type: "cancel"; request: number }
  /** The rows [from, from + count) of those that the filter lets through. At most 1,000 at once. */
  | { id: number; type: "rows"; filter?: string; from: number; count: number }
  /** Where an event stands among the rows of a filter. */
  | { id: number; type: "locate"; filter?: string; index: number }
  | { id: number; type: "event"; index: number }
  /** Tables and flows after an event: of one host or of all. */
  | { id: number; type: "state"; index: number; host?: string }
  /**
   * An event with what stands around it, in one answer. `tables`: host whose tables are wanted, empty for the event's own, and
   * how many rows of each (default 1,000). `way`: the journey whose events the asker has.
   */
  | {
      id: number;
      type: "moment";
      index: number;
      filter?: string;
      tables?: { host: string; most?: number };
      way?: number;
    }
  | { id: number; type: "navigate"; from: number; target: NavTarget; filter?: string }
  | { id: number; type: "journey"; journey: number }
  /** How the events spread over the run, in about so many parts. */
  | { id: number; type: "density"; slots: number }
  | { id: number; type: "report" }
  /** The packets as a capture; with a filter, those that it lets through. */
  | { id: number; type: "pcapng"; filter?: string }
  /** The scenario with changes, without running it. */
  | { id: number; type: "what-if"; source: ScenarioSource; changes: WhatIf[] };

export interface RowsAnswer {
  /** Rows that the filter lets through, in all. */
  total: number;
  from: number;
  rows: EventRow[];
}

/** Counts for each of equally long parts of the run, by number of event. */
export interface DensityAnswer {
  /** Frames on NICs. */
  packets: Uint32Array;
  /** Hooks and NATs that changed a packet. */
  changes: Uint32Array;
  /** Packets that were lost. */
  drops: Uint32Array;
}

export type Response =
  | { id: number; type: "progress"; events: number; packets: number; timeNs: number; step: string }
  | { id: number; type: "opened"; info: RecordingInfo }
  | ({ id: number; type: "rows" } & RowsAnswer)
  /** `row`: its place, or of the nearest row before it where the filter hides it (-1: none). */
  | { id: number; type: "located"; row: number; hidden: boolean }
  | { id: number; type: "event"; event: EventDetail }
  | { id: number; type: "state"; hosts: StateView[] }
  /** `row`, `hidden`: as of `located`. */
  | { id: number; type: "moment"; moment: Moment; row: number; hidden: boolean }
  /** -1: there is no such event. */
  | { id: number; type: "navigated"; index: number }
  | { id: number; type: "journey"; journey: JourneyView }
  | ({ id: number; type: "density" } & DensityAnswer)
  | { id: number; type: "report"; report: RunReport | undefined }
  | { id: number; type: "pcapng"; bytes: Uint8Array }
  | { id: number; type: "what-if"; source: ScenarioSource; changes: string[] }
  | { id: number; type: "done" }
  /** `column`: where in a filter, from 1. */
  | { id: number; type: "error"; error: ErrorView; column?: number };

/** What the surroundings of a server give it. */
export interface ReplayHost {
  /** Wall time, ms, from whenever; budgets go by it. Default: none, and no time limit. */
  clock?: () => number;
  /** Lets other messages in while a run goes on: a promise that a later task settles. Without it a run cannot be cancelled. */
  pause?: () => Promise<void>;
}

/** Takes requests; answers go to the `post` that it was made with. */
export interface ReplayServer {
  handle(request: Request): Promise<void>;
}
