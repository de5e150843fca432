/**
 * What a NIC saw, as flows: packets of one direction, one tunnel and one pair of endpoints, in the order in which the flows began,
 * each with what it carried. What two runs may do in their own way is taken out here; the rules are in rules.ts.
 */
import type { PacketRecord } from "../scenario/lab.ts";
import { rd16, rd32, toHex } from "../wire/bytes.ts";
import { ETH_HLEN, ETH_P_ARP, ETH_P_IP, ethType } from "../wire/ethernet.ts";
import { GUE_BASE_HLEN, GUE_DATA_HLEN, gueCheck, gueGroup, gueService } from "../wire/gue.ts";
import { ICMP_ECHO, ICMP_ECHOREPLY, ICMP_HLEN, icmpIsError, icmpSeq } from "../wire/icmp.ts";
import {
  formatIpv4,
  IP_MF,
  IP_OFFMASK,
  IPPROTO_ICMP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPV4_HLEN,
  ipDaddr,
  ipFragOff,
  ipHlen,
  ipProto,
  ipSaddr,
  ipTotLen,
  ipv4Check,
} from "../wire/ipv4.ts";
import { tcpCheck, tcpFlags, tcpHlen, tcpSeq } from "../wire/tcp.ts";
import { UDP_HLEN, udpCheck, udpLength } from "../wire/udp.ts";
import type { RuleCounter, ScenarioRule } from "./rules.ts";
import { isIgmp } from "./same.ts";
import { StreamBytes } from "./stream.ts";

export interface Flow {
  /** `out GUE 1/100 172.1.0.3:5000 > 172.1.0.4:6000 | tcp 172.1.0.2:~1 > 1.1.1.1:4000`; `~1`: the first of its kind. */
  key: string;
  firstNs: number;
  lastNs: number;
  /** The first packet, for a report. */
  first: PacketRecord;
  /** Of TCP. */
  stream?: StreamBytes;
  /** Began when its connection, which never carried a byte, was retried: a second or more after its first packet. */
  isRetry: boolean;
  /** Of everything else: datagrams and messages in order, repetitions once. */
  messages: string[];
}

/** What the flows of a run need: ports with a meaning, and where uses of rules are counted. */
export interface FlowContext {
  /** Ports that the scenario names; all others are ephemeral. */
  ports: ReadonlySet<number>;
  rules: RuleCounter<ScenarioRule>;
}

/** Packets of a run, and the times at which its topology came up anew: flows do not outlive it. */
export interface SeenPackets {
  packets: readonly PacketRecord[];
  setups: readonly number[];
}

/** One packet, taken apart as far as a flow needs it. */
interface Parsed {
  /** Without the numbers of ephemeral ports. */
  kind: string;
  /** The ephemeral ports themselves, by which equal kinds are told apart. */
  instance: string;
  message?: string;
  ping?: boolean;
  tcp?: { seq: number; flags: number; payload: Uint8Array };
}

/** The first words of GUE headers: pings of both forms, data of this dialect, and the kernel's own. */
const PING_WORD = 0x2601a000;
const OLD_PING_WORD = 0x2501a000;
const DATA_WORD = 0x0504a000;
const PLAIN_WORD = 0x00040000;

/** The flows of each NIC, by `host/nic`, in the order of their first packets. */
export function flowsByNic({ packets, setups }: SeenPackets, ctx: FlowContext): Map<string, Flow[]> {
  const nics = new Map<string, NicFlows>();
  const connections: Connections = new Map();
  for (const p of packets) {
    const label = `${p.host}/${p.nic}`;
    let nic = nics.get(label);
    if (nic === undefined) nics.set(label, (nic = new NicFlows(ctx, connections)));
    nic.add(p, setups.filter((t) => t <= p.timeNs).length);
  }
  return new Map([...nics].map(([label, nic]) => [label, nic.finish()]));
}

/** By life and ephemeral ports: when its first packet was seen on any NIC, and whether it ever carried a byte. */
type Connections = Map<string, { firstNs: number; carried: boolean }>;

/** TCP's first retransmission timeout is 1 s (RFC 6298 section 2). */
const RETRY_NS = 900_000_000;

