/**
 * The namespaces of a lab, /run/netns/guelab-PREFIX-HOST and guelab-PREFIX-netN. What a lab left behind is found from the
 * names alone, so that a killed run is cleaned up by the next one.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { run } from "../../ebpf/exec.ts";
import { LabError } from "../../errors.ts";
import { claimPrefix, labName, removeClaim, removePinsOf } from "../linux/claim.ts";

const NETNS_DIR = "/run/netns";

export const namespacePath = (name: string): string => join(NETNS_DIR, name);

/** Namespaces that carry the prefix. */
export function labNamespaces(prefix: string): string[] {
  try {
    return readdirSync(NETNS_DIR).filter((f) => f.startsWith(labName(prefix, "")));
  } catch {
    return [];
  }
}

/** See claimPrefix. */
export function claim(prefix: string): void {
  claimPrefix(prefix, {
    removeLeft: () => removeLab(prefix),
    refuseTaken: () => {
      const [taken] = labNamespaces(prefix);
      if (taken !== undefined)
        throw new LabError("ERR_NAME_TAKEN", `the namespace ${taken} exists, and is of no lab that is known here`, {
          hint: `Give another name with --prefix, or remove it: ip netns del ${taken}`,
        });
    },
  });
}

/** Removes every namespace (with its links) and every pin of a lab, and the claim. */
export function removeLab(prefix: string): void {
  removePinsOf(prefix);
  const names = labNamespaces(prefix);
  if (names.length > 0) run("ERR_IP", "ip", ["-force", "-batch", "-"], names.map((n) => `netns del ${n}\n`).join(""));
  removeClaim(prefix);
}
