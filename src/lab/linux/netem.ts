/**
 * Faults of a link by the kernel's netem (tc-netem(8)), on the device at each of its ends: rate, delay, loss, duplication,
 * reordering, corruption, as the simulated link has them (src/sim/link.ts).
 *
 * What netem does otherwise: it reorders by letting some frames overtake all others, so the share that is not held back
 * goes at once, without the link's delay.
 */
import { LabError } from "../../errors.ts";
import { DEFAULT_LINK, type LinkProps } from "../../scenario/topology.ts";
import { tryInside } from "./inside.ts";
import { loadModule } from "./module.ts";
import type { Namespace } from "./sys.ts";

/** Sets a device's faults; none of them where the link is as every link is. Throws LabError ERR_NO_NETEM, ERR_TC. */
export function setFaults(ns: Namespace, dev: string, props: LinkProps): void {
  const words = netemWords(props);
  if (words.length === 0) {
    // There may be none to remove.
    tryInside(ns, "tc", ["qdisc", "del", "dev", dev, "root"]);
    return;
  }
  const add = () => tryInside(ns, "tc", ["qdisc", "replace", "dev", dev, "root", "netem", ...words]);
  let r = add();
  if (r.status !== 0 && loadModule("sch_netem")) r = add();
  if (r.status === 0) return;
  if (/kind is unknown|No such file/i.test(r.stderr))
    throw new LabError(
      "ERR_NO_NETEM",
      "this kernel cannot have faults on links: it lacks CONFIG_NET_SCH_NETEM (module sch_netem)",
      {
        hint: "Run it in the simulated lab: --lab sim.",
      },
    );
  throw new LabError("ERR_TC", `tc qdisc: ${r.stderr.trim().split("\n")[0]}`);
}

/** Arguments of netem; none for a link without faults. */
export function netemWords(props: LinkProps): string[] {
  const { delayNs, jitterNs, rateBps, queue, loss, duplicate, reorder, corrupt, reorderDelayNs } = props;
  const words: string[] = [];
  const percent = (p: number): string => `${(p * 100).toFixed(4)}%`;
  const us = (ns: number): string => `${Math.round(ns / 1000)}us`;
  const base = delayNs === DEFAULT_LINK.delayNs ? 0 : delayNs;
  const delay = base + (reorder > 0 ? reorderDelayNs : 0) + jitterNs / 2;
  // netem's jitter goes both ways.
  if (delay > 0) words.push("delay", us(delay), ...(jitterNs > 0 ? [us(jitterNs / 2)] : []));
  if (loss > 0) words.push("loss", percent(loss));
  if (duplicate > 0) words.push("duplicate", percent(duplicate));
  if (corrupt > 0) words.push("corrupt", percent(corrupt));
  if (reorder > 0) words.push("reorder", percent(1 - reorder));
  if (rateBps > 0) words.push("rate", `${rateBps}bit`);
  return words.length === 0 && queue === DEFAULT_LINK.queue ? [] : ["limit", String(queue), ...words];
}
