/** The replay of one network of boxes: gives twins what their boxes were given, and puts what both sent side by side. */
import type { LabError } from "../errors.ts";
import type { PacketRecord } from "../scenario/lab.ts";
import { ARPOP_REQUEST, arpCheck, arpOper, arpSha, arpSpa, arpTpa } from "../wire/arp.ts";
import { ETH_HLEN, ETH_P_ARP, ethSrc, ethType } from "../wire/ethernet.ts";
import { ICMP_HLEN } from "../wire/icmp.ts";
import { ipDaddr, ipHlen, ipSaddr } from "../wire/ipv4.ts";
import { cannotSend, localPacket, refusedPacket } from "./local.ts";
import { diffPacket, fieldDifferences } from "./pair.ts";
import type { PortAhead } from "./port-ahead.ts";
import { IcmpBucket } from "./rate-limit.ts";
import type { BoxRule, RuleCounter } from "./rules.ts";
import { equalButId, equalBytes, flowOf, icmpErrorOf, isIgmp, isIpv4 } from "./same.ts";
import type { Twin, TwinFrame, TwinNetwork } from "./twin.ts";
import type { Difference } from "./types.ts";
import type { CommandMark } from "./watch.ts";

/** What a capture of several NICs may lack at its end. */
const EDGE_NS = 5_000_000;
/** A box sends what it forwards and answers within this time, however busy the machine is. */
const LATE_NS = 1_000_000_000;
/** 224.0.0.22 (RFC 3376 section 4.2.14). */
const IGMP_ROUTERS = 0xe0000016;
const PORT_UNREACHABLE = 0x0303;
const FRAG_NEEDED = 0x0304;

/** A frame of the real run that its twin has not made (yet). */
interface Waiting {
  packet: PacketRecord;
  why: string;
}

export class BoxMatcher {
  readonly net: TwinNetwork;
  readonly differences: Difference[] = [];
  framesIn = 0;
  framesOut = 0;
  /** Frames that a twin made and its box sent. */
  predicted = 0;
  /** Frames that processes of boxes sent. */
  local = 0;

  private readonly rules: RuleCounter<BoxRule>;
  private readonly marks: readonly CommandMark[];
  private readonly ahead: PortAhead;
  /** By `host/nic`: what twins made and boxes did not send yet, and the reverse. */
  private readonly made = new Map<string, TwinFrame[]>();
  private readonly waiting = new Map<string, Waiting[]>();
  /** By `host/nic`: the same for frames that a hook sends back to its own NIC. */
  private readonly inward = new Map<string, TwinFrame[]>();
  /** ICMP errors that twins made, and whether their boxes sent them. */
  private readonly errors: { m: TwinFrame; sent: boolean }[] = [];

  constructor(net: TwinNetwork, rules: RuleCounter<BoxRule>, marks: readonly CommandMark[], ahead: PortAhead) {
    this.net = net;
    this.rules = rules;
    this.marks = marks;
    this.ahead = ahead;
  }

  pass(untilNs: number): void {
    this.net.pass(untilNs);
    this.collect();
  }

  /** The next packet of the real run, `index` being its place among all. */
  step(index: number, packet: PacketRecord): void {
    this.pass(packet.timeNs);
    this.ahead.look(index);
    if (!this.net.has(packet.host)) {
      this.differ(packet, undefined, "a frame of a host that is not in the topology");
    } else if (packet.direction === "in") {
      this.framesIn++;
      this.comesIn(packet);
    } else {
      this.framesOut++;
      this.goesOut(packet);
    }
  }

  /** The twin's host refused what the real one took. */
  refused(mark: CommandMark, err: LabError): void {
    this.differences.push({
      where: mark.command.host ?? "",
      what: `the real host took a command that its twin refuses: ${mark.command.text}`,
      timeNs: mark.endNs,
      fields: [],
      rows: [],
      notes: [`${err.code}: ${err.message}`],
    });
  }

  /** Everything has been given: what is still alone on its side is a difference. */
  finish(endNs: number): void {
    this.pass(endNs);
    for (const [label, waiting] of this.waiting)
      for (const { packet, why } of waiting) {
        const queue = this.made.get(label) ?? [];
        const held = queue.findIndex((m) => isIpv4(packet.frame) && equalBytes(m.frame, packet.frame));
        if (held >= 0) {
          this.matched(queue.splice(held, 1)[0]);
          this.rules.use("held-up");
          continue;
        }
        const like = queue.findIndex((m) => flowOf(m.frame) === flowOf(packet.frame));
        const near = like < 0 ? queue.findIndex((m) => sameKind(m.frame, packet.frame)) : like;
        this.differ(packet, near < 0 ? undefined : queue.splice(near, 1)[0], why);
      }
    const alone = [...this.made.values(), ...this.inward.values()].flat();
    const omitted = this.rateLimited(alone);
    this.rules.use("icmp-rate-limit", omitted.size);
    for (const m of alone) if (!omitted.has(m)) this.missing(m, endNs);
    this.differences.sort((a, b) => (a.timeNs ?? 0) - (b.timeNs ?? 0));
  }

