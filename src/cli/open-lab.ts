/** Opens the labs on real Linux, each loaded only where it is asked for. */
import type { DataPathKind } from "../lab/linux/data-path.ts";
import type { LinuxLab, LinuxLabOptions } from "../lab/linux/lab.ts";
import type { Site } from "../lab/linux/site.ts";
import type { Topology } from "../scenario/topology.ts";
import { checkPair } from "./execute.ts";

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
  const { prefix, image, dataPath } = where;
  checkPair(where.lab, dataPath, { prefix, image });
  if (where.lab === "docker") {
    const { openDockerLab } = await import("../lab/docker/lab.ts");
    return openDockerLab(topology, { prefix, image, ...options });
  }
  const { openNetnsLab } = await import("../lab/netns/lab.ts");
  return openNetnsLab(topology, { prefix, dataPath, ...options });
}

/** Removes what a lab left whose process was killed; false when there is nothing. Throws LabError ERR_LAB_UP. */
export async function removeLeftLab(prefix: string): Promise<boolean> {
  const { hasObjects } = await import("../lab/docker/leftovers.ts");
  const { isClaimed } = await import("../lab/linux/claim.ts");
  const { removeLive } = await import("../lab/live/paths.ts");
  const inDocker = hasObjects(prefix);
  if (!inDocker && !isClaimed(prefix)) return false;
  const site = inDocker ? await dockerSite(prefix) : await netnsSite(prefix);
  site.claim();
  site.remove();
  removeLive(prefix);
  return true;
}

/** Whatever its image was: none is needed any more. */
async function dockerSite(prefix: string): Promise<Site> {
  const { DockerSite } = await import("../lab/docker/site.ts");
  const { DEFAULT_IMAGE } = await import("../lab/docker/image.ts");
  return new DockerSite(prefix, DEFAULT_IMAGE);
}

async function netnsSite(prefix: string): Promise<Site> {
  const { NetnsSite } = await import("../lab/netns/site.ts");
  const site = new NetnsSite(prefix);
  site.require();
  return site;
}
