/** The tools inside a host: iptables, sysctl, conntrack, ip, arp; and what its NICs saw. */
import { formatFlow, listFlows } from "../../../dataplane/conntrack-list.ts";
import { setTimeoutSeconds, timeoutSeconds } from "../../../dataplane/conntrack-timeouts.ts";
import { applyIptables, parseIptables } from "../../../dataplane/iptables.ts";
import { NUD_NAMES } from "../../../sim/neighbour.ts";
import { formatMac } from "../../../wire/ethernet.ts";
import { formatIpv4 } from "../../../wire/ipv4.ts";
import { flag, str, words } from "../../common/args.ts";
import { checkSysctl, IP_FORWARD, pktdump } from "../../common/host.ts";
import { printed } from "../../common/results.ts";
import type { SimHost } from "../world.ts";
import { type Handlers, hostOf } from "./handler.ts";
import { ipCommand } from "./ip.ts";

export const HOST: Handlers = {
  iptables: (lab, cmd) => printed(applyIptables(hostOf(lab, cmd).host.netfilter, parseIptables(words(cmd, "rule")))),

  sysctl(lab, cmd) {
    const node = hostOf(lab, cmd);
    const [name, value] = str(cmd, "setting").split("=");
    checkSysctl(name, value);
    if (value !== undefined) setSysctl(node, name, Number(value));
    const now = getSysctl(node, name);
    return printed([`${name} = ${now}`], { value: now });
  },

  conntrack(lab, cmd) {
    const { netfilter } = hostOf(lab, cmd).host;
    if (flag(cmd, "flush")) {
      netfilter.conntrack.flush(lab.now());
      return printed(["connection tracking table emptied"], { entries: 0 });
    }
    const lines = conntrackLines(hostOf(lab, cmd), lab.now());
    return printed(lines, { entries: lines.length });
  },

  ip: (lab, cmd) => printed(ipCommand(hostOf(lab, cmd), lab.world.links, words(cmd, "words"))),

  arp: (lab, cmd) => printed(neighbourLines(hostOf(lab, cmd))),

  pktdump: (lab, cmd) => pktdump(lab.host(str(cmd, "host")).def, lab.packets(), cmd),
};

/** `conntrack -L` of a host. */
export function conntrackLines(node: SimHost, nowNs: number): string[] {
  return listFlows(node.host.netfilter.conntrack, nowNs).map(formatFlow);
}

export function neighbourLines(node: SimHost): string[] {
  return node.host.nics.flatMap((nic) =>
    [...(node.host.arp(nic)?.all() ?? [])].map(
      (n) =>
        `${formatIpv4(n.addr)} dev ${nic.name} ${n.valid ? `lladdr ${formatMac(n.mac)} ` : ""}${NUD_NAMES[n.state]}`,
    ),
  );
}

function getSysctl(node: SimHost, name: string): number {
  if (name === IP_FORWARD) return node.host.ip.settings.ipForward ? 1 : 0;
  return timeoutSeconds(node.host.netfilter.conntrack.timeouts, name);
}

function setSysctl(node: SimHost, name: string, value: number): void {
  if (name === IP_FORWARD) node.host.ip.settings.ipForward = value === 1;
  else setTimeoutSeconds(node.host.netfilter.conntrack.timeouts, name, value);
}
