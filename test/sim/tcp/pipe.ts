/** Two hosts joined by a pipe with faults: the least of an IP layer that TCP can be tested on. */
import type { Skb } from "../../../src/dataplane/skb.ts";
import { Simulation } from "../../../src/sim/clock.ts";
import { SkbPool } from "../../../src/sim/pool.ts";
import { Xoshiro128 } from "../../../src/sim/rng.ts";
import { TcpStack } from "../../../src/sim/tcp/stack.ts";
import type { TcpConfig } from "../../../src/sim/tcp/tcb.ts";
import {
  type EventHandler,
  type IpLayer,
  L4_OFFSET,
  MS,
  type ProtocolHandler,
  type Rng,
} from "../../../src/sim/types.ts";
import { csumPseudo, inetChecksum } from "../../../src/wire/checksum.ts";
import { writeIpv4 } from "../../../src/wire/ipv4.ts";
import { TCP_FLAGS, TCP_HLEN, tcpAckno, tcpHlen, tcpSeq, tcpWindow } from "../../../src/wire/tcp.ts";

export const ADDR_A = 0x0a000001;
export const ADDR_B = 0x0a000002;

export interface Faults {
  loss: number;
  duplicate: number;
  reorder: number;
  corrupt: number;
}
const NO_FAULTS: Faults = { loss: 0, duplicate: 0, reorder: 0, corrupt: 0 };

/** A segment as it was sent, for assertions. */
export interface Sent {
  from: "a" | "b";
  timeNs: number;
  flags: number;
  seq: number;
  ack: number;
  window: number;
  len: number;
  /** Length of the IP packet. */
  total: number;
}

class FakeIp implements IpLayer, EventHandler {
  readonly clock: Simulation;
  readonly rng: Rng;
  mtu = 1500;
  addr: number;
  peer!: FakeIp;
  name: "a" | "b";
  readonly pipe: Pipe;
  private tcp!: ProtocolHandler;
  private readonly inFlight = new Map<number, Skb>();
  private next = 0;

  constructor(pipe: Pipe, name: "a" | "b", addr: number) {
    this.pipe = pipe;
    this.clock = pipe.clock;
    this.rng = pipe.rng.fork(name);
    this.name = name;
    this.addr = addr;
  }

  sourceFor(daddr: number): number {
    return daddr === this.peer.addr ? this.addr : 0;
  }
  isLocal(addr: number): boolean {
    return addr === this.addr;
  }
  pathMtu(): number {
    return this.mtu;
  }
  allocate(l4Len: number): Skb {
    return this.pipe.pool.get(L4_OFFSET + l4Len);
  }
  register(_proto: number, handler: ProtocolHandler): void {
    this.tcp = handler;
  }

  output(skb: Skb, saddr: number, daddr: number, proto: number, df: boolean): boolean {
    const { pipe } = this;
    const total = skb.end - skb.head - 14;
    if (!df) throw new Error("TCP has to set DF");
    if (total > this.mtu) {
      pipe.pool.put(skb);
      return false;
    }
    writeIpv4(skb.buf, skb.head + 14, total, 0, 0x4000, 64, proto, saddr, daddr);
    const sent = pipe.record ? this.describe(skb, total) : undefined;
    if (sent) pipe.sent.push(sent);
    if (total > pipe.hiddenMtu) {
      pipe.clock.schedule(pipe.delayNs, { fire: () => this.fragNeeded(skb) }, 0);
      return true;
    }
    const f = pipe.faults;
    const r = pipe.rng;
    if ((sent && pipe.drop?.(sent)) || (f.loss > 0 && r.float() < f.loss)) {
      pipe.pool.put(skb);
      return true;
    }
    if (f.duplicate > 0 && r.float() < f.duplicate) this.send(pipe.pool.clone(skb));
    if (f.corrupt > 0 && r.float() < f.corrupt) {
      const l4 = skb.end - skb.head - L4_OFFSET;
      skb.buf[skb.head + L4_OFFSET + r.below(l4)] ^= 1 + r.below(255);
    }
    this.send(skb);
    return true;
  }

