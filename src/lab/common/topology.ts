/** What the topo_* commands of every lab check. */
import { LabError } from "../../errors.ts";
import type { Command } from "../../scenario/command.ts";
import type { Topology } from "../../scenario/topology.ts";

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
