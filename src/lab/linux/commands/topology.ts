/** The lab as a whole: up, down, check, pings from everywhere, links, time. */
import { LabError } from "../../../errors.ts";
import type { LinkChange } from "../../../scenario/command.ts";
import { formatTables } from "../../../scenario/table-print.ts";
import { DEFAULT_LINK } from "../../../scenario/topology.ts";
import { formatTopology } from "../../../scenario/topology-format.ts";
import { formatIpv4 } from "../../../wire/ipv4.ts";
import { num, str, words } from "../../common/args.ts";
import { printed } from "../../common/results.ts";
import { sameTopology, topologyRemoved, topologyState } from "../../common/topology.ts";
import { pingFrom } from "../pinger.ts";
import type { Namespace } from "../sys.ts";
import type { World } from "../world.ts";
import type { Handlers } from "./handler.ts";

/** As ping -c 3 sends them, but sooner one after the other. */
const THREE = { count: 3, size: 56, df: false, intervalMs: 200, timeoutMs: 1000 };
/** A new network loses nothing: one request is enough. */
const CHECK = { count: 1, size: 56, df: false, intervalMs: 0, timeoutMs: 2000 };
/** Answers are waited for in turns: more at once would be late for each other. */
const AT_ONCE = 64;

export const TOPOLOGY: Handlers = {
  async topo_setup(lab, cmd) {
    sameTopology(lab.topology, cmd);
    await lab.setUp();
    return printed(formatTopology(lab.topology));
  },

  topo_cleanup(lab, cmd) {
    sameTopology(lab.topology, cmd);
    // Throws ERR_LAB_DOWN; tearDown itself also runs at exit, where there may be nothing to do.
    void lab.world;
    lab.tearDown();
    return topologyRemoved(lab.topology);
  },

  topo_check(lab, cmd) {
    sameTopology(lab.topology, cmd);
    return topologyState(lab.topology, lab.isUp);
  },

  async test_icmp(lab, cmd) {
    const daddr = num(cmd, "ip");
    const names = words(cmd, "hosts");
    // Without hosts "the host" pings: the gateway, which is the first network's bridge.
    const gateway = lab.world.gateways.get(lab.topology.networks[0].name)!;
    const senders: { name: string; ns: Namespace; nic?: string }[] =
      names.length > 0 ? names.map((name) => ({ name, ns: lab.host(name).ns })) : [gateway];
    const results = await Promise.all(senders.map(({ ns, nic }) => pingFrom(ns, daddr, { ...THREE, nic })));
    const output = senders.map(
      ({ name }, i) => `${name} -> ${formatIpv4(daddr)}: ${results[i].received} of ${results[i].sent} answered`,
    );
    const sum = (of: "sent" | "received"): number => results.reduce((total, r) => total + r[of], 0);
    return printed(output, { sent: sum("sent"), received: sum("received") });
  },

  link(lab, cmd) {
    const change = cmd.args.change as unknown as LinkChange;
    const pattern = str(cmd, "link");
    const { wires } = lab.world;
    const chosen = [...wires.values()].filter(
      ({ label }) => pattern === "all" || label === pattern || label.startsWith(`${pattern}/`),
    );
    if (chosen.length === 0)
      throw new LabError("ERR_LINK_UNKNOWN", `there is no link ${pattern}`, {
        hint: `Links: ${[...wires.keys()].join(", ")}.`,
      });
    for (const wire of chosen) {
      if (change.action === "set") wire.setProps(change.props);
      else if (change.action === "clear") wire.setProps(DEFAULT_LINK);
      else wire.setUp(change.action === "up");
    }
    return printed([`changed ${chosen.map(({ label }) => label).join(", ")}`], { links: chosen.length });
  },

  async wait(lab, cmd) {
    await lab.wait(num(cmd, "time"));
    return printed([]);
  },

  tables: (lab, cmd) => printed(formatTables(lab.host(str(cmd, "host")).tables)),

  counters(lab, cmd) {
    const only = cmd.args.host;
    const hosts = typeof only === "string" ? [lab.host(only)] : [...lab.world.hosts.values()];
    return printed(hosts.flatMap((h) => [`${h.def.name}:`, ...formatTables(h.tables, { names: ["STATS", "REASON"] })]));
  },
};

/** Pings every PROXY_IP from every host; gives the pairs that had no answer. */
export async function pingProxies(world: World): Promise<string[]> {
  const pairs = [...world.hosts.values()].flatMap((host) =>
    [...world.topology.proxyIps.values()].map((daddr) => ({ host, daddr })),
  );
  const failed: typeof pairs = [];
  for (let at = 0; at < pairs.length; at += AT_ONCE) {
    const some = pairs.slice(at, at + AT_ONCE);
    const results = await Promise.all(some.map(({ host, daddr }) => pingFrom(host.ns, daddr, CHECK)));
    failed.push(...some.filter((_, i) => results[i].received === 0));
  }
  return failed.map(({ host, daddr }) => `${formatIpv4(daddr)} from ${host.def.name}`);
}
