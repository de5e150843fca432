/**
 * The path without True Ingress (SPEC section 7): the kernel's fou port and ipip devices with `encap gue`, DNAT, SNAT and
 * masquerade. What is shared between services, and what is refused, is the same in every lab.
 */
import { LabError } from "../../errors.ts";
import type { Command } from "../../scenario/command.ts";
import type { CommandResult } from "../../scenario/lab.ts";
import { GUE_PORT } from "../../wire/gue.ts";
import { formatIpv4, IPPROTO_UDP } from "../../wire/ipv4.ts";
import { num, str } from "./args.ts";
import { nothingOf } from "./gue-ping.ts";
import { printed } from "./results.ts";

/** One service's tunnel; addresses host order. */
export interface LinuxTunnel {
  /** The device, which services with the same remote share: it is called after the first of them. */
  readonly dev: string;
  readonly remote: number;
  readonly remotePort: number;
  /** Address on the device, and what is reached through it. */
  readonly addr: number;
  readonly target: number;
  /** Arguments of iptables behind `-t nat -A`. */
  readonly rules: readonly string[];
}

/** What the commands need of a host. Each function throws LabError. */
export interface LinuxPathHost {
  readonly name: string;
  /** By service id. */
  readonly linuxTunnels: Map<number, LinuxTunnel>;
  isLocal(addr: number): boolean;
  /** `ip fou add port N gue`, and its undo. ERR_ENDPOINT_IN_USE when the port is taken. */
  openFou(port: number): void;
  closeFou(port: number): void;
  /** An ipip device with `encap gue`, both ports given. */
  addTunnel(dev: string, remote: number, sport: number, dport: number): void;
  removeTunnel(dev: string): void;
  addAddress(dev: string, addr: number): void;
  removeAddress(dev: string, addr: number): void;
  /** A route to one address into the device. */
  addRoute(target: number, dev: string): void;
  removeRoute(target: number): void;
  iptables(words: string[]): void;
}

/** The handlers, by command name; `hostOf` finds a host by name. */
export const linuxPathCommands = <L>(
  hostOf: (lab: L, name: string) => LinuxPathHost,
): Record<string, (lab: L, cmd: Command) => CommandResult> => ({
  egw_setup(lab, cmd) {
    const host = hostOf(lab, str(cmd, "node"));
    const remote = num(cmd, "realIp");
    const dev = deviceName(host, remote, num(cmd, "service"));
    open(host, num(cmd, "service"), {
      dev,
      remote,
      remotePort: num(cmd, "realPort"),
      addr: num(cmd, "fooIp"),
      target: num(cmd, "serviceIp"),
      rules: egwRules(cmd, dev),
    });
    const [addr, target] = [num(cmd, "fooIp"), num(cmd, "serviceIp")].map(formatIpv4);
    return printed([`${dev}: ${addr}, service ${target} through ${formatIpv4(remote)}`]);
  },

  pfc_setup(lab, cmd) {
    const host = hostOf(lab, str(cmd, "node"));
    const service = num(cmd, "service");
    const remote = num(cmd, "remoteIp");
    const dev = deviceName(host, remote, service);
    const [addr, target] = [nodeAddress(service), num(cmd, "fooIp")];
    open(host, service, { dev, remote, remotePort: num(cmd, "remotePort"), addr, target, rules: [] });
    return printed([`${dev}: ${formatIpv4(addr)}, ${formatIpv4(target)} through ${formatIpv4(remote)}`]);
  },

  egw_cleanup: (lab, cmd) => close(hostOf(lab, str(cmd, "node")), num(cmd, "service")),
  pfc_cleanup: (lab, cmd) => close(hostOf(lab, str(cmd, "node")), num(cmd, "service")),
});

/** DNAT proxy -> service, its inverse, and masquerade into the tunnel, so that replies come back through it. */
function egwRules(cmd: Command, dev: string): string[] {
  const proto = num(cmd, "proto") === IPPROTO_UDP ? "udp" : "tcp";
  const service = formatIpv4(num(cmd, "serviceIp"));
  const proxy = formatIpv4(num(cmd, "proxyIp"));
  const servicePort = num(cmd, "servicePort");
  const proxyPort = num(cmd, "proxyPort");
  return [
    `PREROUTING -p ${proto} -d ${proxy} --dport ${proxyPort} -j DNAT --to-destination ${service}:${servicePort}`,
    `POSTROUTING -p ${proto} -s ${service} --sport ${servicePort} -j SNAT --to-source ${proxy}:${proxyPort}`,
    `POSTROUTING -o ${dev} -j MASQUERADE`,
  ];
}

