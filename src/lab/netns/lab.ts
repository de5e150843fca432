/** The lab of network namespaces: hosts are namespaces, links veth pairs, networks bridges. */
import type { Topology } from "../../scenario/topology.ts";
import { prefixOf } from "../linux/claim.ts";
import { LinuxLab, type LinuxLabOptions } from "../linux/lab.ts";
import { NetnsSite } from "./site.ts";

export interface NetnsLabOptions extends LinuxLabOptions {
  /** Of all names in the kernel; by default from the topology's name. */
  prefix?: string;
}

/** Brings a topology up; see LinuxLab.open. */
export const openNetnsLab = (topology: Topology, options: NetnsLabOptions = {}): Promise<LinuxLab> =>
  LinuxLab.open(topology, new NetnsSite(options.prefix ?? prefixOf(topology.name)), options);