  private comesIn(packet: PacketRecord): void {
    const { host, nic, frame } = packet;
    const label = `${host}/${nic}`;
    if (this.takeInward(label, frame)) return;
    const twin = this.net.twin(host);
    const refused = twin.host.nic(nic)?.dataPath === undefined ? undefined : refusedPacket(twin, frame);
    if (refused !== undefined) {
      this.net.originate(host, refused);
      this.collect();
      if (this.takeInward(label, frame)) {
        this.rules.use("egress-refusal");
        return;
      }
    }
    this.net.deliver(host, nic, frame);
    this.collect();
  }

  /** A hook's redirect to the NIC's own ingress: no frame from outside, the twin has seen it. */
  private takeInward(label: string, frame: Uint8Array): boolean {
    const queue = this.inward.get(label) ?? [];
    const at = queue.findIndex((m) => equalBytes(m.frame, frame));
    if (at < 0) return false;
    queue.splice(at, 1);
    this.predicted++;
    return true;
  }

  private goesOut(packet: PacketRecord): void {
    const { host, nic, frame } = packet;
    const label = `${host}/${nic}`;
    if (this.takeMade(label, packet)) return;
    const twin = this.net.twin(host);
    if (ethType(frame, 0) === ETH_P_ARP && this.isRequest(twin, nic, frame)) {
      this.rules.use("arp-request");
      return;
    }
    if (isMembershipReport(twin, nic, frame)) {
      this.rules.use("igmp-report");
      return;
    }
    if (this.sentRaw(packet)) {
      this.rules.use("raw-frame");
      this.local++;
      return;
    }
    const datagram = refusedDatagram(twin, frame);
    if (datagram !== undefined) {
      this.net.refuse(host, datagram);
      this.collect();
      if (this.takeMade(label, packet)) {
        this.rules.use("udp-no-socket");
        return;
      }
    }
    const own = localPacket(twin, frame);
    const begun = this.marks.filter((m) => m.startNs <= packet.timeNs);
    const why = own === undefined ? "the box's twin did not send this" : cannotSend(twin, own, begun);
    if (own === undefined || why !== undefined) {
      this.wait(packet, why ?? "");
      return;
    }
    this.net.originate(host, own);
    this.collect();
    this.local++;
    this.rules.use("local-packet");
    if (!this.takeMade(label, packet)) this.wait(packet, "what the box's own process sent left its twin otherwise");
  }

  private wait(packet: PacketRecord, why: string): void {
    const label = `${packet.host}/${packet.nic}`;
    this.waiting.set(label, [...(this.waiting.get(label) ?? []), { packet, why }]);
  }

  /** Sorts what twins made since the last look; what a box has sent before its twin did is put to it. */
  private collect(): void {
    for (const m of this.net.take()) {
      if (this.net.down.has(m.label)) {
        this.rules.use("link-down");
        continue;
      }
      if (ethType(m.frame, 0) === ETH_P_ARP && arpOper(m.frame, ETH_HLEN) === ARPOP_REQUEST) continue;
      const early = m.inward ? [] : (this.waiting.get(m.label) ?? []);
      const at = early.findIndex((w) => this.isSame(w.packet.frame, m));
      if (at >= 0) {
        early.splice(at, 1);
        this.matched(m);
        continue;
      }
      const queues = m.inward ? this.inward : this.made;
      const queue = queues.get(m.label);
      if (queue === undefined) queues.set(m.label, [m]);
      else queue.push(m);
    }
  }

  /** Takes the first frame that the twin made and that is this one. */
  private takeMade(label: string, { frame, timeNs }: PacketRecord): boolean {
    const queue = this.made.get(label) ?? [];
    const at = queue.findIndex((m) => timeNs - m.timeNs <= LATE_NS && this.isSame(frame, m));
    if (at < 0) return false;
    if (queue.slice(0, at).some((m) => timeNs - m.timeNs <= LATE_NS)) this.rules.use("processor-order");
    const [m] = queue.splice(at, 1);
    this.matched(m);
    return true;
  }

  private matched(m: TwinFrame): void {
    this.predicted++;
    if (isLimited(m)) this.errors.push({ m, sent: true });
  }

  private isSame(real: Uint8Array, m: TwinFrame): boolean {
    if (equalBytes(real, m.frame)) return true;
    if (!m.own || !equalButId(real, m.frame)) return false;
    this.rules.use("ip-id");
    return true;
  }

