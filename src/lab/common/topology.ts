/** What the topo_* commands of every lab check and say. */
import { LabError } from "../../errors.ts";
import type { Command } from "../../scenario/command.ts";
import type { CommandResult } from "../../scenario/lab.ts";
import type { Topology } from "../../scenario/topology.ts";
import { formatTopology } from "../../scenario/topology-format.ts";
import { printed } from "./results.ts";

/** A lab is of one topology: its scripts may name that one, by its file or its name. Throws ERR_TOPOLOGY_OTHER. */
export function sameTopology(topology: Topology, cmd: Command): void {
  const config = cmd.args.config;
  if (typeof config !== "string") return;
  const { name, source } = topology;
  const bare = (path: string): string => path.replace(/^.*[\\/]/, "").replace(/\.cfg$/i, "");
  if (bare(config) === name || (source !== undefined && bare(config) === bare(source.file))) return;
  throw new LabError("ERR_TOPOLOGY_OTHER", `this lab's topology is ${name}, not ${config}`, {
    hint: "Name it in the scenario (topology: ...), or as the argument of guelab shell.",
  });
}

/** What topo_check says. */
export function topologyState(topology: Topology, isUp: boolean): CommandResult {
  if (!isUp) return printed([`${topology.name}: nothing is up`], { hosts: [], networks: [] });
  const names = (of: readonly { name: string }[]): string[] => of.map(({ name }) => name);
  return printed(formatTopology(topology), { hosts: names(topology.hosts), networks: names(topology.networks) });
}

/** What topo_cleanup says. */
export function topologyRemoved({ hosts, networks }: Topology): CommandResult {
  const links = hosts.reduce((sum, host) => sum + host.nics.length, 0);
  return printed([`removed ${hosts.length} hosts, ${networks.length} networks, ${links} links`]);
}
