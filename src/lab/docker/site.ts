/**
 * A topology as containers on docker networks, set up as SPEC section 1 "Host settings" says.
 *
 *   guelab-PREFIX-HOST    containers; eth0 is on a network that nothing uses, eth1 and so on are the topology's
 *   guelab-PREFIX-NET     networks, `--internal`, whose bridge has the gateway's address; guelab-PREFIX-mgmt is eth0's
 *
 * Bridges are in the daemon's network namespace, which is no lab's own: nothing is set there but what belongs to the lab's
 * interfaces.
 */
import { mkdirSync } from "node:fs";
import { LabError } from "../../errors.ts";
import type { HostDef, NetworkDef, Topology } from "../../scenario/topology.ts";
import { formatIpv4 } from "../../wire/ipv4.ts";
import { claimPrefix, instanceName, labName, removeClaim } from "../linux/claim.ts";
import { EbpfPath } from "../linux/ebpf-path.ts";
import { configureHost } from "../linux/settings.ts";
import type { Site } from "../linux/site.ts";
import { Namespace } from "../linux/sys.ts";
import { type VethEnd, VethWire } from "../linux/veth-wire.ts";
import type { World } from "../linux/world.ts";
import { hostDir } from "../live/paths.ts";
import { docker, dockerFor, LAB_LABEL, tryDocker } from "./cli.ts";
import { openDaemonNs, refuseBridgeNf } from "./daemon.ts";
import { refuseTaken, removeLab, removeObjects } from "./leftovers.ts";
import { adoptBridge, adoptNics, nicNames } from "./nics.ts";
import { type DockerFacts, requireDocker } from "./require.ts";
import { refuseSubnets } from "./subnets.ts";

/** Its network has addresses that docker chooses. */
const MGMT = "mgmt";
/** Where the container has the folder of its host's socket. */
const SOCKET_MOUNT = "/run/guelab";

/** A container's interfaces as they are to be wired. */
interface Port {
  label: string;
  host: VethEnd;
  network: string;
  /** Number in the daemon's namespace. */
  ifindex: number;
}

export class DockerSite implements Site {
  readonly kind = "docker";
  readonly prefix: string;
  private readonly image: string;
  private facts: DockerFacts | undefined;

  /** `image`: as `guelab image build` made it. */
  constructor(prefix: string, image: string) {
    this.prefix = prefix;
    this.image = image;
  }

  require(): void {
    this.facts = requireDocker(this.image);
  }

  claim(): void {
    const { prefix } = this;
    claimPrefix(prefix, { removeLeft: () => removeLab(prefix), refuseTaken: () => refuseTaken(prefix) });
    try {
      // Also of a lab whose claim went with a restart of the machine.
      removeObjects(prefix);
    } catch (err) {
      removeClaim(prefix);
      throw err;
    }
  }

  remove(): void {
    removeLab(this.prefix);
  }

  async build(world: World, topology: Topology): Promise<void> {
    const { daemon } = this.facts as DockerFacts;
    const daemonNs = openDaemonNs(daemon);
    try {
      refuseSubnets(daemonNs, topology);
      for (const net of topology.networks) world.addGateway(net, openDaemonNs(daemon), await this.createNetwork(net));
      await this.create(["network", "create", "--internal"], this.name(MGMT));
      // Docker may load what filters on bridges with its first network.
      refuseBridgeNf(daemon, daemonNs);
      await all(topology.hosts.map((host) => this.startHost(host)));
      const ports = this.openHosts(world, topology);
      this.wire(world, topology, ports, daemonNs);
    } finally {
      daemonNs.close();
    }
    for (const host of world.hosts.values()) configureHost(host, topology);
  }

  private name = (name: string): string => labName(this.prefix, name);
  private docker = (...args: string[]): Promise<string> => dockerFor(this.prefix, args);
  private create = (args: string[], ...rest: string[]): Promise<string> =>
    this.docker(...args, "--label", `${LAB_LABEL}=${this.prefix}`, ...rest);

