/**
 * Connection tracking of IPv4 (net/netfilter/nf_conntrack_core.c, nf_conntrack_proto_{tcp,udp,icmp,generic}.c).
 *
 * `resolve` finds or makes the flow of a packet and leaves it in `flow`, `dir` and `ctinfo`, as the kernel does in the
 * skb; the hooks of one packet therefore run without another packet's in between. A new flow belongs to its packet alone until
 * `confirm`, and is forgotten when that never comes (the packet was dropped on the way). Datagrams are whole: hosts
 * reassemble first, and a fragment counts as INVALID. L4 checksums are not verified here: a bad one stays bad through NAT.
 */
import { icmpIsError } from "../wire/icmp.ts";
import {
  IP_MF,
  IP_OFFMASK,
  IPPROTO_ICMP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPV4_DADDR,
  IPV4_FRAG_OFF,
  IPV4_HLEN,
  IPV4_PROTO,
  IPV4_SADDR,
  IPV4_TOT_LEN,
} from "../wire/ipv4.ts";
import { TCP_FLAGS, TCP_RST, tcpCheck } from "../wire/tcp.ts";
import { udpCheck } from "../wire/udp.ts";
import {
  FlowTable,
  IP_CT_DIR_ORIGINAL,
  IP_CT_DIR_REPLY,
  IPS_ASSURED,
  IPS_CONFIRMED,
  IPS_SEEN_REPLY,
} from "./conntrack-table.ts";
import {
  TCP_CONNTRACK_ESTABLISHED,
  TCP_CONNTRACK_IGNORE,
  TCP_CONNTRACK_INVALID,
  TCP_CONNTRACK_NONE,
  TCP_CONNTRACK_SYN_RECV,
  tcpFlagsLegal,
  tcpNextState,
  tcpReopens,
} from "./conntrack-tcp.ts";
import { CT_GENERIC, CT_ICMP, CT_TCP_UNACK, CT_UDP, CT_UDP_STREAM, defaultTimeouts } from "./conntrack-timeouts.ts";

/** What a packet is to its flow (enum ip_conntrack_info). */
export const IP_CT_ESTABLISHED = 0;
export const IP_CT_RELATED = 1;
export const IP_CT_NEW = 2;
export const IP_CT_ESTABLISHED_REPLY = 3;
export const IP_CT_RELATED_REPLY = 4;
/** No flow: malformed, or no part of a flow it claims to belong to. It passes untracked and untranslated. */
export const IP_CT_INVALID = 5;

/** A UDP flow that lives this long with packets both ways is a stream. */
const UDP_STREAM_AGE_NS = 2_000_000_000;
/** Flows looked at for expiry with every new one. */
const GC_STEP = 4;
/** Default of net.netfilter.nf_conntrack_max. */
const CONNTRACK_MAX = 262_144;

export type ConntrackEvent = "new" | "reply" | "assured" | "destroy";
/** Sees what happens to flows; for "destroy" the flow's words are still readable. */
export type ConntrackListener = (event: ConntrackEvent, flow: number, nowNs: number) => void;

export class Conntrack {
  readonly table = new FlowTable();
  /** By slot of conntrack-timeouts.ts, ns. */
  readonly timeouts = defaultTimeouts();
  max = CONNTRACK_MAX;
  listener: ConntrackListener | undefined;

  /** The flow of the packet last resolved, or -1; its direction; and an IP_CT_ constant. */
  flow = -1;
  dir = IP_CT_DIR_ORIGINAL;
  ctinfo = IP_CT_INVALID;

  /** Words of the tuple last read. */
  private src = 0;
  private dst = 0;
  private ports = 0;
  private proto = 0;
  /** A flow whose packet is still under way; -1 = none. */
  private pending = -1;
  private gcCursor = 0;
  /** Time of the packet in hand, ns; in an array so that it is not boxed at every call. */
  private readonly clock = new Float64Array(1);

