/**
 * What a scenario's commands change in a host's twin: tables, rules, routes, settings, addresses. What they make processes
 * send is not repeated: the real run's packets are the twin's inputs.
 */
import { setTimeoutSeconds } from "../dataplane/conntrack-timeouts.ts";
import { applyIptables, parseIptables } from "../dataplane/iptables.ts";
import { flag, str, words } from "../lab/common/args.ts";
import { IP_FORWARD } from "../lab/common/host.ts";
import { pfcCommands } from "../lab/common/pfc.ts";
import { startService, stopService } from "../lab/common/services.ts";
import { ipCommand } from "../lab/sim/commands/ip.ts";
import type { Command, LinkChange } from "../scenario/command.ts";
import type { Twin, TwinNetwork } from "./twin.ts";
import type { CommandMark } from "./watch.ts";

type Handler = (net: TwinNetwork, cmd: Command) => unknown;

const twinOf = (net: TwinNetwork, cmd: Command): Twin => net.twin(cmd.host ?? "");

/** http_start and udp_serve put an address on lo; nobody listens in a twin. */
const service = (proto: string, host: (cmd: Command) => string): { start: Handler; stop: Handler } => ({
  start: (net, cmd) => startService(net.twin(host(cmd)).services, cmd, proto, () => () => {}),
  stop: (net, cmd) => stopService(net.twin(host(cmd)).services, cmd, proto),
});
const http = service("tcp", (cmd) => str(cmd, "node"));
const udp = service("udp", (cmd) => cmd.host ?? "");

const HANDLERS: Readonly<Record<string, Handler>> = {
  ...pfcCommands<TwinNetwork>((net, cmd) => twinOf(net, cmd)),
  http_start: http.start,
  http_stop: http.stop,
  udp_serve: udp.start,
  udp_stop: udp.stop,
  iptables: (net, cmd) => applyIptables(twinOf(net, cmd).host.netfilter, parseIptables(words(cmd, "rule"))),
  sysctl(net, cmd) {
    const [name, value] = str(cmd, "setting").split("=");
    const { ip, netfilter } = twinOf(net, cmd).host;
    if (value === undefined) return;
    if (name === IP_FORWARD) ip.settings.ipForward = value === "1";
    else setTimeoutSeconds(netfilter.conntrack.timeouts, name, Number(value));
  },
  conntrack(net, cmd) {
    if (flag(cmd, "flush")) twinOf(net, cmd).host.netfilter.conntrack.flush(net.now);
  },
  ip: (net, cmd) => ipCommand(net.node(cmd.host ?? ""), net.world.links, words(cmd, "words")),
  link(net, cmd) {
    const change = cmd.args.change as unknown as LinkChange;
    if (change.action !== "up" && change.action !== "down") return;
    net.setLinks(str(cmd, "link"), change.action === "up");
  },
};

/** These write tables and do nothing before: they take effect when they begin. Others start programs, and do when they end. */
const AT_ONCE = new Set(["pfc_add", "pfc_delete", "pfc_flags", "pfc_stop"]);

/** When a command's changes are there. */
export const effectNs = (mark: CommandMark): number =>
  AT_ONCE.has(mark.command.spec.name) ? mark.startNs : mark.endNs;

/** True for a command that changes something in a twin. */
export const changesTwin = (command: Command): boolean => HANDLERS[command.spec.name] !== undefined;

/** Carries out what a command changes. A defect where the twin refuses what the real host took: the error is thrown. */
export function applyCommand(net: TwinNetwork, command: Command): void {
  HANDLERS[command.spec.name]?.(net, command);
}
