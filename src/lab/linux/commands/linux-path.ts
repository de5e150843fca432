/** The path without True Ingress on the kernel's own fou and ipip modules (ip-fou(8), ip-link(8)). */
import { LabError } from "../../../errors.ts";
import { formatIpv4 } from "../../../wire/ipv4.ts";
import type { LinuxPathHost } from "../../common/linux-path.ts";
import { runInside, tryInside } from "../inside.ts";
import { loadModule } from "../module.ts";
import type { Namespace } from "../sys.ts";
import type { LinuxHost } from "../world.ts";

/** What the kernel must have been built with, and how it shows that it was not. */
const OPTIONS: readonly [module: string, option: string, words: string[], link?: true][] = [
  ["fou", "CONFIG_NET_FOU", ["fou", "show"]],
  ["ipip", "CONFIG_NET_IPIP", ["link", "add", "guelab-try", "type", "ipip", "remote", "192.0.2.1"], true],
];

export function linuxPathHost(host: LinuxHost): LinuxPathHost {
  const { ns } = host;
  const ip = (...words: string[]): void => void runInside(ns, "ERR_IP", "ip", words);
  const name = host.def.name;
  return {
    name,
    linuxTunnels: host.linuxTunnels,
    isLocal: host.isLocal,
    openFou(port) {
      requireFou(ns);
      const r = tryInside(ns, "ip", ["fou", "add", "port", String(port), "gue"]);
      if (r.status === 0) return;
      if (/Address already in use/.test(r.stderr))
        throw new LabError("ERR_ENDPOINT_IN_USE", `UDP port ${port} of ${name} is in use`, {
          hint: "The tunnel needs it; stop what listens there.",
        });
      throw new LabError("ERR_IP", `ip fou add: ${r.stderr.trim().split("\n")[0]}`);
    },
    closeFou: (port) => ip("fou", "del", "port", String(port)),
    addTunnel(dev, remote, sport, dport) {
      const encap = ["encap", "gue", "encap-sport", String(sport), "encap-dport", String(dport)];
      ip("link", "add", dev, "type", "ipip", "remote", formatIpv4(remote), "ttl", "64", ...encap);
      ip("link", "set", dev, "up");
    },
    removeTunnel: (dev) => ip("link", "del", dev),
    addAddress: (dev, addr) => ip("address", "add", `${formatIpv4(addr)}/32`, "dev", dev),
    removeAddress: (dev, addr) => ip("address", "del", `${formatIpv4(addr)}/32`, "dev", dev),
    addRoute: (target, dev) => ip("route", "add", `${formatIpv4(target)}/32`, "dev", dev),
    removeRoute: (target) => ip("route", "del", `${formatIpv4(target)}/32`),
    iptables: (words) => void runInside(ns, "ERR_IPTABLES", "iptables", words),
  };
}

/** Throws LabError ERR_NO_FOU that names the kernel's missing options; modules that can be loaded are. */
export function requireFou(ns: Namespace): void {
  const missing = OPTIONS.filter(([module, , words, link]) => {
    const works = (): boolean => tryInside(ns, "ip", words).status === 0;
    const ok = works() || (loadModule(module) && works());
    if (ok && link) tryInside(ns, "ip", ["link", "del", words[2]]);
    return !ok;
  });
  if (missing.length === 0) return;
  const options = missing.map(([module, option]) => `${option} (module ${module})`).join(" and ");
  throw new LabError("ERR_NO_FOU", `this kernel has no GUE tunnels of its own: it lacks ${options}`, {
    hint: "Use a kernel with them, as distributions' have; or True Ingress (pfc_start, pfc_add); or the simulated lab: --lab sim.",
  });
}