class NicFlows {
  private readonly flows: Flow[] = [];
  private readonly ctx: FlowContext;
  private readonly connections: Connections;
  /** Of a flow that began late: its connection. */
  private readonly late = new Map<Flow, { carried: boolean }>();
  private readonly byInstance = new Map<string, Flow>();
  private readonly ordinals = new Map<string, number>();

  constructor(ctx: FlowContext, connections: Connections) {
    this.ctx = ctx;
    this.connections = connections;
  }

  finish(): Flow[] {
    for (const [flow, connection] of this.late) flow.isRetry = !connection.carried;
    return this.flows;
  }

  /** `life`: of the topology, which number. */
  add(p: PacketRecord, life: number): void {
    const { rules } = this.ctx;
    if (ethType(p.frame, 0) === ETH_P_ARP) {
      rules.use("arp");
      return;
    }
    if (isIgmp(p.frame)) {
      rules.use("igmp");
      return;
    }
    rules.use("ip-header");
    const parsed = parseFrame(p.frame, this.ctx);
    const id = `${life} ${parsed.instance}`;
    const connection = this.connections.get(id) ?? { firstNs: p.timeNs, carried: false };
    if (parsed.instance !== "") this.connections.set(id, connection);
    if ((parsed.tcp?.payload.length ?? 0) > 0) connection.carried = true;
    const flow = this.flowOf(p, parsed, life, connection);
    flow.lastNs = p.timeNs;
    if (parsed.tcp !== undefined) {
      flow.stream ??= new StreamBytes();
      flow.stream.add(parsed.tcp.seq, parsed.tcp.flags, parsed.tcp.payload);
    } else if (parsed.message !== undefined) {
      if (!flow.messages.includes(parsed.message)) flow.messages.push(parsed.message);
      else rules.use(parsed.ping ? "gue-ping" : "retry");
    }
  }

  private flowOf(
    p: PacketRecord,
    { kind: name, instance, tcp }: Parsed,
    life: number,
    connection: { firstNs: number; carried: boolean },
  ): Flow {
    const id = `${life} ${p.direction} ${name} # ${instance}`;
    const known = this.byInstance.get(id);
    // A port that is used again after the connection's end is another flow.
    const reopened = known?.stream !== undefined && tcp !== undefined && known.stream.isReopening(tcp.seq, tcp.flags);
    if (known !== undefined && !reopened) return known;
    const isLate = instance !== "" && p.timeNs - connection.firstNs >= RETRY_NS;
    const kind = `${p.direction} ${name}${isLate ? " late" : ""}`;
    const ordinal = (this.ordinals.get(kind) ?? 0) + 1;
    this.ordinals.set(kind, ordinal);
    if (instance !== "") this.ctx.rules.use("ephemeral-port");
    if (tcp !== undefined) this.ctx.rules.use("tcp-stream");
    const key = `${kind}${ordinal > 1 ? ` (${ordinal})` : ""}`;
    const flow: Flow = { key, firstNs: p.timeNs, lastNs: p.timeNs, first: p, isRetry: false, messages: [] };
    if (isLate) this.late.set(flow, connection);
    this.byInstance.set(id, flow);
    this.flows.push(flow);
    return flow;
  }
}

function parseFrame(frame: Uint8Array, ctx: FlowContext): Parsed {
  if (ethType(frame, 0) !== ETH_P_IP || !ipv4Check(frame, ETH_HLEN, frame.length))
    return { kind: `ethertype 0x${ethType(frame, 0).toString(16)}`, instance: "", message: toHex(frame) };
  return parseIp(frame, ETH_HLEN, ctx);
}

