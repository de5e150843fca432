/**
 * The scenario as it is being edited, and the changes that were made to the run. The panel comes and goes with each run; what
 * is typed stays here.
 */
import { batch, computed, effect, signal } from "@preact/signals";
import { LabError } from "../../../src/errors.ts";
import type { ScenarioSource, WhatIf } from "../../../src/replay/protocol.ts";
import { readSource } from "../../../src/replay/record.ts";
import { applyWhatIf } from "../../../src/replay/what-if.ts";
import type { Scenario, Step } from "../../../src/scenario/scenario.ts";
import * as store from "../store.ts";

export const text = signal("");
export const topologies = signal<Record<string, string>>({});
/** Name of the file in the editor; empty: the scenario. */
export const shown = signal("");

/** The scenario before anything was edited or changed here. */
const original = signal<ScenarioSource | undefined>(undefined);
const own = new WeakSet<ScenarioSource>();

effect(() => {
  const source = store.scenario.value;
  if (!source || own.has(source)) return;
  batch(() => {
    original.value = source;
    text.value = source.text;
    topologies.value = source.topologies;
    shown.value = "";
  });
});

/** The text as the simulator would read it: a scenario, or what is wrong with it. */
export const checked = computed<{ scenario?: Scenario; problem?: LabError }>(() => {
  const source = store.scenario.value;
  if (!source) return {};
  try {
    return { scenario: readSource({ file: source.file, text: text.value, topologies: topologies.value }) };
  } catch (err) {
    if (err instanceof LabError) return { problem: err };
    throw err;
  }
});

/** The last text that could be read: what completion and the controls go by while it cannot. */
let lastGood: Scenario | undefined;
export const known = computed<Scenario | undefined>(() => {
  lastGood = checked.value.scenario ?? lastGood;
  return lastGood;
});

/** Topology files that the scenario may name: its own first. */
export const topologyNames = computed(() => {
  const used = /^topology:\s*["']?([\w./-]+\.cfg)/m.exec(text.value)?.[1];
  const all = Object.keys(topologies.value);
  return used !== undefined && all.includes(used) ? [used] : [];
});

export const changes = computed<readonly WhatIf[]>(() => store.scenario.value?.changes ?? []);

const sameFiles = (a: Record<string, string>, b: Record<string, string>): boolean =>
  Object.keys(a).length === Object.keys(b).length && Object.entries(a).every(([name, t]) => b[name] === t);

/** True when the editor holds something else than what ran. */
export const edited = computed(() => {
  const source = store.scenario.value;
  return source !== undefined && (source.text !== text.value || !sameFiles(source.topologies, topologies.value));
});

/** True when the run is not the one that was opened. */
export const differs = computed(() => {
  const [source, from] = [store.scenario.value, original.value];
  if (!source || !from) return false;
  const same = source.text === from.text && sameFiles(source.topologies, from.topologies) && source.seed === from.seed;
  return !same || edited.value || changes.value.length !== (from.changes?.length ?? 0);
});

/** Runs what is in the editor, with these changes. A change that cannot be made is said, and the run stays as it is. */
export function run(next: readonly WhatIf[] = changes.value): void {
  const source = store.scenario.value;
  if (!source || checked.value.problem) return;
  const plain: ScenarioSource = { ...source, text: text.value, topologies: topologies.value, changes: undefined };
  try {
    readSource(applyWhatIf(plain, next).source);
  } catch (err) {
    if (!(err instanceof LabError)) throw err;
    store.notice.value = `${err.message}.${err.hint ? ` ${err.hint}` : ""}`;
    return;
  }
  const { file, seed } = source;
  const made: ScenarioSource = {
    kind: "scenario",
    file,
    text: text.value,
    topologies: topologies.value,
    seed,
    changes: [...next],
  };
  own.add(made);
  void store.open(made);
}

export const apply = (change: WhatIf): void => run([...changes.value, change]);
export const undo = (index: number): void => run(changes.value.filter((_, i) => i !== index));

/** Back to the scenario as it was opened. */
export function reset(): void {
  const from = original.value;
  if (!from) return;
  batch(() => {
    text.value = from.text;
    topologies.value = from.topologies;
  });
  own.add(from);
  void store.open(from);
}

/** Puts the changes into the text, where they can be edited. Throws LabError where the text does not let it. */
export function writeDown(): void {
  const source = store.scenario.value;
  if (!source || changes.value.length === 0) return;
  const plain: ScenarioSource = { ...source, text: text.value, topologies: topologies.value, changes: undefined };
  const made = applyWhatIf(plain, changes.value).source;
  own.add(made);
  text.value = made.text;
  void store.open(made);
}

export interface Service {
  host: string;
  group: number;
  service: number;
}

/** What pfc_add sets up, in the order of the steps. */
export const services = computed<Service[]>(() => {
  const out = new Map<string, Service>();
  const visit = (steps: readonly Step[]): void => {
    for (const step of steps) {
      if (step.kind === "repeat" || step.kind === "parallel") visit(step.steps);
      if (step.kind !== "do" || step.command?.spec.name !== "pfc_add" || step.refused !== undefined) continue;
      const { host = "", args } = step.command;
      const [group, service] = [Number(args.group), Number(args.service)];
      out.set(`${host} ${group}/${service}`, { host, group, service });
    }
  };
  visit(known.value?.steps ?? []);
  return [...out.values()];
});

/** Changes in a few words, for the list; a run of its own says more (RecordingInfo.changes). */
export function words(change: WhatIf): string {
  switch (change.kind) {
    case "link":
      return `link ${change.link}: ${change.faults}`;
    case "stop-pings":
      return `no pings ${change.host ? `from ${change.host}` : "from any host"}${change.first ? ", not even the first" : ""}`;
    case "key":
      return `another key for ${change.group}/${change.service} on ${change.host}`;
    case "nat-udp-timeout":
      return `${change.host} forgets UDP flows after ${change.seconds} s`;
    case "seed":
      return `seed ${change.seed}`;
    case "step":
      return `step: ${change.text}`;
  }
}
