/** The tools inside a host: iptables, sysctl, conntrack, ip, arp; and what its NICs saw. */
import { parseIptables } from "../../../dataplane/iptables.ts";
import { LabError } from "../../../errors.ts";
import { flag, str, words } from "../../common/args.ts";
import { checkSysctl, pktdump } from "../../common/host.ts";
import { printed } from "../../common/results.ts";
import { conntrackLines, flushConntrack } from "../conntrack.ts";
import { readSysctl, tryInside, writeSysctl } from "../inside.ts";
import { type Handlers, hostOf } from "./handler.ts";

export const HOST: Handlers = {
  iptables(lab, cmd) {
    const { ns } = hostOf(lab, cmd);
    const rule = words(cmd, "rule");
    // What every lab takes, no more: a scenario that runs here runs in the others.
    parseIptables(rule);
    const r = tryInside(ns, "iptables", rule);
    if (r.status === 0) return printed(linesOf(r.stdout));
    const said = r.stderr.trim().split("\n")[0];
    const code = /does a matching rule exist|Bad rule|No chain/i.test(r.stderr)
      ? "ERR_IPTABLES_NO_RULE"
      : "ERR_IPTABLES";
    throw new LabError(code, said, { position: cmd.position });
  },

  sysctl(lab, cmd) {
    const { ns } = hostOf(lab, cmd);
    const [name, value] = str(cmd, "setting").split("=");
    checkSysctl(name, value);
    const now = ns.enter(() => {
      if (value !== undefined) writeSysctl(name, value);
      return Number(readSysctl(name));
    });
    return printed([`${name} = ${now}`], { value: now });
  },

  conntrack(lab, cmd) {
    const { ns } = hostOf(lab, cmd);
    if (flag(cmd, "flush")) {
      flushConntrack(ns);
      return printed(["connection tracking table emptied"], { entries: 0 });
    }
    const lines = conntrackLines(ns);
    return printed(lines, { entries: lines.length });
  },

  ip(lab, cmd) {
    const given = words(cmd, "words");
    const r = tryInside(hostOf(lab, cmd).ns, "ip", given);
    if (r.status === 0) return printed(linesOf(r.stdout));
    throw ipError(given, r.stderr.trim().split("\n")[0]);
  },

  arp: (lab, cmd) => printed(linesOf(tryInside(hostOf(lab, cmd).ns, "ip", ["-4", "neigh", "show"]).stdout)),

  pktdump: (lab, cmd) => pktdump(lab.host(str(cmd, "host")).def, lab.packets(), cmd),
};

const linesOf = (text: string): string[] => text.split("\n").filter((l) => l !== "");

/** ip(8)'s refusals under the codes of the other labs. */
function ipError(words: readonly string[], said: string): LabError {
  const [object, verb] = words.filter((w) => !w.startsWith("-"));
  const add = verb === "add";
  if (/File exists|Nexthop has invalid gateway|No such process/.test(said) && "route".startsWith(object))
    return new LabError("ERR_ROUTE", `ip: ${said}`);
  if (/File exists/.test(said)) return new LabError("ERR_ADDRESS_IN_USE", `ip: ${said}`);
  if (/Cannot assign requested address|Address not found/.test(said) && !add)
    return new LabError("ERR_ADDRESS_UNKNOWN", `ip: ${said}`);
  return new LabError("ERR_IP_SYNTAX", `ip: ${said}`);
}
