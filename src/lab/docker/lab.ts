/** The lab of containers: hosts are containers, networks are docker's. */
import type { Topology } from "../../scenario/topology.ts";
import { prefixOf } from "../linux/claim.ts";
import { LinuxLab, type LinuxLabOptions } from "../linux/lab.ts";
import { DEFAULT_IMAGE } from "./image.ts";
import { DockerSite } from "./site.ts";

export interface DockerLabOptions extends LinuxLabOptions {
  /** Of all names of containers, networks and pins; by default from the topology's name. */
  prefix?: string;
  /** Of the hosts. */
  image?: string;
}

/** Brings a topology up; see LinuxLab.open and requireDocker. */
export const openDockerLab = (topology: Topology, options: DockerLabOptions = {}): Promise<LinuxLab> =>
  LinuxLab.open(
    topology,
    new DockerSite(options.prefix ?? prefixOf(topology.name), options.image ?? DEFAULT_IMAGE),
    options,
  );
