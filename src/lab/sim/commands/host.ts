/** The tools inside a host: iptables, sysctl, conntrack, ip, arp; and what its NICs saw. */
import { formatFlow, listFlows } from "../../../dataplane/conntrack-list.ts";
import { CONNTRACK_SYSCTLS, setTimeoutSeconds, timeoutSeconds } from "../../../dataplane/conntrack-timeouts.ts";
import { applyIptables, parseIptables } from "../../../dataplane/iptables.ts";
import { LabError } from "../../../errors.ts";
import { NUD_NAMES } from "../../../sim/neighbour.ts";
import { formatMac } from "../../../wire/ethernet.ts";
import { parseFilter } from "../../../wire/filter.ts";
import { formatIpv4 } from "../../../wire/ipv4.ts";
import { TcpdumpPrinter } from "../../../wire/tcpdump.ts";
import { flag, optNum, optStr, str, words } from "../../common/args.ts";
import { printed } from "../../common/results.ts";
import type { SimHost } from "../world.ts";
import { type Handlers, hostOf } from "./handler.ts";
import { ipCommand } from "./ip.ts";

export const HOST: Handlers = {
  iptables: (lab, cmd) => printed(applyIptables(hostOf(lab, cmd).host.netfilter, parseIptables(words(cmd, "rule")))),

  sysctl(lab, cmd) {
    const node = hostOf(lab, cmd);
    const [name, value] = str(cmd, "setting").split("=");
    if (value !== undefined) setSysctl(node, name, value);
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

  pktdump(lab, cmd) {
    const node = lab.host(str(cmd, "host"));
    const nic = str(cmd, "nic");
    if (node.host.nic(nic) === undefined) throw unknownNic(node, nic);
    const filter = parseFilter(optStr(cmd, "filter") ?? "");
    const seen = lab.packets().filter((p) => p.host === node.def.name && p.nic === nic && filter(p.frame));
    const last = seen.slice(-(optNum(cmd, "count") ?? seen.length));
    const printer = new TcpdumpPrinter();
    return printed(
      last.flatMap((p) => printer.print(p.timeNs, p.frame)),
      { packets: last.length },
    );
  },
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

export function unknownNic(node: SimHost, nic: string): LabError {
  return new LabError("ERR_NIC_UNKNOWN", `${node.def.name} has no interface ${nic}`, {
    hint: `Its interfaces are ${node.host.nics.map((n) => n.name).join(", ")}.`,
  });
}

const IP_FORWARD = "net.ipv4.ip_forward";

function getSysctl(node: SimHost, name: string): number {
  if (name === IP_FORWARD) return node.host.ip.settings.ipForward ? 1 : 0;
  checkName(name);
  return timeoutSeconds(node.host.netfilter.conntrack.timeouts, name);
}

function setSysctl(node: SimHost, name: string, text: string): void {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (name !== IP_FORWARD) {
    checkName(name);
    if (Number.isNaN(value))
      throw new LabError("ERR_SYSCTL_VALUE", `${name}: expected a whole number of seconds, got '${text}'`);
    setTimeoutSeconds(node.host.netfilter.conntrack.timeouts, name, value);
  } else if (value === 0 || value === 1) {
    node.host.ip.settings.ipForward = value === 1;
  } else throw new LabError("ERR_SYSCTL_VALUE", `${name}: expected 0 or 1, got '${text}'`);
}

function checkName(name: string): void {
  if (CONNTRACK_SYSCTLS.includes(name)) return;
  throw new LabError("ERR_SYSCTL_NAME", `the lab does not know the setting ${name}`, {
    hint: `Known: ${[IP_FORWARD, ...CONNTRACK_SYSCTLS].join(", ")}.`,
  });
}
