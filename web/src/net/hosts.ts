/** What runs on each host at a moment, read off the scenario's commands that have ended by then. */
import type { StepView } from "../../../src/replay/types.ts";

export interface Running {
  /** `http 2.2.2.2:4000` */
  services: string[];
  /** Seconds between the GUE pings of a host; 0 = its data path runs without pings, undefined = no data path. */
  pingSeconds?: number;
}

/** The commands of all steps that had begun by event `index`, in order. */
function commandsUntil(steps: readonly StepView[], index: number): string[] {
  return steps.flatMap((s) => {
    if (s.firstEvent < 0 || s.firstEvent > index) return [];
    const own = s.command && s.status !== "skipped" && s.refused === undefined ? [s.command] : [];
    return [...own, ...commandsUntil(s.steps, index)];
  });
}

/** By host name. Hosts on which nothing was started are left out. */
export function runningAt(steps: readonly StepView[], index: number): Map<string, Running> {
  const out = new Map<string, Running>();
  const of = (host: string): Running => {
    const found = out.get(host) ?? { services: [] };
    out.set(host, found);
    return found;
  };
  for (const command of commandsUntil(steps, index)) {
    const words = command.split(/\s+/).map((w) => w.replace(/\.sh$/, ""));
    if (words[0] === "http_start") of(words[1]).services.push(`${words[2]}:${words[3]}`);
    else if (words[0] === "http_stop") of(words[1]).services = [];
    else if (words[1] === "pfc_start") of(words[0]).pingSeconds = Number(words[8] ?? 0) || 0;
    else if (words[1] === "pfc_stop") of(words[0]).pingSeconds = undefined;
  }
  return out;
}
