/** The lab as a whole: up, down, check, pings from everywhere, links, time. */
import { LabError } from "../../../errors.ts";
import type { LinkChange } from "../../../scenario/command.ts";
import type { CommandResult } from "../../../scenario/lab.ts";
import { formatTables } from "../../../scenario/table-print.ts";
import { DEFAULT_LINK } from "../../../scenario/topology.ts";
import { formatTopology } from "../../../scenario/topology-format.ts";
import type { Host } from "../../../sim/host.ts";
import { Pinger, type PingResult } from "../../../sim/ping.ts";
import { MS } from "../../../sim/types.ts";
import { formatIpv4 } from "../../../wire/ipv4.ts";
import { num, str, words } from "../../common/args.ts";
import { printed } from "../../common/results.ts";
import { sameTopology, topologyRemoved, topologyState } from "../../common/topology.ts";
import { Task } from "../task.ts";
import type { World } from "../world.ts";
import type { Handlers } from "./handler.ts";

const PING_INTERVAL_NS = 200 * MS;

export const TOPOLOGY: Handlers = {
  topo_setup(lab, cmd) {
    sameTopology(lab.topology, cmd);
    lab.setUp();
    return printed(formatTopology(lab.topology));
  },

  topo_cleanup(lab, cmd) {
    sameTopology(lab.topology, cmd);
    lab.tearDown();
    return topologyRemoved(lab.topology);
  },

  topo_check(lab, cmd) {
    sameTopology(lab.topology, cmd);
    return topologyState(lab.topology, lab.isUp);
  },

  test_icmp(lab, cmd) {
    const daddr = num(cmd, "ip");
    const names = words(cmd, "hosts");
    // Without hosts "the host" pings: the gateway, which is the first network's bridge.
    const first = lab.topology.networks[0].name;
    const senders = names.length > 0 ? names.map((n) => lab.host(n).host) : [lab.world.gateways.get(first)!];
    const task = new Task<CommandResult>();
    const output: string[] = [];
    let sent = 0;
    let received = 0;
    let left = senders.length;
    for (const sender of senders)
      pingFrom(sender, daddr, (result) => {
        sent += result.sent;
        received += result.received;
        output.push(`${sender.name} -> ${formatIpv4(daddr)}: ${result.received} of ${result.sent} answered`);
        if (--left === 0) task.resolve(printed(output, { sent, received }));
      });
    return task;
  },

  link(lab, cmd) {
    const change = cmd.args.change as unknown as LinkChange;
    const chosen = matchLinks(lab.world, str(cmd, "link"));
    for (const [, link] of chosen) {
      if (change.action === "set") link.setProps(change.props);
      else if (change.action === "clear") link.setProps(DEFAULT_LINK);
      else link.setUp(change.action === "up");
    }
    return printed([`changed ${chosen.map(([name]) => name).join(", ")}`], { links: chosen.length });
  },

  wait(lab, cmd) {
    const task = new Task<CommandResult>();
    lab.world.env.clock.timer(() => task.resolve(printed([]))).start(num(cmd, "time"));
    return task;
  },

  tables: (lab, cmd) => printed(formatTables(lab.host(str(cmd, "host")).tables)),

  counters(lab, cmd) {
    const only = cmd.args.host;
    const hosts = typeof only === "string" ? [lab.host(only)] : [...lab.world.hosts.values()];
    return printed(hosts.flatMap((h) => [`${h.def.name}:`, ...formatTables(h.tables, { names: ["STATS", "REASON"] })]));
  },
};

/** Three echo requests, as ping -c 3 sends them. */
function pingFrom(host: Host, daddr: number, onDone: (result: PingResult) => void): void {
  new Pinger(host.icmp, host.ip.clock, daddr, { count: 3, intervalNs: PING_INTERVAL_NS }, onDone);
}

/** Pings every PROXY_IP from every host; gives the pairs that had no answer. */
export function pingProxies(world: World): Task<string[]> {
  const task = new Task<string[]>();
  const failed: string[] = [];
  let left = world.hosts.size * world.topology.proxyIps.size;
  if (left === 0) task.resolve(failed);
  for (const { host } of world.hosts.values())
    for (const daddr of world.topology.proxyIps.values())
      pingFrom(host, daddr, (result) => {
        if (result.received === 0) failed.push(`${formatIpv4(daddr)} from ${host.name}`);
        if (--left === 0) task.resolve(failed);
      });
  return task;
}

function matchLinks(world: World, pattern: string) {
  const chosen = [...world.links].filter(
    ([name]) => pattern === "all" || name === pattern || name.startsWith(`${pattern}/`),
  );
  if (chosen.length > 0) return chosen;
  throw new LabError("ERR_LINK_UNKNOWN", `there is no link ${pattern}`, {
    hint: `Links: ${[...world.links.keys()].join(", ")}.`,
  });
}