  private send(skb: Skb): void {
    const { pipe } = this;
    const late = pipe.faults.reorder > 0 && pipe.rng.float() < pipe.faults.reorder;
    const id = this.next++;
    this.inFlight.set(id, skb);
    pipe.clock.schedule(pipe.delayNs + (late ? pipe.rng.below(3 * MS) : 0), this, id);
  }

  /** A packet of this host reaches the other. */
  fire(id: number): void {
    const skb = this.inFlight.get(id)!;
    this.inFlight.delete(id);
    this.peer.deliver(skb);
    this.pipe.pool.put(skb);
  }

  private deliver(skb: Skb): void {
    this.tcp.input(skb, skb.head + 14, skb.head + L4_OFFSET, skb.end);
  }

  /** Gives a packet to this host as if it had come in. */
  inject(skb: Skb): void {
    this.deliver(skb);
    this.pipe.pool.put(skb);
  }

  private fragNeeded(skb: Skb): void {
    this.mtu = Math.min(this.mtu, this.pipe.hiddenMtu);
    this.icmp(3, 4, this.mtu, skb);
    this.pipe.pool.put(skb);
  }

  icmp(type: number, code: number, mtu: number, skb: Skb): void {
    this.tcp.icmpError(type, code, mtu, skb.buf, skb.head + 14, skb.head + L4_OFFSET, skb.head + L4_OFFSET + 8);
  }

  private describe(skb: Skb, total: number): Sent {
    const off = skb.head + L4_OFFSET;
    return {
      from: this.name,
      timeNs: this.clock.now,
      flags: skb.buf[off + TCP_FLAGS],
      seq: tcpSeq(skb.buf, off),
      ack: tcpAckno(skb.buf, off),
      window: tcpWindow(skb.buf, off),
      len: skb.end - off - tcpHlen(skb.buf, off),
      total,
    };
  }
}

export class Pipe {
  readonly clock = new Simulation();
  readonly pool = new SkbPool();
  readonly rng: Rng;
  readonly ipA: FakeIp;
  readonly ipB: FakeIp;
  readonly a: TcpStack;
  readonly b: TcpStack;
  faults: Faults = NO_FAULTS;
  delayNs = 50_000;
  /** A smaller MTU on the way, which only ICMP tells. */
  hiddenMtu = 65_535;
  /** Segments sent, while `record` is set. */
  record = true;
  sent: Sent[] = [];
  /** Loses the segments it returns true for. */
  drop: ((s: Sent) => boolean) | undefined;

  constructor(seed = 1, config: Partial<TcpConfig> = {}, configB: Partial<TcpConfig> = config) {
    this.rng = new Xoshiro128(seed);
    this.ipA = new FakeIp(this, "a", ADDR_A);
    this.ipB = new FakeIp(this, "b", ADDR_B);
    this.ipA.peer = this.ipB;
    this.ipB.peer = this.ipA;
    this.a = new TcpStack(this.ipA, config);
    this.b = new TcpStack(this.ipB, configB);
  }

  /** A segment without data as `to`'s peer would send it, its checksum right. */
  forged(to: "a" | "b", sport: number, dport: number, seq: number, ack: number, flags: number): Skb {
    const skb = this.pool.get(L4_OFFSET + TCP_HLEN);
    const off = skb.head + L4_OFFSET;
    const [saddr, daddr] = to === "b" ? [ADDR_A, ADDR_B] : [ADDR_B, ADDR_A];
    writeIpv4(skb.buf, skb.head + 14, 40, 0, 0x4000, 64, 6, saddr, daddr);
    const view = skb.view;
    view.setUint16(off, sport);
    view.setUint16(off + 2, dport);
    view.setUint32(off + 4, seq);
    view.setUint32(off + 8, ack);
    view.setUint16(off + 12, 0x5000 | flags);
    view.setUint16(off + 14, 1000);
    view.setUint32(off + 16, 0);
    view.setUint16(off + 16, inetChecksum(skb.buf, off, TCP_HLEN, csumPseudo(saddr, daddr, 6, TCP_HLEN)));
    return skb;
  }

  /** Lets `ns` pass. */
  run(ns: number): void {
    this.clock.run(this.clock.now + ns);
  }
}
