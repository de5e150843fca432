/** Opens the labs on real Linux, each loaded only where it is asked for. */
import type { DataPathKind } from "../lab/linux/data-path.ts";
import type { LinuxLab, LinuxLabOptions } from "../lab/linux/lab.ts";
import type { Topology } from "../scenario/topology.ts";

export interface RealLabOptions {
  lab: "netns" | "docker";
  dataPath?: DataPathKind;
  /** Of all names; by default from the topology's name. */
  prefix?: string;
  /** Docker image of the hosts. */
  image?: string;
}

export async function openRealLab(
  topology: Topology,
  where: RealLabOptions,
  options: LinuxLabOptions = {},
): Promise<LinuxLab> {
  const { openNetnsLab } = await import("../lab/netns/lab.ts");
  return openNetnsLab(topology, { prefix: where.prefix, ...options });
}

/** Removes what a lab left whose process was killed; false when there is nothing. Throws LabError ERR_LAB_UP. */
export async function removeLeftLab(prefix: string): Promise<boolean> {
  const { NetnsSite } = await import("../lab/netns/site.ts");
  const { isClaimed } = await import("../lab/linux/claim.ts");
  const { removeLive } = await import("../lab/live/paths.ts");
  if (!isClaimed(prefix)) return false;
  const site = new NetnsSite(prefix);
  site.require();
  site.claim();
  site.remove();
  removeLive(prefix);
  return true;
}
