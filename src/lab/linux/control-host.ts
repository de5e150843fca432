/** A namespace as the control plane sees it: the data path at its NICs, raw packets, real timers. */
import type { ControlHost, ControlNic } from "../../control/host.ts";
import { LabError } from "../../errors.ts";
import type { HostDef } from "../../scenario/topology.ts";
import { IPPROTO_UDP, IPV4_HLEN, writeIpv4 } from "../../wire/ipv4.ts";
import { UDP_HLEN, writeUdp } from "../../wire/udp.ts";
import type { HostDataPath } from "./data-path.ts";
import { runInside } from "./inside.ts";
import { AF_INET, closeSocket, IPPROTO_RAW, type Namespace, SOCK_RAW, send, sockaddrIn, socket } from "./sys.ts";

const NS_PER_MS = 1_000_000;

export class LinuxControlHost implements ControlHost {
  readonly name: string;
  private readonly def: HostDef;
  private readonly ns: Namespace;
  private readonly dataPath: HostDataPath;
  /** A raw socket; made when the first packet is sent. */
  private raw: number | undefined;
  private readonly timers = new Set<NodeJS.Timeout>();
  /** Set by an interval's function that failed; the next command reports it. */
  failure: unknown;

  constructor(def: HostDef, ns: Namespace, dataPath: HostDataPath) {
    this.name = def.name;
    this.def = def;
    this.ns = ns;
    this.dataPath = dataPath;
  }

  nic(name: string): ControlNic | undefined {
    const nic = this.def.nics.find((n) => n.name === name);
    if (nic === undefined) return undefined;
    const [link] = JSON.parse(runInside(this.ns, "ERR_IP", "ip", ["-j", "link", "show", "dev", name]));
    return { name, ifindex: link.ifindex, addr: nic.addr, mtu: link.mtu };
  }

  nicNames(): string[] {
    return this.def.nics.map((n) => n.name);
  }

  attach(nic: string): void {
    this.dataPath.attach(nic);
  }

  detach(nic: string): void {
    this.dataPath.detach(nic);
  }

  sendUdp(saddr: number, sport: number, daddr: number, dport: number, payload: Uint8Array): void {
    const packet = new Uint8Array(IPV4_HLEN + UDP_HLEN + payload.length);
    packet.set(payload, IPV4_HLEN + UDP_HLEN);
    writeUdp(packet, IPV4_HLEN, sport, dport, payload.length, saddr, daddr);
    // The kernel fills in ID, total length and header checksum.
    writeIpv4(packet, 0, packet.length, 0, 0, 64, IPPROTO_UDP, saddr, daddr);
    this.raw ??= this.ns.enter(() => socket(AF_INET, SOCK_RAW, IPPROTO_RAW));
    send(this.raw, packet, sockaddrIn(daddr, 0));
  }

  every(intervalNs: number, fn: () => void): () => void {
    const timer = setInterval(() => {
      try {
        fn();
      } catch (err) {
        // A daemon goes on: the network may be back at the next interval.
        if (!(err instanceof LabError)) this.failure ??= err;
      }
    }, intervalNs / NS_PER_MS);
    this.timers.add(timer);
    return () => {
      clearInterval(timer);
      this.timers.delete(timer);
    };
  }

  close(): void {
    for (const timer of this.timers) clearInterval(timer);
    this.timers.clear();
    if (this.raw !== undefined) closeSocket(this.raw);
    this.raw = undefined;
  }
}
