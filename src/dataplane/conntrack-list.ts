/** Flows for people: as objects, and as the lines of `conntrack -L` (conntrack-tools). */
import { formatIpv4, IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP } from "../wire/ipv4.ts";
import type { Conntrack } from "./conntrack.ts";
import { IPS_ASSURED, IPS_CONFIRMED, IPS_DST_NAT, IPS_SEEN_REPLY, IPS_SRC_NAT } from "./conntrack-table.ts";
import { TCP_STATE_NAMES } from "./conntrack-tcp.ts";

/** One direction of a flow, host order. For ICMP, `sport` is the identifier and `dport` is `type << 8 | code`. */
export interface CtTuple {
  src: number;
  dst: number;
  sport: number;
  dport: number;
  proto: number;
}

export interface CtEntry {
  flow: number;
  proto: number;
  /** TCP's state by name; empty for other protocols. */
  state: string;
  /** Seconds until it expires, rounded down. */
  timeout: number;
  original: CtTuple;
  reply: CtTuple;
  seenReply: boolean;
  assured: boolean;
  snat: boolean;
  dnat: boolean;
}

function tupleOf(ct: Conntrack, t: number): CtTuple {
  const w = ct.table.tuples.subarray(t * 4, t * 4 + 4);
  return { src: w[0] >>> 0, dst: w[1] >>> 0, sport: w[2] >>> 16, dport: w[2] & 0xffff, proto: w[3] };
}

/** A flow by number; meaningful in a listener, and for confirmed flows. */
function describeFlow(ct: Conntrack, flow: number, nowNs: number): CtEntry {
  const status = ct.table.status[flow];
  const original = tupleOf(ct, flow * 2);
  return {
    flow,
    proto: original.proto,
    state: original.proto === IPPROTO_TCP ? TCP_STATE_NAMES[ct.table.state[flow]] : "",
    timeout: Math.max(0, Math.floor((ct.table.expires[flow] - nowNs) / 1e9)),
    original,
    reply: tupleOf(ct, flow * 2 + 1),
    seenReply: (status & IPS_SEEN_REPLY) !== 0,
    assured: (status & IPS_ASSURED) !== 0,
    snat: (status & IPS_SRC_NAT) !== 0,
    dnat: (status & IPS_DST_NAT) !== 0,
  };
}

/** All live flows, oldest first. */
export function listFlows(ct: Conntrack, nowNs: number): CtEntry[] {
  const out: CtEntry[] = [];
  for (let flow = 0; flow < ct.table.slots; flow++)
    if (ct.table.status[flow] & IPS_CONFIRMED && ct.table.expires[flow] > nowNs)
      out.push(describeFlow(ct, flow, nowNs));
  return out.sort((a, b) => ct.table.created[a.flow] - ct.table.created[b.flow] || a.flow - b.flow);
}

function formatTuple(t: CtTuple): string {
  const addrs = `src=${formatIpv4(t.src)} dst=${formatIpv4(t.dst)}`;
  if (t.proto === IPPROTO_ICMP) return `${addrs} type=${t.dport >> 8} code=${t.dport & 0xff} id=${t.sport}`;
  if (t.proto === IPPROTO_TCP || t.proto === IPPROTO_UDP) return `${addrs} sport=${t.sport} dport=${t.dport}`;
  return addrs;
}

const PROTO_NAMES: Record<number, string> = { [IPPROTO_ICMP]: "icmp", [IPPROTO_TCP]: "tcp", [IPPROTO_UDP]: "udp" };

/** A line of `conntrack -L`. */
export function formatFlow(e: CtEntry): string {
  const state = e.state ? `${e.state} ` : "";
  const unreplied = e.seenReply ? "" : "[UNREPLIED] ";
  const assured = e.assured ? "[ASSURED] " : "";
  const proto = (PROTO_NAMES[e.proto] ?? "unknown").padEnd(8);
  return `${proto} ${e.proto} ${e.timeout} ${state}${formatTuple(e.original)} ${unreplied}${formatTuple(e.reply)} ${assured}mark=0 use=1`;
}
