/** The simulated kernel's part of the path without True Ingress: fou port, ipip devices, rules. */
import { applyIptables, parseIptables } from "../../../dataplane/iptables.ts";
import { LabError } from "../../../errors.ts";
import { FouPort, GueDevice } from "../../../sim/gue-device.ts";
import { guePingCommands } from "../../common/gue-ping.ts";
import { type LinuxPathHost, linuxPathCommands } from "../../common/linux-path.ts";
import { every, sendRawUdp } from "../control-host.ts";
import type { SimLab } from "../lab.ts";
import type { SimHost } from "../world.ts";
import type { Handlers } from "./handler.ts";

export const LINUX: Handlers = {
  ...linuxPathCommands<SimLab>((lab, name) => pathHost(lab.host(name))),

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

function pathHost(node: SimHost): LinuxPathHost {
  const { host, linuxTunnels } = node;
  const device = (name: string): GueDevice => {
    const found = host.allDevices().find((d) => d instanceof GueDevice && d.name === name);
    if (found instanceof GueDevice) return found;
    throw new TypeError(`${host.name} has no device ${name}`);
  };
  return {
    name: host.name,
    linuxTunnels,
    isLocal: (addr) => host.fib.isLocal(addr),
    openFou(port) {
      node.fou = FouPort.open(host, port);
      if (node.fou === undefined)
        throw new LabError("ERR_ENDPOINT_IN_USE", `UDP port ${port} of ${host.name} is in use`, {
          hint: "The tunnel needs it; stop what listens there.",
        });
    },
    closeFou() {
      node.fou?.close();
      node.fou = undefined;
    },
    addTunnel: (name, remote, sport, dport) => void new GueDevice(host, { name, remote, sport, dport }),
    removeTunnel: (name) => device(name).remove(),
    addAddress: (dev, addr) => host.addAddress(device(dev), addr),
    removeAddress: (dev, addr) => void host.removeAddress(device(dev), addr),
    addRoute: (target, dev) => void host.addDeviceRoute(target, 32, device(dev)),
    removeRoute: (target) => void host.delRoute(target, 32),
    iptables: (words) => void applyIptables(host.netfilter, parseIptables(words)),
  };
}
