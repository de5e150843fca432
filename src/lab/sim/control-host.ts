/** A simulated host as the control plane sees it. */
import type { ControlHost, ControlNic } from "../../control/host.ts";
import type { DataPath } from "../../dataplane/datapath.ts";
import type { Host } from "../../sim/host.ts";
import { L4_OFFSET, type Scheduler } from "../../sim/types.ts";
import { IPPROTO_UDP } from "../../wire/ipv4.ts";
import { UDP_HLEN, writeUdp } from "../../wire/udp.ts";

export class SimControlHost implements ControlHost {
  readonly name: string;
  private readonly host: Host;
  private readonly dataPath: DataPath;

  constructor(host: Host, dataPath: DataPath) {
    this.name = host.name;
    this.host = host;
    this.dataPath = dataPath;
  }

  nic(name: string): ControlNic | undefined {
    const nic = this.host.nic(name);
    return nic && { name, ifindex: nic.ifindex, addr: nic.addr, mtu: nic.mtu };
  }

  nicNames(): string[] {
    return this.host.nics.map((n) => n.name);
  }

  attach(nic: string): void {
    this.host.attach(nic, this.dataPath);
  }

  detach(nic: string): void {
    this.host.detach(nic);
  }

  sendUdp(saddr: number, sport: number, daddr: number, dport: number, payload: Uint8Array): void {
    sendRawUdp(this.host, saddr, sport, daddr, dport, payload);
  }

  every(intervalNs: number, fn: () => void): () => void {
    return every(this.host.ip.clock, intervalNs, fn);
  }
}

/** One UDP datagram from any source endpoint, past the socket layer. */
export function sendRawUdp(
  host: Host,
  saddr: number,
  sport: number,
  daddr: number,
  dport: number,
  payload: Uint8Array,
): void {
  const skb = host.ip.allocate(UDP_HLEN + payload.length);
  const off = skb.head + L4_OFFSET;
  skb.buf.set(payload, off + UDP_HLEN);
  writeUdp(skb.buf, off, sport, dport, payload.length, saddr, daddr);
  host.ip.output(skb, saddr, daddr, IPPROTO_UDP, false);
}

/** Calls `fn` every `intervalNs` until the returned function is called. */
export function every(clock: Scheduler, intervalNs: number, fn: () => void): () => void {
  const timer = clock.timer(() => {
    timer.start(intervalNs);
    fn();
  });
  timer.start(intervalNs);
  return () => timer.stop();
}
