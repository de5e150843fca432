/** What the tools inside a host have in common in all labs: pktdump, and the checks of names and values. */
import { CONNTRACK_SYSCTLS } from "../../dataplane/conntrack-timeouts.ts";
import { LabError } from "../../errors.ts";
import type { Command } from "../../scenario/command.ts";
import type { CommandResult, PacketRecord } from "../../scenario/lab.ts";
import type { HostDef } from "../../scenario/topology.ts";
import { parseFilter } from "../../wire/filter.ts";
import { TcpdumpPrinter } from "../../wire/tcpdump.ts";
import { optNum, optStr, str } from "./args.ts";
import { printed } from "./results.ts";

export const IP_FORWARD = "net.ipv4.ip_forward";

/** Prints what a NIC has seen so far, as `tcpdump -nvvvXXes 0` does. Throws ERR_NIC_UNKNOWN, ERR_FILTER_SYNTAX. */
export function pktdump(def: HostDef, packets: readonly PacketRecord[], cmd: Command): CommandResult {
  const nic = str(cmd, "nic");
  if (!def.nics.some((n) => n.name === nic)) throw unknownNic(def, nic);
  const filter = parseFilter(optStr(cmd, "filter") ?? "");
  const seen = packets.filter((p) => p.host === def.name && p.nic === nic && filter(p.frame));
  const last = seen.slice(-(optNum(cmd, "count") ?? seen.length));
  const printer = new TcpdumpPrinter();
  return printed(
    last.flatMap((p) => printer.print(p.timeNs, p.frame)),
    { packets: last.length },
  );
}

export function unknownNic(def: HostDef, nic: string): LabError {
  return new LabError("ERR_NIC_UNKNOWN", `${def.name} has no interface ${nic}`, {
    hint: `Its interfaces are ${def.nics.map((n) => n.name).join(", ")}.`,
  });
}

/** The settings that labs know: forwarding, and conntrack's timeouts in seconds. Throws ERR_SYSCTL_NAME, ERR_SYSCTL_VALUE. */
export function checkSysctl(name: string, value: string | undefined): void {
  if (name !== IP_FORWARD && !CONNTRACK_SYSCTLS.includes(name))
    throw new LabError("ERR_SYSCTL_NAME", `the lab does not know the setting ${name}`, {
      hint: `Known: ${[IP_FORWARD, ...CONNTRACK_SYSCTLS].join(", ")}.`,
    });
  if (value === undefined || (name === IP_FORWARD ? /^[01]$/ : /^\d{1,9}$/).test(value)) return;
  const expected = name === IP_FORWARD ? "0 or 1" : "a whole number of seconds";
  throw new LabError("ERR_SYSCTL_VALUE", `${name}: expected ${expected}, got '${value}'`);
}
