/** What runs on each simulated host besides its tables - services, pings, the Linux-only tunnel - and since which event. */
import type { SimHost } from "../lab/sim/world.ts";
import { SEC } from "../sim/types.ts";
import type { RunningView } from "./types.ts";

const NOTHING: RunningView = { services: [], linuxTunnels: [] };

/** Undefined where nothing was started. */
function running({ services, control, linuxTunnels }: SimHost): RunningView | undefined {
  const dataPath = control.list();
  if (services.size === 0 && dataPath.length === 0 && linuxTunnels.size === 0) return undefined;
  const view: RunningView = { services: [...services.keys()], linuxTunnels: [...linuxTunnels.keys()] };
  if (dataPath.length > 0) view.pingSeconds = Math.max(...dataPath.map((d) => d.pingNs)) / SEC;
  return view;
}

const same = (a: RunningView, b: RunningView): boolean =>
  a.pingSeconds === b.pingSeconds &&
  a.services.join() === b.services.join() &&
  a.linuxTunnels.join() === b.linuxTunnels.join();

/** Only commands start and end anything, so a host is looked at when a command that names it has ended. */
export class RunningHistory {
  /** By host: what ran from an event on, in order. */
  private readonly hosts = new Map<string, { from: number; view: RunningView }[]>();

  /** Looks at a host; what is new holds from event `index` on. */
  note(name: string, host: SimHost, index: number): void {
    const view = running(host) ?? NOTHING;
    const history = this.hosts.get(name);
    if (same(history?.at(-1)?.view ?? NOTHING, view)) return;
    if (history) history.push({ from: index, view });
    else this.hosts.set(name, [{ from: index, view }]);
  }

  /** What runs on a host right after an event. */
  at(host: string, index: number): RunningView {
    return this.hosts.get(host)?.findLast((h) => h.from <= index)?.view ?? NOTHING;
  }
}
