/**
 * A run's packets as pcapng: one interface per host NIC (`egw/eth1`), the direction of each packet, and on each packet
 * that met a hook a comment that says what the data path decided and by which table entry. The other side of hooks can be there
 * as well, on interfaces of its own (`egw/eth1:ingress:after`, `egw/eth1:egress:before`).
 */
import type { HookPacket, PacketRecord } from "../scenario/lab.ts";
import type { Topology } from "../scenario/topology.ts";
import { REASON } from "../tables/reasons.ts";
import { type PacketInfo, PcapngWriter, pcapngBuffer, type SectionInfo } from "../wire/pcapng.ts";
import { hookText } from "./hook-text.ts";

/** Host names whose NICs are proxies by role: their way into a tunnel is an ENCAP entry, a node's a SESSION. */
export function proxyNames(topology: Topology | undefined): ReadonlySet<string> {
  return new Set(topology?.hosts.filter((h) => h.role === "proxy").map((h) => h.name));
}

/** `in front of the egress hook of egw/eth1`; undefined for a NIC itself. */
function hookSide({ host, nic }: PacketRecord): string | undefined {
  const [name, hook, side] = nic.split(":");
  const where = side === "before" ? "in front of" : side === "after" ? "behind" : undefined;
  return where && `${where} the ${hook} hook of ${host}/${name}`;
}

/** Writes block after block to `sink`. NICs come in the order of the topology, then any others as they first appear. */
function writeCapture(
  records: Iterable<PacketRecord>,
  topology: Topology | undefined,
  sink: (chunk: Uint8Array) => void,
  info: SectionInfo = {},
): void {
  const writer = new PcapngWriter(sink, info);
  const ids = new Map<string, number>();
  for (const host of topology?.hosts ?? []) {
    for (const nic of host.nics) {
      const net = topology?.networks.find((n) => n.name === nic.network);
      const name = `${host.name}/${nic.name}`;
      const description = `${host.role} ${host.name} on network ${nic.network}`;
      ids.set(name, writer.addInterface({ name, description, ip: nic.addr, prefix: net?.prefix, mtu: nic.mtu }));
    }
  }
  const proxies = proxyNames(topology);
  for (const r of records) {
    const name = `${r.host}/${r.nic}`;
    let id = ids.get(name);
    if (id === undefined) {
      id = writer.addInterface({ name, description: hookSide(r) });
      ids.set(name, id);
    }
    const packet: PacketInfo = { direction: r.direction };
    // The verdict stands in the comment only: Wireshark 4.0 cannot save a file that has it as an option, too.
    if (r.hook && r.hook.reason !== REASON.PASS_NO_CONFIG)
      packet.comment = hookText(r.hook, r.frame, proxies.has(r.host));
    writer.packet(id, r.timeNs, r.frame, packet);
  }
}

/**
 * A lab's packets together with the frames at the other side of its hooks, in the order of time; where times are equal, what is in
 * front of a hook comes before what is behind it.
 */
export function withHookPackets(packets: readonly PacketRecord[], others: readonly HookPacket[]): PacketRecord[] {
  const out: PacketRecord[] = [];
  let next = 0;
  for (const [i, packet] of packets.entries()) {
    while (next < others.length && others[next].at <= i) out.push(others[next++]);
    out.push(packet);
  }
  return [...out, ...others.slice(next)].sort((a, b) => a.timeNs - b.timeNs);
}

/** The capture as one array. */
export function captureBytes(records: Iterable<PacketRecord>, topology?: Topology, info?: SectionInfo): Uint8Array {
  const buf = pcapngBuffer();
  writeCapture(records, topology, buf.sink, info);
  return buf.bytes();
}
