/**
 * A run's packets as pcapng: one interface per host NIC (`egw/eth1`), the direction of each packet, and on each packet
 * that met a hook a comment that says what the data path decided and by which table entry.
 */
import type { PacketRecord } from "../scenario/lab.ts";
import type { Topology } from "../scenario/topology.ts";
import { REASON } from "../tables/reasons.ts";
import { type PacketInfo, PcapngWriter, pcapngBuffer, type SectionInfo } from "../wire/pcapng.ts";
import { hookText } from "./hook-text.ts";

/** Host names whose NICs are proxies by role: their way into a tunnel is an ENCAP entry, a node's a SESSION. */
export function proxyNames(topology: Topology | undefined): ReadonlySet<string> {
  return new Set(topology?.hosts.filter((h) => h.role === "proxy").map((h) => h.name));
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
      id = writer.addInterface({ name });
      ids.set(name, id);
    }
    const packet: PacketInfo = { direction: r.direction };
    // The verdict stands in the comment only: Wireshark 4.0 cannot save a file that has it as an option, too.
    if (r.hook && r.hook.reason !== REASON.PASS_NO_CONFIG)
      packet.comment = hookText(r.hook, r.frame, proxies.has(r.host));
    writer.packet(id, r.timeNs, r.frame, packet);
  }
}

/** The capture as one array. */
export function captureBytes(records: Iterable<PacketRecord>, topology?: Topology, info?: SectionInfo): Uint8Array {
  const buf = pcapngBuffer();
  writeCapture(records, topology, buf.sink, info);
  return buf.bytes();
}