  /**
   * Finds the flow of the IPv4 packet at `ipOff` (checked by ipv4Check), or makes one. False when the packet must be dropped
   * because no more flows fit.
   */
  resolve(pkt: Uint8Array, ipOff: number, nowNs: number): boolean {
    this.clock[0] = nowNs;
    this.abandon();
    this.flow = -1;
    this.ctinfo = IP_CT_INVALID;
    const end = ipOff + ((pkt[ipOff + IPV4_TOT_LEN] << 8) | pkt[ipOff + IPV4_TOT_LEN + 1]);
    const l4 = ipOff + (pkt[ipOff] & 0xf) * 4;
    const fragOff = (pkt[ipOff + IPV4_FRAG_OFF] << 8) | pkt[ipOff + IPV4_FRAG_OFF + 1];
    if (fragOff & (IP_MF | IP_OFFMASK)) return true;
    const proto = pkt[ipOff + IPV4_PROTO];
    if (proto === IPPROTO_TCP) {
      if (!tcpCheck(pkt, l4, end) || !tcpFlagsLegal(pkt[l4 + TCP_FLAGS])) return true;
    } else if (proto === IPPROTO_UDP) {
      if (!udpCheck(pkt, l4, end)) return true;
    } else if (proto === IPPROTO_ICMP && end > l4 && icmpIsError(pkt[l4])) {
      this.resolveError(pkt, ipOff, l4, end);
      return true;
    }
    if (!this.readTuple(pkt, ipOff, l4, end)) return true;
    const t = this.lookup();
    if (t < 0) return this.create(pkt, l4);
    this.flow = t >> 1;
    this.dir = t & 1;
    if (this.dir === IP_CT_DIR_REPLY) this.ctinfo = IP_CT_ESTABLISHED_REPLY;
    else this.ctinfo = this.table.status[this.flow] & IPS_SEEN_REPLY ? IP_CT_ESTABLISHED : IP_CT_NEW;
    if (proto === IPPROTO_TCP) return this.tcpPacket(pkt, l4);
    this.refresh(proto);
    if (this.dir === IP_CT_DIR_REPLY) this.seenReply();
    return true;
  }

  /**
   * Makes the current packet's new flow findable, when the packet leaves the host or is handed to it. False when one of its
   * tuples was taken in the meantime: the packet must be dropped.
   */
  confirm(): boolean {
    const flow = this.pending;
    if (flow < 0) return true;
    for (let t = flow * 2; t < flow * 2 + 2; t++) {
      const w = t * 4;
      const words = this.table.tuples;
      if (this.taken(words[w], words[w + 1], words[w + 2], words[w + 3])) return false;
    }
    this.pending = -1;
    this.table.link(flow);
    this.listener?.("new", flow, this.clock[0]);
    return true;
  }

  /** True while the current packet's flow is not confirmed: NAT may still be set up. */
  get isNew(): boolean {
    return this.pending >= 0;
  }

  /** True when a live flow has this tuple (signed words, see conntrack-table.ts). */
  taken(src: number, dst: number, ports: number, proto: number): boolean {
    return this.lookupWords(src, dst, ports, proto) >= 0;
  }

  /** Removes expired flows; returns how many. */
  gc(nowNs: number): number {
    let removed = 0;
    this.clock[0] = nowNs;
    for (let flow = 0; flow < this.table.slots; flow++) removed += this.expire(flow);
    return removed;
  }

  /** Removes all flows (`conntrack -F`). */
  flush(nowNs: number): void {
    this.clock[0] = nowNs;
    this.abandon();
    for (let flow = 0; flow < this.table.slots; flow++) if (this.table.status[flow] & IPS_CONFIRMED) this.destroy(flow);
    this.flow = -1;
    this.ctinfo = IP_CT_INVALID;
  }

  /** Removes one flow (`conntrack -D`). */
  destroy(flow: number): void {
    if (!(this.table.status[flow] & IPS_CONFIRMED)) return;
    this.listener?.("destroy", flow, this.clock[0]);
    this.table.remove(flow);
  }

  private abandon(): void {
    if (this.pending < 0) return;
    this.table.remove(this.pending);
    this.pending = -1;
  }

  /** Removes a flow that has expired: 1, else 0. */
  private expire(flow: number): number {
    if (!(this.table.status[flow] & IPS_CONFIRMED) || this.table.expires[flow] > this.clock[0]) return 0;
    this.destroy(flow);
    return 1;
  }

