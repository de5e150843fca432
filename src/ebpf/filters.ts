/**
 * tc's part: the clsact qdisc of a NIC and guelab's filters on it, as the kernel has them. A filter is guelab's when it
 * stands under guelab's preference and handle and its program has guelab's name.
 */
import { LabError } from "../errors.ts";
import { HOOK_NAMES, type HookName, PROGRAMS } from "./build.ts";
import { type NetNs, runIn, tryRunIn } from "./nsenter.ts";

/** Where guelab's filters stand ("gu" and "gue" in ASCII): `tc filter show dev NIC ingress` shows them under these numbers. */
export const FILTER_PREF = 0x6775;
const FILTER_HANDLE = 0x677565;

/** One tc filter with an eBPF program. */
export interface BpfFilter {
  pref: number;
  handle: number;
  progId: number;
  progName: string;
}

/** What tc prints of a filter with -j. */
interface TcFilter {
  pref?: number;
  kind?: string;
  options?: { handle?: string; prog?: { id?: number; name?: string } };
}

/** What stands at a hook under guelab's preference; undefined when nothing does. */
interface Slot {
  ours?: BpfFilter;
  /** Someone else's filter there, in words. */
  other?: string;
}

function slotOf(ns: NetNs, nic: string, hook: HookName): Slot {
  const slot: Slot = {};
  for (const f of filters(ns, nic, hook)) {
    if (f.pref !== FILTER_PREF || !f.options) continue;
    const progName = f.options.prog?.name ?? "";
    const handle = Number(f.options.handle ?? 0);
    if (f.kind === "bpf" && handle === FILTER_HANDLE && progName === PROGRAMS[hook])
      slot.ours = { pref: f.pref, handle, progId: f.options.prog?.id ?? 0, progName };
    else if (f.kind !== "bpf" || handle === FILTER_HANDLE) slot.other = `${f.kind} ${progName}`.trim();
  }
  return slot;
}

/** All filters of a hook; none where the qdisc or the interface is not there. */
function filters(ns: NetNs, nic: string, hook: HookName): TcFilter[] {
  const r = tryRunIn(ns, "tc", ["-j", "filter", "show", "dev", nic, hook]);
  if (r.status !== 0 || r.stdout.trim() === "") return [];
  return JSON.parse(r.stdout);
}

/** guelab's filter at a hook. */
export const ownFilter = (ns: NetNs, nic: string, hook: HookName): BpfFilter | undefined => slotOf(ns, nic, hook).ours;

/** Names of the interfaces that have a clsact qdisc. */
export function clsactNics(ns: NetNs): Set<string> {
  const out: { kind: string; dev: string }[] = JSON.parse(runIn(ns, "ERR_TC", "tc", ["-j", "qdisc", "show"]) || "[]");
  return new Set(out.filter((q) => q.kind === "clsact").map((q) => q.dev));
}

/** Adds the clsact qdisc; false when there is one already. Throws ERR_TC; ERR_TC_QDISC where an ingress qdisc is in the way. */
export function addClsact(ns: NetNs, nic: string): boolean {
  const r = tryRunIn(ns, "tc", ["qdisc", "add", "dev", nic, "clsact"]);
  if (r.status === 0) return true;
  if (clsactNics(ns).has(nic)) return false;
  if (/exclusivity flag on|file exists/i.test(r.stderr))
    throw new LabError("ERR_TC_QDISC", `${nic} has an ingress qdisc, which leaves no place for clsact`, {
      hint: `If nothing needs it: tc qdisc del dev ${nic} ingress`,
    });
  throw new LabError("ERR_TC", `cannot add the clsact qdisc to ${nic}: ${r.stderr.trim()}`, {
    hint: "It needs root and a kernel with CONFIG_NET_SCH_INGRESS and CONFIG_NET_CLS_BPF.",
  });
}

/** Removes the clsact qdisc when no filter of anybody is left on it; true when it was removed. */
export function removeEmptyClsact(ns: NetNs, nic: string): boolean {
  if (HOOK_NAMES.some((hook) => filters(ns, nic, hook).length > 0)) return false;
  return tryRunIn(ns, "tc", ["qdisc", "del", "dev", nic, "clsact"]).status === 0;
}

/** Puts a pinned program at a hook, in place of guelab's own filter there. Throws ERR_FILTER_TAKEN, ERR_TC. */
export function putFilter(ns: NetNs, nic: string, hook: HookName, pinned: string): void {
  const { other } = slotOf(ns, nic, hook);
  if (other !== undefined)
    throw new LabError(
      "ERR_FILTER_TAKEN",
      `another filter (${other}) stands at guelab's place on the ${hook} of ${nic}`,
      { hint: `Move it away from preference ${FILTER_PREF}: tc filter show dev ${nic} ${hook}` },
    );
  runIn(ns, "ERR_TC", "tc", ["filter", "replace", ...place(nic, hook), "direct-action", "object-pinned", pinned]);
}

/** Removes guelab's filter from a hook; false when there is none. Throws ERR_TC. */
export function removeFilter(ns: NetNs, nic: string, hook: HookName): boolean {
  if (!ownFilter(ns, nic, hook)) return false;
  runIn(ns, "ERR_TC", "tc", ["filter", "del", ...place(nic, hook)]);
  return true;
}

const place = (nic: string, hook: HookName): string[] => {
  const handle = `0x${FILTER_HANDLE.toString(16)}`;
  return ["dev", nic, hook, "pref", String(FILTER_PREF), "handle", handle, "protocol", "all", "bpf"];
};
