/** The demo's NAT box: masquerade to the outside, let back in only what belongs to a flow from inside. */
import type { HostDef } from "../../scenario/topology.ts";

/** Arguments of iptables, one rule a line; none for a host that is no NAT. */
export function natRules(def: HostDef): string[] {
  const outside = def.masquerade;
  if (outside === undefined) return [];
  const rules = [`-t nat -A POSTROUTING -o ${outside} -j MASQUERADE`, "-P FORWARD DROP"];
  for (const { name } of def.nics.filter((n) => n.name !== outside)) {
    rules.push(`-A FORWARD -i ${name} -o ${outside} -j ACCEPT`);
    rules.push(`-A FORWARD -i ${outside} -o ${name} -m state --state RELATED,ESTABLISHED -j ACCEPT`);
  }
  return rules;
}
