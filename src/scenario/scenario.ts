/** The scenario model: a file that was read and checked; every command parsed, every expectation compiled. */
import type { LabError, Position } from "../errors.ts";
import type { Command } from "./command.ts";
import type { ResultCheck } from "./expect.ts";
import type { Lab } from "./lab.ts";
import type { StateCheck } from "./state.ts";
import type { Topology } from "./topology.ts";

interface StepBase {
  /** The name given, or the command or condition as written. */
  title: string;
  /** Name for `since`, where one is given. */
  name?: string;
  position?: Position;
}

/** Runs one command and checks what it gives. */
export interface DoStep extends StepBase {
  kind: "do";
  text: string;
  /** Absent when the line itself is refused, as expected: see `refusal`. */
  command?: Command;
  /** Why the command could not even be read; only where `refused` names this error. */
  refusal?: LabError;
  /** Code with which the command must be refused. */
  refused?: string;
  results: ResultCheck[];
  states: StateCheck[];
}

export interface WaitStep extends StepBase {
  kind: "wait";
  ns: number;
}

/** Lets time pass until all conditions hold at once. */
export interface UntilStep extends StepBase {
  kind: "until";
  conditions: StateCheck[];
  withinNs: number;
}

export interface ExpectStep extends StepBase {
  kind: "expect";
  states: StateCheck[];
}

/** Several commands that start at the same moment. */
export interface ParallelStep extends StepBase {
  kind: "parallel";
  steps: DoStep[];
}

/** The steps of all rounds, in order. */
export interface RepeatStep extends StepBase {
  kind: "repeat";
  steps: Step[];
}

export type Step = DoStep | WaitStep | UntilStep | ExpectStep | ParallelStep | RepeatStep;

export interface Scenario {
  title: string;
  description?: string;
  /** Path as given. */
  file: string;
  topology: Topology;
  seed: number;
  /** Labs in which it makes sense; undefined: all. */
  labs?: readonly Lab["kind"][];
  /** Commands that the settings (`sysctl`, `links`) stand for; they run before the first step. */
  setup: Command[];
  steps: Step[];
  /** True when an expectation looks at recorded packets. */
  needsPackets: boolean;
}

/** Time an `until` waits where it does not say. */
export const DEFAULT_WITHIN_NS = 5_000_000_000;