  /** Those of the missing frames that the kernel's limit of ICMP errors left out. */
  private rateLimited(alone: readonly TwinFrame[]): Set<TwinFrame> {
    const errors = [...this.errors, ...alone.filter(isLimited).map((m) => ({ m, sent: false }))];
    errors.sort((a, b) => a.m.timeNs - b.m.timeNs);
    const buckets = new Map<string, IcmpBucket>();
    const omitted = new Set<TwinFrame>();
    for (const { m, sent } of errors) {
      const key = `${m.label.split("/")[0]} ${ipDaddr(m.frame, ETH_HLEN)}`;
      let bucket = buckets.get(key);
      if (bucket === undefined) buckets.set(key, (bucket = new IcmpBucket()));
      if (bucket.due(m.timeNs, sent) && !sent) omitted.add(m);
    }
    return omitted;
  }

  private missing(m: TwinFrame, endNs: number): void {
    if (m.timeNs > endNs - EDGE_NS) {
      this.rules.use("capture-edge");
      return;
    }
    this.differences.push({
      where: m.label,
      what: m.inward
        ? "the twin's egress hook sent this back to its own ingress, the box's did not"
        : "the twin sent this, the box did not",
      timeNs: m.timeNs,
      reference: diffPacket(m.timeNs, m.frame),
      fields: [],
      rows: [],
      notes: [],
    });
  }

  private differ(packet: PacketRecord, made: TwinFrame | undefined, why: string): void {
    this.differences.push({
      where: `${packet.host}/${packet.nic}`,
      what: made === undefined ? "the box sent this, its twin did not" : "box and twin sent different frames",
      timeNs: packet.timeNs,
      real: diffPacket(packet.timeNs, packet.frame),
      reference: made && diffPacket(made.timeNs, made.frame),
      fields: made === undefined ? [] : fieldDifferences(packet.frame, made.frame),
      rows: [],
      notes: why === "" ? [] : [why],
    });
  }

  /** A request for a neighbour as the host may make it: with its own addresses, for another address of that network. */
  private isRequest(twin: Twin, nicName: string, frame: Uint8Array): boolean {
    const nic = twin.host.nic(nicName);
    if (nic === undefined || !arpCheck(frame, ETH_HLEN, frame.length)) return false;
    const target = arpTpa(frame, ETH_HLEN);
    const mask = nic.prefix === 0 ? 0 : (0xffffffff << (32 - nic.prefix)) >>> 0;
    return (
      arpOper(frame, ETH_HLEN) === ARPOP_REQUEST &&
      arpSha(frame, ETH_HLEN) === nic.mac &&
      ethSrc(frame, 0) === nic.mac &&
      arpSpa(frame, ETH_HLEN) === nic.addr &&
      (target & mask) >>> 0 === (nic.addr & mask) >>> 0 &&
      target !== nic.addr
    );
  }

  /** The command `send` puts a frame on the wire past everything. */
  private sentRaw({ host, nic, frame, timeNs }: PacketRecord): boolean {
    return this.marks.some(
      ({ command, startNs }) =>
        command.spec.name === "send" &&
        command.host === host &&
        command.args.nic === nic &&
        startNs <= timeNs &&
        equalBytes(command.args.frame as Uint8Array, frame),
    );
  }
}

/** An ICMP error of the box itself; PMTU errors are sent at any rate. */
function isLimited(m: TwinFrame): boolean {
  const error = m.own && !m.inward ? icmpErrorOf(m.frame) : -1;
  return error >= 0 && error !== FRAG_NEEDED;
}

/** An IGMP report as the kernel makes it: by an address of the NIC, to the group of all IGMPv3 routers. */
function isMembershipReport(twin: Twin, nicName: string, frame: Uint8Array): boolean {
  const nic = twin.host.nic(nicName);
  if (nic === undefined || !isIgmp(frame) || ethSrc(frame, 0) !== nic.mac) return false;
  return ipSaddr(frame, ETH_HLEN) === nic.addr && ipDaddr(frame, ETH_HLEN) === IGMP_ROUTERS;
}

/** Both are IPv4, or both the same other thing, of the same length. */
const sameKind = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && ethType(a, 0) === ethType(b, 0) && (!isIpv4(a) || a[ETH_HLEN + 9] === b[ETH_HLEN + 9]);

/** The delivered datagram that a port unreachable quotes. */
function refusedDatagram(twin: Twin, frame: Uint8Array): Uint8Array | undefined {
  if (icmpErrorOf(frame) !== PORT_UNREACHABLE) return undefined;
  const quote = frame.subarray(ETH_HLEN + ipHlen(frame, ETH_HLEN) + ICMP_HLEN);
  return twin.datagrams.find((d) => {
    const packet = d.subarray(ETH_HLEN);
    return packet.length >= quote.length && equalBytes(packet.subarray(0, quote.length), quote);
  });
}