/** 10.2.1.<id> for ids up to 255; larger ones go on in the byte before. */
const nodeAddress = (service: number): number => 0x0a020100 + service;

const tunnelsOf = (host: LinuxPathHost): LinuxTunnel[] => [...host.linuxTunnels.values()];

const deviceName = (host: LinuxPathHost, remote: number, service: number): string =>
  tunnelsOf(host).find((t) => t.remote === remote)?.dev ?? `gue${service}`;

/**
 * Opens the fou port and the ipip device, or shares those of another service: the kernel tells ipip devices apart by
 * their remote address only, so a second one to the same remote would never receive a packet. Services on one address
 * share the route too. What was done is undone when a part of it fails.
 */
function open(host: LinuxPathHost, service: number, tunnel: LinuxTunnel): void {
  refuseClash(host, service, tunnel);
  const { dev, remote, remotePort, addr, target } = tunnel;
  const others = tunnelsOf(host);
  const undo: (() => void)[] = [];
  const step = (act: () => void, back: () => void): void => {
    act();
    undo.unshift(back);
  };
  try {
    if (others.length === 0)
      step(
        () => host.openFou(GUE_PORT),
        () => host.closeFou(GUE_PORT),
      );
    if (!others.some((t) => t.dev === dev))
      step(
        () => host.addTunnel(dev, remote, GUE_PORT, remotePort),
        () => host.removeTunnel(dev),
      );
    step(
      () => host.addAddress(dev, addr),
      () => host.removeAddress(dev, addr),
    );
    if (!others.some((t) => t.target === target))
      step(
        () => host.addRoute(target, dev),
        () => host.removeRoute(target),
      );
    for (const rule of tunnel.rules)
      step(
        () => nat(host, "-A", rule),
        () => nat(host, "-D", rule),
      );
  } catch (err) {
    for (const back of undo) back();
    throw err;
  }
  host.linuxTunnels.set(service, tunnel);
}

function close(host: LinuxPathHost, service: number): CommandResult {
  const tunnel = host.linuxTunnels.get(service);
  if (tunnel === undefined) throw nothingOf(host.name, service, host.linuxTunnels);
  host.linuxTunnels.delete(service);
  const others = tunnelsOf(host);
  for (const rule of tunnel.rules) nat(host, "-D", rule);
  if (!others.some((t) => t.target === tunnel.target)) host.removeRoute(tunnel.target);
  host.removeAddress(tunnel.dev, tunnel.addr);
  if (!others.some((t) => t.dev === tunnel.dev)) host.removeTunnel(tunnel.dev);
  if (others.length === 0) host.closeFou(GUE_PORT);
  return printed([`tunnel of service ${service} removed`]);
}

const nat = (host: LinuxPathHost, verb: "-A" | "-D", rule: string): void =>
  host.iptables(["-t", "nat", verb, ...rule.split(" ")]);

function refuseClash(host: LinuxPathHost, service: number, tunnel: LinuxTunnel): void {
  if (host.linuxTunnels.has(service))
    throw new LabError("ERR_SERVICE_IN_USE", `service ${service} has a tunnel on ${host.name} already`, {
      hint: "Clean it up first.",
    });
  if (host.isLocal(tunnel.addr) || tunnelsOf(host).some((t) => t.addr === tunnel.addr))
    throw new LabError("ERR_ADDRESS_IN_USE", `${formatIpv4(tunnel.addr)} is an address of ${host.name} already`, {
      hint: "Give each service's tunnel an address of its own.",
    });
  const shared = tunnelsOf(host).find((t) => t.dev === tunnel.dev);
  if (shared !== undefined && shared.remotePort !== tunnel.remotePort)
    throw new LabError(
      "ERR_TUNNEL_CLASH",
      `${shared.dev} goes to ${formatIpv4(shared.remote)} port ${shared.remotePort}; an ipip device cannot have two ports`,
      { hint: "One remote address has one tunnel: use the same port, or True Ingress." },
    );
  const elsewhere = tunnelsOf(host).find((t) => t.target === tunnel.target && t.remote !== tunnel.remote);
  if (elsewhere !== undefined)
    throw new LabError(
      "ERR_TUNNEL_CLASH",
      `${formatIpv4(tunnel.target)} is routed into the tunnel to ${formatIpv4(elsewhere.remote)} already`,
      { hint: "One address has one route: give the services different addresses." },
    );
}
