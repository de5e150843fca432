/**
 * What the runner says while a scenario runs (events) and after it (a report): plain JSON data, the same in every lab.
 * Times are ns since the lab came up; wall time is not in here, so that two runs with one seed give equal reports.
 */
import type { Position } from "../errors.ts";
import type { Lab } from "./lab.ts";

export type StepStatus = "passed" | "failed" | "skipped";
export type StepKind = "do" | "wait" | "until" | "expect" | "parallel" | "repeat";

/** One expectation and how it turned out. */
export interface CheckReport {
  ok: boolean;
  /** As written, or as a sentence: `status is 200`, `tunnel egw 65736 remote 172.1.0.5:6000`. */
  text: string;
  /** What was asked for and what was found; both empty only where `ok`. */
  expected: string;
  actual: string;
  /** Further lines: the rows that were there instead, the nearest packets. */
  detail: string[];
  position?: Position;
}

/** Why a step failed, where no expectation says it: a command was refused, or was not refused. */
export interface FailureReport {
  /** LabError code of a refused command. */
  code?: string;
  message: string;
  expected?: string;
  actual?: string;
  hint?: string;
  position?: Position;
}

/** A packet that went no further. */
export interface DropNote {
  timeNs: number;
  host: string;
  nic: string;
  /** Who dropped it: "tc ingress", "ip", "netfilter", "link", ... */
  where: string;
  /** Name of the data path's reason, or a sentence. */
  reason: string;
  /** The reason's explanation, where it has a name. */
  text: string;
  /** The packet in one line: `tcp 172.1.0.2:33000 > 5.5.5.5:3100 SYN`. */
  packet: string;
  /** How many equal drops this note stands for. */
  count: number;
}

export interface StepReport {
  /** `3`, or `3.1` within a parallel or repeat step. */
  id: string;
  kind: StepKind;
  /** The step's name, or its command or condition as written. */
  title: string;
  /** The command line, for kind "do". */
  command?: string;
  status: StepStatus;
  position?: Position;
  startNs: number;
  endNs: number;
  /** What the command printed. */
  output: string[];
  /** The code with which the command was refused, as expected. */
  refused?: string;
  checks: CheckReport[];
  failures: FailureReport[];
  /** Drops while the step ran, equal ones merged. */
  drops: DropNote[];
  /** Frames recorded while the step ran (0 where recording was off). */
  packets: number;
  /** Steps of a parallel or repeat step. */
  steps: StepReport[];
}

/** One table of one host as text; rows are sorted. */
export interface TableReport {
  host: string;
  table: string;
  columns: string[];
  rows: string[][];
  /** Entries in all; more than `rows` where the table is large. */
  total: number;
}

export interface RunReport {
  title: string;
  description?: string;
  /** Path of the scenario file, as given. */
  file: string;
  lab: Lab["kind"];
  seed: number;
  /** A stopped run is a failed one: an error outside of every step is in `error`. */
  status: "passed" | "failed";
  steps: StepReport[];
  counts: {
    steps: number;
    passed: number;
    failed: number;
    skipped: number;
    checks: number;
    packets: number;
    drops: number;
  };
  /** Lab time at the end, ns. */
  timeNs: number;
  /** All drops, equal ones merged, oldest first. */
  drops: DropNote[];
  /** Tables with rows, of every host that has any. */
  tables: TableReport[];
  /** An error of the lab that belongs to no step. */
  error?: FailureReport;
}

export type RunEvent =
  | { type: "scenario-start"; title: string; file: string; steps: number }
  | { type: "step-start"; id: string; kind: StepKind; title: string; command?: string; timeNs: number }
  | { type: "step-output"; id: string; lines: string[] }
  | { type: "step-check"; id: string; check: CheckReport }
  | { type: "step-end"; step: StepReport }
  | { type: "scenario-end"; report: RunReport };

/** Whoever listens to a run; called in order, never concurrently. */
export type RunListener = (event: RunEvent) => void;
