/**
 * What a comparison of two runs found, as plain data: the console, JSON and HTML show the same object. It can be written as
 * JSON but for the frames, which are bytes (`toJson` of report/diff.ts writes them as hex).
 *
 * A *rule* is a freedom that the other side has and that the comparison therefore takes out, such as the IP ID of a
 * kernel's own packets. Every rule that was used is in the report with how often it was; what no rule names must be equal.
 */
import type { RunReport } from "../scenario/report-types.ts";
import type { FieldNode } from "../wire/dissect-types.ts";

/** `a`: every hook against the reference. `b`: every box against its twin. `c`: the run against the simulated run. */
export const DIFF_LEVELS = ["a", "b", "c"] as const;
export type DiffLevel = (typeof DIFF_LEVELS)[number];

export type DiffVerdict = "equal" | "different" | "not run";

/** A rule that was used. */
export interface RuleUse {
  /** Short and stable: `ip-id`. */
  name: string;
  /** What it lets differ, and why that is the other side's to choose. */
  text: string;
  count: number;
}

/** A field that two packets have with different values; absent in one: `-`. */
export interface FieldDifference {
  /** `ipv4`, `outer ipv4`, `tcp`, ... as the layers of the dissection are called. */
  layer: string;
  field: string;
  /** On the real side, and on the reference's. */
  real: string;
  reference: string;
  /** Where the field stands in each frame; absent where the frame has no such field. */
  realAt?: Pick<FieldNode, "offset" | "length">;
  referenceAt?: Pick<FieldNode, "offset" | "length">;
}

/** One side of a difference. */
export interface DiffPacket {
  timeNs: number;
  frame: Uint8Array;
  /** `172.1.0.2:33000 > 5.5.5.5:3100 TCP SYN`. */
  summary: string;
}

/** A row of a table (or a check, a counter, a flow) that differs; absent: there is no such row on that side. */
export interface RowDifference {
  /** Host, or empty. */
  host: string;
  /** Table, or what it is a row of: `flows`, `steps`. */
  table: string;
  key: string;
  real?: string;
  reference?: string;
}

/** One difference, with what is needed to look into it. */
export interface Difference {
  /** Host and NIC and, at level a, the hook: `egw/eth1 egress`; a step's id at level c. */
  where: string;
  /** One sentence: what differs. */
  what: string;
  /** Time in the real run, ns; absent where the difference belongs to no moment. */
  timeNs?: number;
  /** The frame that went in, where both sides were given the same one. */
  input?: DiffPacket;
  /** What the real side made, and what the reference did; absent: nothing. */
  real?: DiffPacket;
  reference?: DiffPacket;
  /** Fields in which the two packets differ, in the order of the frame. */
  fields: FieldDifference[];
  /** Table rows that differ. */
  rows: RowDifference[];
  /** Further lines: verdicts, reasons, the rule that was broken. */
  notes: string[];
}

/** One level of one scenario. */
export interface LevelReport {
  level: DiffLevel;
  /** `hook by hook`, `box by box`, `scenario`. */
  title: string;
  verdict: DiffVerdict;
  /** Why it was not run; empty otherwise. */
  why: string;
  /** What was compared, in the order in which it is told: `frames 1204`, `hooks 38`, `rows 12`. */
  counts: { name: string; count: number }[];
  rules: RuleUse[];
  /** How many differences there are; `first` is the earliest, `differences` the first few, that one included. */
  differenceCount: number;
  first?: Difference;
  differences: Difference[];
  /** A packet vector (one JSON object in a line, docs/vectors.md) that shows the first difference; level a has one. */
  vector?: string;
  /** The same vector with what the real hooks made of its packets. */
  vectorReal?: string;
}

/** Where the captures of a difference were written; absent where nothing was. */
export interface DiffFiles {
  folder: string;
  real: string;
  /** Of the simulated run; there is one at level c. */
  reference?: string;
  report: string;
  vector?: string;
}

/** The comparison of one scenario. */
export interface DiffReport {
  scenario: string;
  title: string;
  /** The real side. */
  against: "netns" | "docker";
  dataPath: "ebpf" | "reference";
  verdict: "equal" | "different";
  levels: LevelReport[];
  /** The real run's own report, and the simulated one's where level c was asked for. */
  real: RunReport;
  reference?: RunReport;
  captures?: DiffFiles;
}

/** How many differences of a level are kept. */
export const KEPT_DIFFERENCES = 20;
