/** The lab of network namespaces: eBPF programs at veth pairs and bridges, or the reference at TAP interfaces. */
import type { Topology } from "../../scenario/topology.ts";
import { prefixOf } from "../linux/claim.ts";
import type { DataPathKind } from "../linux/data-path.ts";
import { LinuxLab, type LinuxLabOptions } from "../linux/lab.ts";
import { NetnsSite } from "./site.ts";
import { TapSite } from "./tap-site.ts";

export interface NetnsLabOptions extends LinuxLabOptions {
  /** Of all names in the kernel; by default from the topology's name. */
  prefix?: string;
  /** What is at the hosts' interfaces; by default the eBPF programs. */
  dataPath?: DataPathKind;
}

/** Brings a topology up; see LinuxLab.open. Throws LabError also ERR_NO_TUN. */
export function openNetnsLab(topology: Topology, options: NetnsLabOptions = {}): Promise<LinuxLab> {
  const prefix = options.prefix ?? prefixOf(topology.name);
  const site = options.dataPath === "reference" ? new TapSite(prefix) : new NetnsSite(prefix);
  return LinuxLab.open(topology, site, options);
}