function parseIp(b: Uint8Array, at: number, ctx: FlowContext): Parsed {
  const end = at + ipTotLen(b, at);
  const proto = ipProto(b, at);
  const ends = `${formatIpv4(ipSaddr(b, at))} > ${formatIpv4(ipDaddr(b, at))}`;
  const off = at + ipHlen(b, at);
  const word = ipFragOff(b, at);
  if ((word & (IP_MF | IP_OFFMASK)) !== 0) {
    const message = `offset ${(word & IP_OFFMASK) * 8}${word & IP_MF ? "+" : ""} ${end - off} bytes`;
    return { kind: `fragments ${proto} ${ends}`, instance: "", message };
  }
  if (proto === IPPROTO_TCP && tcpCheck(b, off, end)) {
    const { text, instance } = endpoints(b, at, off, ctx);
    const tcp = { seq: tcpSeq(b, off), flags: tcpFlags(b, off), payload: b.subarray(off + tcpHlen(b, off), end) };
    return { kind: `tcp ${text}`, instance, tcp };
  }
  if (proto === IPPROTO_UDP && udpCheck(b, off, end)) return parseUdp(b, at, off, ctx);
  if (proto === IPPROTO_ICMP && off + ICMP_HLEN <= end) return parseIcmp(b, off, end, ends, ctx);
  return { kind: `protocol ${proto} ${ends}`, instance: "", message: toHex(b, off, end) };
}

function parseUdp(b: Uint8Array, at: number, off: number, ctx: FlowContext): Parsed {
  const { text, instance } = endpoints(b, at, off, ctx);
  const payload = off + UDP_HLEN;
  const end = off + udpLength(b, off);
  const word = end - payload >= 4 ? rd32(b, payload) : -1;
  const message = toHex(b, payload, end);
  if (word === PING_WORD || word === OLD_PING_WORD) return { kind: `gue ping ${text}`, instance, message, ping: true };
  const isTunnel = word === DATA_WORD && gueCheck(b, payload, end);
  const inner = payload + (isTunnel ? GUE_DATA_HLEN : GUE_BASE_HLEN);
  if ((!isTunnel && word !== PLAIN_WORD) || !ipv4Check(b, inner, end))
    return { kind: `udp ${text}`, instance, message };
  const what = parseIp(b, inner, ctx);
  const id = isTunnel
    ? `${gueGroup(b, payload)}/${gueService(b, payload)} key ${toHex(b, payload + 8, payload + 24)}`
    : "plain";
  return { ...what, kind: `GUE ${id} ${text} | ${what.kind}`, instance: `${instance} ${what.instance}`.trim() };
}

function parseIcmp(b: Uint8Array, off: number, end: number, ends: string, ctx: FlowContext): Parsed {
  const type = b[off];
  const what = `${type}/${b[off + 1]}`;
  if (type === ICMP_ECHO || type === ICMP_ECHOREPLY) {
    ctx.rules.use("icmp-id");
    return { kind: `icmp ${ends} ${what}`, instance: "", message: `seq ${icmpSeq(b, off)} ${end - off} bytes` };
  }
  const quote = off + ICMP_HLEN;
  const l4 = quote + IPV4_HLEN <= end ? quote + ipHlen(b, quote) : end;
  if (!icmpIsError(type) || b[quote] >>> 4 !== 4 || l4 > end)
    return { kind: `icmp ${ends} ${what}`, instance: "", message: toHex(b, off + 4, end) };
  const proto = ipProto(b, quote);
  const hasPorts = (proto === IPPROTO_TCP || proto === IPPROTO_UDP) && l4 + 4 <= end;
  const addresses = `${formatIpv4(ipSaddr(b, quote))} > ${formatIpv4(ipDaddr(b, quote))}`;
  const quoted = hasPorts ? endpoints(b, quote, l4, ctx) : { text: addresses, instance: "" };
  const kind = `icmp ${ends} ${what} mtu ${rd16(b, off + 6)} about ${proto} ${quoted.text}`;
  return { kind, instance: quoted.instance, message: "" };
}

/** `172.1.0.2:~ > 5.5.5.5:3100`, and the ports that stand behind the tildes. */
function endpoints(b: Uint8Array, at: number, off: number, ctx: FlowContext): { text: string; instance: string } {
  const sport = rd16(b, off);
  const dport = rd16(b, off + 2);
  const name = (port: number): string => (ctx.ports.has(port) ? String(port) : "~");
  const text = `${formatIpv4(ipSaddr(b, at))}:${name(sport)} > ${formatIpv4(ipDaddr(b, at))}:${name(dport)}`;
  const instance = [sport, dport].filter((p) => !ctx.ports.has(p)).join(" ");
  return { text, instance };
}
