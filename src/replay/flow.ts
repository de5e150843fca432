/** A flow of conntrack as bytes for the journal, and as text: net/netfilter/nf_conntrack_standalone.c prints the same. */
import type { Conntrack } from "../dataplane/conntrack.ts";
import { IPS_ASSURED, IPS_CONFIRMED, IPS_DST_NAT, IPS_SEEN_REPLY, IPS_SRC_NAT } from "../dataplane/conntrack-table.ts";
import { TCP_STATE_NAMES } from "../dataplane/conntrack-tcp.ts";
import type { TableRow } from "../scenario/table-rows.ts";
import { formatIpv4, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP } from "../wire/ipv4.ts";

/** Two tuples of four words, status, state, then (not compared for changes that matter) the time of expiry. */
export const FLOW_SIZE = 8 * 4 + 8 + 8;
/** What lies behind changes with every packet. */
export const FLOW_LASTING = 8 * 4 + 8;

/** Writes flow number `flow` into `out`. */
export function encodeFlow(ct: Conntrack, flow: number, out: DataView): void {
  const { table } = ct;
  for (let i = 0; i < 8; i++) out.setInt32(i * 4, table.tuples[flow * 8 + i]);
  out.setInt32(32, table.status[flow]);
  out.setInt32(36, table.state[flow]);
  out.setFloat64(40, table.expires[flow]);
}

export const flowConfirmed = (ct: Conntrack, flow: number): boolean => (ct.table.status[flow] & IPS_CONFIRMED) !== 0;
const viewOf = (b: Uint8Array): DataView => new DataView(b.buffer, b.byteOffset, b.byteLength);
export const flowExpires = (value: Uint8Array): number => viewOf(value).getFloat64(40);

const PROTO: Record<number, string> = { [IPPROTO_ICMP]: "icmp", [IPPROTO_TCP]: "tcp", [IPPROTO_UDP]: "udp" };

function tupleText(v: DataView, off: number): string {
  const [src, dst] = [formatIpv4(v.getInt32(off) >>> 0), formatIpv4(v.getInt32(off + 4) >>> 0)];
  const [sport, dport] = [v.getUint16(off + 8), v.getUint16(off + 10)];
  const proto = v.getInt32(off + 12);
  if (proto === IPPROTO_ICMP) return `${src} > ${dst} id ${sport}`;
  return proto === IPPROTO_TCP || proto === IPPROTO_UDP ? `${src}:${sport} > ${dst}:${dport}` : `${src} > ${dst}`;
}

/** Order of the flows' keys: protocol, then source and destination as numbers. */
export function compareFlows(a: Uint8Array, b: Uint8Array): number {
  const [v, w] = [viewOf(a), viewOf(b)];
  const [proto, other] = [v.getInt32(12), w.getInt32(12)];
  if (proto !== other) return proto - other;
  const ids = proto === IPPROTO_ICMP;
  return (
    v.getUint32(0) - w.getUint32(0) ||
    (ids ? 0 : v.getUint16(8) - w.getUint16(8)) ||
    v.getUint32(4) - w.getUint32(4) ||
    (ids ? v.getUint16(8) - w.getUint16(8) : v.getUint16(10) - w.getUint16(10))
  );
}

export const FLOW_COLUMNS = ["reply", "state", "flags", "timeout"];

/** A flow as a row: its original tuple is the key. `nowNs` gives the seconds that it has left. */
export function flowRow(value: Uint8Array, nowNs: number): TableRow {
  const v = viewOf(value);
  const proto = v.getInt32(12);
  const status = v.getInt32(32);
  const flags: string[] = [];
  if ((status & IPS_SEEN_REPLY) === 0) flags.push("UNREPLIED");
  if ((status & IPS_ASSURED) !== 0) flags.push("ASSURED");
  if ((status & IPS_SRC_NAT) !== 0) flags.push("SNAT");
  if ((status & IPS_DST_NAT) !== 0) flags.push("DNAT");
  return {
    key: `${PROTO[proto] ?? proto} ${tupleText(v, 0)}`,
    fields: {
      reply: tupleText(v, 16),
      state: proto === IPPROTO_TCP ? TCP_STATE_NAMES[v.getInt32(36)] : "",
      flags: flags.join(" "),
      timeout: String(Math.max(0, Math.floor((v.getFloat64(40) - nowNs) / 1e9))),
    },
  };
}
