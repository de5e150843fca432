/** What a lab on real Linux needs of the machine. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "../../errors.ts";
import type { Topology } from "../../scenario/topology.ts";
import { readSysctl } from "./inside.ts";

/** `tools`: programs, and Debian's packages of them. Throws LabError ERR_NO_ROOT, ERR_NO_PROGRAM. */
export function requireTools(lab: string, tools: Readonly<Record<string, string>>): void {
  if (process.platform !== "linux" || process.geteuid?.() !== 0)
    throw new LabError("ERR_NO_ROOT", `the ${lab} lab works inside network namespaces, which needs Linux and root`, {
      hint: "Run it with sudo, or in the simulated lab: --lab sim.",
    });
  const dirs = `${process.env.PATH ?? ""}:/usr/sbin:/sbin`.split(":");
  for (const [tool, pkg] of Object.entries(tools))
    if (!dirs.some((dir) => existsSync(join(dir, tool))))
      throw new LabError("ERR_NO_PROGRAM", `the ${lab} lab needs ${tool}, which is not installed`, {
        hint: `On Debian and Ubuntu: apt-get install ${pkg}`,
      });
}

const THRESHOLDS = ["gc_thresh2", "gc_thresh3"].map((name) => `net.ipv4.neigh.default.${name}`);

/**
 * The kernel keeps the neighbours of all namespaces in one table. From gc_thresh2 entries on it throws out what was not used for
 * 5 s, and a lookup by the programs asks nobody for it again; beyond gc_thresh3 it takes no more. Throws LabError ERR_NEIGH_TABLE.
 */
export function requireNeighbours(topology: Topology): void {
  const needed = neighboursOf(topology) + neighboursNow();
  const small = THRESHOLDS.filter((name) => limitOf(name) < needed);
  if (small.length === 0) return;
  throw new LabError(
    "ERR_NEIGH_TABLE",
    `the kernel's neighbour table is too small for this topology: ${small.map((name) => `${name} is ${limitOf(name)}`).join(", ")}, and ${needed} are needed`,
    {
      hint: `It is shared by all namespaces: sysctl -w ${small.map((name) => `${name}=${needed}`).join(" ")}; or run it in the simulated lab: --lab sim.`,
    },
  );
}

/** Each interface knows whom its packets go to, and is known there. */
const neighboursOf = (topology: Topology): number =>
  2 * topology.hosts.reduce((sum, host) => sum + host.nics.length, 0);

/** Entries of the table, hexadecimal; the same number in each line, of a processor each. */
function neighboursNow(): number {
  const [, line = "0"] = readFileSync("/proc/net/stat/arp_cache", "utf8").split("\n");
  return Number.parseInt(line, 16);
}

/** A limit that is not shown in this namespace is one that nobody here can say. */
function limitOf(name: string): number {
  try {
    return Number(readSysctl(name));
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code !== "ENOENT") throw err;
    return Number.POSITIVE_INFINITY;
  }
}