  /** Gives the name of its bridge. */
  private async createNetwork(net: NetworkDef): Promise<string> {
    const subnet = ["--subnet", `${formatIpv4(net.subnet)}/${net.prefix}`, "--gateway", formatIpv4(net.gateway)];
    const id = await this.create(["network", "create", "--internal", ...subnet], this.name(net.name));
    return `br-${id.trim().slice(0, 12)}`;
  }

  /** A container that does nothing but be there; its interfaces are made when it starts. */
  private async startHost(host: HostDef): Promise<void> {
    const name = this.name(host.name);
    const sockets = hostDir(this.prefix, host.name);
    mkdirSync(sockets, { recursive: true });
    const options = ["--name", name, "--hostname", host.name, "--network", this.name(MGMT), "--init"];
    options.push("--restart", "no", "--pull", "never", "--cap-add", "NET_ADMIN");
    options.push("--mount", `type=bind,source=${sockets},target=${SOCKET_MOUNT},readonly`);
    // The daemon's own name server would ask the world for a container of an internal network.
    options.push("--dns", "127.0.0.1");
    for (const which of ["all", "default"]) options.push("--sysctl", `net.ipv6.conf.${which}.disable_ipv6=1`);
    await this.create(["create", ...options], "--", this.image);
    for (const nic of host.nics)
      await this.docker("network", "connect", "--ip", formatIpv4(nic.addr), this.name(nic.network), name);
    await this.docker("start", name);
  }

  private openHosts(world: World, topology: Topology): Port[] {
    const names = topology.hosts.map((h) => this.name(h.name));
    const pids = docker(["inspect", "--format", "{{.State.Pid}}", "--", ...names])
      .trim()
      .split("\n");
    return topology.hosts.flatMap((def, i) => {
      const pid = Number(pids[i]);
      if (!(pid > 0))
        throw new LabError("ERR_DOCKER", `the container ${names[i]} ended at once: ${lastWords(names[i])}`, {
          hint: `The image ${this.image} must run until it is stopped: guelab image build makes such a one.`,
        });
      const path = `/proc/${pid}/ns/net`;
      const ns = new Namespace(names[i], path, pid);
      world.addHost(def, ns, new EbpfPath(instanceName(this.prefix, def.name), path));
      const peers = adoptNics(ns, def);
      return def.nics.map((nic, k) => ({
        label: `${def.name}/${nic.name}`,
        host: { ns, dev: nic.name },
        network: nic.network,
        ifindex: peers[k],
      }));
    });
  }

  private wire(world: World, topology: Topology, ports: readonly Port[], daemonNs: Namespace): void {
    const nics = nicNames(daemonNs);
    const named = ports.map((port) => ({ ...port, nic: nics.get(port.ifindex) }));
    for (const net of topology.networks) {
      const gateway = world.gateways.get(net.name)!;
      const own = named.filter((p) => p.network === net.name);
      const lost = own.find((p) => p.nic === undefined);
      if (lost !== undefined || ![...nics.values()].includes(gateway.nic))
        throw new LabError(
          "ERR_DOCKER_REMOTE",
          `docker has the bridge of ${net.name} in a namespace that cannot be found`,
          {
            hint: "The process that listens at the daemon's socket must be in the daemon's network namespace.",
          },
        );
      adoptBridge(
        gateway.ns,
        net,
        gateway.nic,
        own.map((p) => p.nic!),
      );
      for (const { label, host, nic } of own) world.addWire(new VethWire(label, host, { ns: gateway.ns, dev: nic! }));
    }
  }
}

/** Waits for all, then throws the first error: nothing is under way any more. */
async function all(tasks: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(tasks)).find((r) => r.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

/** What a container's program has printed. */
function lastWords(container: string): string {
  const { stdout, stderr } = tryDocker(["logs", "--tail", "3", container]);
  return `${stdout}${stderr}`.trim().replaceAll("\n", "\n  ");
}