  private lookup(): number {
    return this.lookupWords(this.src, this.dst, this.ports, this.proto);
  }

  private lookupWords(src: number, dst: number, ports: number, proto: number): number {
    for (;;) {
      const t = this.table.find(src, dst, ports, proto);
      if (t < 0 || this.expire(t >> 1) === 0) return t;
    }
  }

  /** Reads the packet's tuple into `src`... False when its L4 header is too short or it is an ICMP without a tuple. */
  private readTuple(pkt: Uint8Array, ipOff: number, l4: number, end: number): boolean {
    this.src = rdI32(pkt, ipOff + IPV4_SADDR);
    this.dst = rdI32(pkt, ipOff + IPV4_DADDR);
    this.proto = pkt[ipOff + IPV4_PROTO];
    this.ports = 0;
    if (this.proto === IPPROTO_TCP || this.proto === IPPROTO_UDP) {
      if (end - l4 < 8) return false;
      this.ports = rdI32(pkt, l4);
    } else if (this.proto === IPPROTO_ICMP) {
      // Echo and its reply (types 8 and 0) are the only queries that have a NAT mapping here.
      if (end - l4 < 8 || (pkt[l4] & ~8) !== 0) return false;
      this.ports = (pkt[l4 + 4] << 24) | (pkt[l4 + 5] << 16) | (pkt[l4] << 8) | pkt[l4 + 1];
    }
    return true;
  }

  private create(pkt: Uint8Array, l4: number): boolean {
    const table = this.table;
    const { src, dst, ports, proto } = this;
    let state = TCP_CONNTRACK_NONE;
    let timeout = CT_GENERIC;
    if (proto === IPPROTO_TCP) {
      state = tcpNextState(IP_CT_DIR_ORIGINAL, pkt[l4 + TCP_FLAGS], TCP_CONNTRACK_NONE);
      if (state >= TCP_CONNTRACK_INVALID) return true;
      timeout = this.unrepliedTimeout(state);
    } else if (proto === IPPROTO_UDP) timeout = CT_UDP;
    else if (proto === IPPROTO_ICMP) {
      if (((ports >> 8) & 0xff) === 0) return true; // an echo reply that nobody asked for
      timeout = CT_ICMP;
    }
    this.gcStep();
    if (table.size >= this.max) {
      this.gc(this.clock[0]);
      if (table.size >= this.max) return false;
    }
    const flow = table.allocate();
    table.state[flow] = state;
    table.created[flow] = this.clock[0];
    table.expires[flow] = this.clock[0] + this.timeouts[timeout];
    table.setTuple(flow * 2, src, dst, ports, proto);
    table.setTuple(flow * 2 + 1, dst, src, invertPorts(ports, proto), proto);
    this.pending = this.flow = flow;
    this.dir = IP_CT_DIR_ORIGINAL;
    this.ctinfo = IP_CT_NEW;
    return true;
  }

  /** Looks at a few flows in turn, so that expired ones go even when nothing asks for them (gc_worker). */
  private gcStep(): void {
    const slots = this.table.slots;
    for (let i = Math.min(GC_STEP, slots); i > 0; i--) {
      if (this.gcCursor >= slots) this.gcCursor = 0;
      this.expire(this.gcCursor++);
    }
  }

  /** Restarts the timeout of a flow that is not TCP's. */
  private refresh(proto: number): void {
    const { table, flow } = this;
    let timeout = proto === IPPROTO_ICMP ? CT_ICMP : CT_GENERIC;
    if (proto === IPPROTO_UDP) {
      timeout = CT_UDP;
      // The first reply itself still counts as one-way traffic, as in nf_conntrack_udp_packet.
      if (table.status[flow] & IPS_SEEN_REPLY && this.clock[0] - table.created[flow] >= UDP_STREAM_AGE_NS) {
        timeout = CT_UDP_STREAM;
        this.assure();
      }
    }
    table.expires[flow] = this.clock[0] + this.timeouts[timeout];
  }

