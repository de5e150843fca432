/** The path without True Ingress (SPEC section 7): the kernel's fou port and ipip device, DNAT, SNAT and masquerade. */
import { applyIptables, parseIptables } from "../../../dataplane/iptables.ts";
import { LabError } from "../../../errors.ts";
import type { Command } from "../../../scenario/command.ts";
import { FouPort, GueDevice } from "../../../sim/gue-device.ts";
import { GUE_PORT } from "../../../wire/gue.ts";
import { formatIpv4, IPPROTO_UDP } from "../../../wire/ipv4.ts";
import { num, str } from "../../common/args.ts";
import { guePingCommands, nothingOf } from "../../common/gue-ping.ts";
import { printed } from "../../common/results.ts";
import { every, sendRawUdp } from "../control-host.ts";
import type { SimLab } from "../lab.ts";
import type { LinuxTunnel, SimHost } from "../world.ts";
import type { Handlers } from "./handler.ts";

/** What one end of a tunnel needs; addresses host order. */
interface TunnelEnd {
  service: number;
  remote: number;
  remotePort: number;
  /** Address on the device, and what is reached through it. */
  addr: number;
  target: number;
}

export const LINUX: Handlers = {
  egw_setup(lab, cmd) {
    const node = lab.host(str(cmd, "node"));
    const service = num(cmd, "service");
    const end = {
      service,
      remote: num(cmd, "realIp"),
      remotePort: num(cmd, "realPort"),
      addr: num(cmd, "fooIp"),
      target: num(cmd, "serviceIp"),
    };
    const tunnel = openTunnel(node, end);
    const dev = deviceName(node, end.remote, service);
    const rules = egwRules(cmd, dev);
    for (const rule of rules) iptables(node, `-A ${rule}`);
    const undo = (): void => {
      for (const rule of rules) iptables(node, `-D ${rule}`);
      tunnel.undo();
    };
    node.linuxTunnels.set(service, { ...tunnel, undo });
    return printed([
      `${dev}: ${formatIpv4(end.addr)}, service ${formatIpv4(end.target)} through ${formatIpv4(end.remote)}`,
    ]);
  },
  egw_cleanup: (lab, cmd) => closeTunnel(lab.host(str(cmd, "node")), num(cmd, "service")),

  pfc_setup(lab, cmd) {
    const node = lab.host(str(cmd, "node"));
    const service = num(cmd, "service");
    const end = {
      service,
      remote: num(cmd, "remoteIp"),
      remotePort: num(cmd, "remotePort"),
      addr: nodeAddress(service),
      target: num(cmd, "fooIp"),
    };
    node.linuxTunnels.set(service, openTunnel(node, end));
    const dev = deviceName(node, end.remote, service);
    return printed([`${dev}: ${formatIpv4(end.addr)}, ${formatIpv4(end.target)} through ${formatIpv4(end.remote)}`]);
  },
  pfc_cleanup: (lab, cmd) => closeTunnel(lab.host(str(cmd, "node")), num(cmd, "service")),

  ...guePingCommands<SimLab>((lab, name) => {
    const { host, guePings } = lab.host(name);
    return {
      name,
      guePings,
      sourceFor: (daddr) => host.ip.sourceFor(daddr),
      sendUdp: (...packet) => sendRawUdp(host, ...packet),
      every: (intervalNs, fn) => every(host.ip.clock, intervalNs, fn),
    };
  }),
};

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

function iptables(node: SimHost, rule: string): void {
  applyIptables(node.host.netfilter, parseIptables(`-t nat ${rule}`.split(" ")));
}

/** 10.2.1.<id> for ids up to 255; larger ones go on in the byte before. */
function nodeAddress(service: number): number {
  return 0x0a020100 + service;
}

/**
 * Opens the fou port and the ipip device, or shares those of another service: the kernel tells ipip devices apart by
 * their remote address only, so a second one to the same remote would never receive a packet. Services on one address
 * share the route too.
 */
function openTunnel(node: SimHost, end: TunnelEnd): LinuxTunnel {
  const { host, linuxTunnels } = node;
  if (linuxTunnels.has(end.service))
    throw new LabError("ERR_SERVICE_IN_USE", `service ${end.service} has a tunnel on ${host.name} already`, {
      hint: "Clean it up first.",
    });
  if (host.fib.isLocal(end.addr))
    throw new LabError("ERR_ADDRESS_IN_USE", `${formatIpv4(end.addr)} is an address of ${host.name} already`, {
      hint: "Give each service's tunnel an address of its own.",
    });
  let shared = devices(node).find((d) => d.remote === end.remote);
  if (shared !== undefined && shared.dport !== end.remotePort)
    throw new LabError(
      "ERR_TUNNEL_CLASH",
      `${shared.name} goes to ${formatIpv4(end.remote)} port ${shared.dport}; an ipip device cannot have two ports`,
      { hint: "One remote address has one tunnel: use the same port, or True Ingress." },
    );
  const elsewhere = [...linuxTunnels.values()].find((t) => t.target === end.target && t.remote !== end.remote);
  if (elsewhere !== undefined)
    throw new LabError(
      "ERR_TUNNEL_CLASH",
      `${formatIpv4(end.target)} is routed into the tunnel to ${formatIpv4(elsewhere.remote)} already`,
      { hint: "One address has one route: give the services different addresses." },
    );
  const fou = node.fou ?? FouPort.open(host, GUE_PORT);
  if (fou === undefined)
    throw new LabError("ERR_ENDPOINT_IN_USE", `UDP port ${GUE_PORT} of ${host.name} is in use`, {
      hint: "The tunnel needs it; stop what listens there.",
    });
  node.fou = fou;
  shared ??= new GueDevice(host, {
    name: `gue${end.service}`,
    remote: end.remote,
    dport: end.remotePort,
    sport: GUE_PORT,
  });
  const dev = shared;
  host.addAddress(dev, end.addr);
  host.addDeviceRoute(end.target, 32, dev);
  const undo = (): void => {
    const others = [...linuxTunnels].filter(([service, t]) => service !== end.service && t.target === end.target);
    if (others.length === 0) host.delRoute(end.target, 32);
    host.removeAddress(dev, end.addr);
    if (host.fib.addressesOf(dev.ifindex).length === 0) dev.remove();
    if (devices(node).length > 0) return;
    fou.close();
    node.fou = undefined;
  };
  return { remote: end.remote, target: end.target, undo };
}

function closeTunnel(node: SimHost, service: number) {
  const tunnel = node.linuxTunnels.get(service);
  if (tunnel === undefined) throw nothingOf(node.def.name, service, node.linuxTunnels);
  tunnel.undo();
  node.linuxTunnels.delete(service);
  return printed([`tunnel of service ${service} removed`]);
}

const devices = (node: SimHost): GueDevice[] => node.host.allDevices().filter((d) => d instanceof GueDevice);

/** Name of the device to a remote; it is called after the service that made it. */
function deviceName(node: SimHost, remote: number, service: number): string {
  return devices(node).find((d) => d.remote === remote)?.name ?? `gue${service}`;
}
