/** Whether a topology's subnets are free on a daemon: its networks and the routes of its namespace have others. */
import { run } from "../../ebpf/exec.ts";
import { LabError } from "../../errors.ts";
import { findOverlap, formatSubnet, type Subnet } from "../../scenario/subnet.ts";
import type { Topology } from "../../scenario/topology.ts";
import { parseIpv4 } from "../../wire/ipv4.ts";
import type { Namespace } from "../linux/sys.ts";
import { docker, LAB_LABEL, tryDocker } from "./cli.ts";

interface Taken extends Subnet {
  /** Whose it is, for people. */
  of: string;
  /** The lab's prefix. */
  lab?: string;
}

/** `ns`: the daemon's. Throws LabError ERR_SUBNET_TAKEN. */
export function refuseSubnets(ns: Namespace, topology: Topology): void {
  const taken = [...dockerSubnets(), ...routes(ns)];
  for (const net of topology.networks) {
    const ours = { base: net.subnet, prefix: net.prefix };
    const other = taken.find((t) => findOverlap([t, ours]) !== undefined);
    if (other === undefined) continue;
    throw new LabError("ERR_SUBNET_TAKEN", `${formatSubnet(ours)} of ${net.name} is taken by ${other.of}`, {
      hint: other.lab
        ? `The lab '${other.lab}' has the same addresses on this daemon: wait for its end, or use --lab netns.`
        : "Give the topology another NETWORK_SUBNET, or use --lab netns.",
      position: topology.source,
    });
  }
}

function dockerSubnets(): Taken[] {
  const ids = docker(["network", "ls", "--quiet"]).split(/\s+/).filter(Boolean);
  if (ids.length === 0) return [];
  const format = `{{.Name}}\t{{index .Labels "${LAB_LABEL}"}}{{range .IPAM.Config}}\t{{.Subnet}}{{end}}`;
  // One may go meanwhile: what is said of the others still holds.
  const lines = tryDocker(["network", "inspect", "--format", format, ...ids]).stdout.split("\n");
  return lines.flatMap((line) => {
    const [name, lab, ...subnets] = line.split("\t");
    return subnets.flatMap((text) => entry(text, `the docker network ${name} (${text})`, lab || undefined));
  });
}

function routes(ns: Namespace): Taken[] {
  const found: { dst: string; dev?: string }[] = JSON.parse(ns.enter(() => run("ERR_IP", "ip", ["-4", "-j", "route"])));
  return found.flatMap(({ dst, dev }) => entry(dst, `a route where docker has its bridges (${dst} dev ${dev})`));
}

/** `10.0.0.0/8`, or an address alone; nothing for IPv6 and for a default route. */
function entry(text: string, of: string, lab?: string): Taken[] {
  const [, address = "", length = "32"] = /^([\d.]+)(?:\/(\d+))?$/.exec(text) ?? [];
  const base = parseIpv4(address);
  return base === undefined || length === "0" ? [] : [{ base, prefix: Number(length), of, lab }];
}