  private tcpPacket(pkt: Uint8Array, l4: number): boolean {
    const { table, flow, dir } = this;
    const flags = pkt[l4 + TCP_FLAGS];
    const old = table.state[flow];
    const next = tcpNextState(dir, flags, old);
    if (next === TCP_CONNTRACK_IGNORE) {
      if (dir === IP_CT_DIR_REPLY) this.seenReply();
      return true;
    }
    if (next === TCP_CONNTRACK_INVALID) {
      this.flow = -1;
      this.ctinfo = IP_CT_INVALID;
      return true;
    }
    if (tcpReopens(old, next)) {
      this.destroy(flow);
      return this.create(pkt, l4);
    }
    table.state[flow] = next;
    let timeout = next;
    if (!(table.status[flow] & IPS_SEEN_REPLY)) {
      if (flags & TCP_RST) {
        // Refused at once: no need to remember it. The packet keeps its translation, the slot stays readable.
        this.destroy(flow);
        return true;
      }
      timeout = this.unrepliedTimeout(next);
    } else if (
      next === TCP_CONNTRACK_ESTABLISHED &&
      (old === TCP_CONNTRACK_SYN_RECV || old === TCP_CONNTRACK_ESTABLISHED)
    )
      this.assure();
    table.expires[flow] = this.clock[0] + this.timeouts[timeout];
    if (dir === IP_CT_DIR_REPLY) this.seenReply();
    return true;
  }

  /** A connection picked up in the middle, of which nobody answered yet, is not kept for days. */
  private unrepliedTimeout(state: number): number {
    const { timeouts } = this;
    const shorter = timeouts[CT_TCP_UNACK] < timeouts[TCP_CONNTRACK_ESTABLISHED];
    return state === TCP_CONNTRACK_ESTABLISHED && shorter ? CT_TCP_UNACK : state;
  }

  private seenReply(): void {
    const { table, flow } = this;
    if (table.status[flow] & IPS_SEEN_REPLY) return;
    table.status[flow] |= IPS_SEEN_REPLY;
    this.listener?.("reply", flow, this.clock[0]);
  }

  private assure(): void {
    const { table, flow } = this;
    if (table.status[flow] & IPS_ASSURED) return;
    table.status[flow] |= IPS_ASSURED;
    this.listener?.("assured", flow, this.clock[0]);
  }

  /**
   * An ICMP error belongs to the flow whose packet it quotes (nf_conntrack_inet_error). The quoted packet went the other way,
   * so its inverted tuple gives the direction of the error. An error sent to anyone but the quoted packet's sender is
   * a forgery.
   */
  private resolveError(pkt: Uint8Array, ipOff: number, l4: number, end: number): void {
    const inner = l4 + 8;
    if (end - inner < IPV4_HLEN || pkt[inner] >>> 4 !== 4) return;
    const innerL4 = inner + (pkt[inner] & 0xf) * 4;
    if (innerL4 < inner + IPV4_HLEN || (((pkt[inner + 6] << 8) | pkt[inner + 7]) & IP_OFFMASK) !== 0) return;
    if (!this.readTuple(pkt, inner, innerL4, end)) return;
    const sender = this.src;
    const ports = invertPorts(this.ports, this.proto);
    const t = this.lookupWords(this.dst, sender, ports, this.proto);
    if (t < 0 || rdI32(pkt, ipOff + IPV4_DADDR) !== sender) return;
    this.flow = t >> 1;
    this.dir = t & 1;
    this.ctinfo = this.dir === IP_CT_DIR_REPLY ? IP_CT_RELATED_REPLY : IP_CT_RELATED;
  }
}

/** The `sport << 16 | dport` word of the opposite direction. An ICMP identifier stays; its type turns into the answer's. */
function invertPorts(ports: number, proto: number): number {
  if (proto === IPPROTO_ICMP) return ports ^ 0x0800;
  return (ports << 16) | (ports >>> 16);
}

/** A big-endian 32-bit word as a signed number. */
function rdI32(b: Uint8Array, off: number): number {
  return (b[off] << 24) | (b[off + 1] << 16) | (b[off + 2] << 8) | b[off + 3];
}
