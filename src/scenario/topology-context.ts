/** What the command parser may know of a topology: its hosts and their NICs. */
import type { ParseContext } from "./parse-command.ts";
import type { Topology } from "./topology.ts";

export function topologyContext(topology: Topology): ParseContext {
  const nics = new Map(topology.hosts.map((h) => [h.name, h.nics.map((n) => n.name)]));
  return { hosts: [...nics.keys()], nics: (host) => nics.get(host) };
}
