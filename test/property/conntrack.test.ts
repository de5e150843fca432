/**
 * Conntrack and masquerade against a naive model: a list of flows with text keys, searched from end to end. fast-check sends
 * packets from inside and outside, answers, ICMP errors, and lets time pass.
 */
import fc from "fast-check";
import { expect, it } from "vitest";
import { listFlows } from "../../src/dataplane/conntrack-list.ts";
import { portClassMax, portClassMin } from "../../src/dataplane/masquerade.ts";
import { rd16 } from "../../src/wire/bytes.ts";
import { ipDaddr, ipSaddr } from "../../src/wire/ipv4.ts";
import { NatBox, OUTSIDE_ADDR } from "../support/nat-box.ts";
import { echo, endpoints, expectChecksums, icmpError, ip, udp } from "../support/packets.ts";

const SEC = 1_000_000_000;
const INSIDE = [ip("172.2.0.3"), ip("172.2.0.4")];
const OUTSIDE = [ip("172.1.0.3"), ip("172.1.0.9")];
const ROUTER = ip("172.1.0.1");

type Proto = "udp" | "icmp";

/** A flow as the model sees it: `inside` is undefined for one that an unsolicited packet made. */
interface Flow {
  proto: Proto;
  inside?: { addr: number; port: number };
  peer: { addr: number; port: number };
  /** Port or identifier at the NAT box's outside address. */
  natPort: number;
  created: number;
  expires: number;
  answered: boolean;
}

interface Model {
  now: number;
  flows: Flow[];
}

const live = (m: Model): Flow[] => (m.flows = m.flows.filter((f) => f.expires > m.now));

/** What the far end sends to the box; ICMP has one identifier where UDP has two ports. */
const outsideKey = (proto: Proto, peer: { addr: number; port: number }, natPort: number): string =>
  `${proto} ${peer.addr}:${proto === "udp" ? peer.port : ""} ${natPort}`;
const keyOf = (f: Flow): string => outsideKey(f.proto, f.peer, f.natPort);

function touch(m: Model, f: Flow): void {
  const stream = f.proto === "udp" && f.answered && m.now - f.created >= 2 * SEC;
  f.expires = m.now + (stream ? 120 : 30) * SEC;
}

function packet(proto: Proto, saddr: number, sport: number, daddr: number, dport: number, type: number): Uint8Array {
  return proto === "udp" ? udp(saddr, sport, daddr, dport) : echo(saddr, daddr, type, sport);
}

const sourcePort = (proto: Proto, pkt: Uint8Array): number => rd16(pkt, proto === "udp" ? 20 : 24);

abstract class Step implements fc.Command<Model, NatBox> {
  check(): boolean {
    return true;
  }
  run(m: Model, box: NatBox): void {
    this.step(m, box);
    const expected = live(m).map((f) => `${keyOf(f)} ${f.answered} ${Math.floor((f.expires - m.now) / SEC)}`);
    const got = listFlows(box.nf.conntrack, m.now).map((e) => {
      const udpFlow = e.proto === 17;
      const own = e.original.dst === OUTSIDE_ADDR;
      const peer = own ? { addr: e.original.src, port: e.original.sport } : { addr: e.reply.src, port: e.reply.sport };
      const natPort = udpFlow ? (own ? e.original.dport : e.reply.dport) : e.reply.sport;
      return `${outsideKey(udpFlow ? "udp" : "icmp", peer, natPort)} ${e.seenReply} ${e.timeout}`;
    });
    expect(got.sort()).toEqual(expected.sort());
    // A bijection: no two live flows look alike from outside.
    expect(new Set(live(m).map(keyOf)).size).toBe(live(m).length);
  }
  abstract step(m: Model, box: NatBox): void;
}

class Send extends Step {
  readonly proto: Proto;
  readonly from: number;
  readonly to: number;
  readonly port: number;
  readonly peerPort: number;
  constructor(proto: Proto, from: number, to: number, port: number, peerPort: number) {
    super();
    this.proto = proto;
    this.from = from;
    this.to = to;
    this.port = port;
    this.peerPort = proto === "udp" ? peerPort : port;
  }
  override step(m: Model, box: NatBox): void {
    const { proto } = this;
    const inside = { addr: INSIDE[this.from], port: this.port };
    const peer = { addr: OUTSIDE[this.to], port: this.peerPort };
    const pkt = packet(proto, inside.addr, inside.port, peer.addr, peer.port, 8);
    expect(box.receive(pkt, "eth2")).toBe("eth1");
    expectChecksums(pkt);
    expect([ipSaddr(pkt, 0), ipDaddr(pkt, 0)]).toEqual([OUTSIDE_ADDR, peer.addr]);
    const got = sourcePort(proto, pkt);
    const known = live(m).find(
      (f) =>
        f.proto === proto &&
        f.inside?.addr === inside.addr &&
        f.inside.port === inside.port &&
        f.peer.addr === peer.addr &&
        f.peer.port === peer.port,
    );
    if (known) {
      expect(got).toBe(known.natPort);
      touch(m, known);
      return;
    }
    const taken = new Set(live(m).map(keyOf));
    if (!taken.has(outsideKey(proto, peer, inside.port))) expect(got).toBe(inside.port);
    else {
      expect(got).toBeGreaterThanOrEqual(portClassMin(inside.port));
      expect(got).toBeLessThanOrEqual(portClassMax(inside.port));
    }
    expect(taken.has(outsideKey(proto, peer, got))).toBe(false);
    m.flows.push({ proto, inside, peer, natPort: got, created: m.now, expires: m.now + 30 * SEC, answered: false });
  }
  override toString(): string {
    return `send(${this.proto}, ${this.from}:${this.port} > ${this.to}:${this.peerPort})`;
  }
}

/** A packet from outside to the box: an answer where a flow is waiting for it, unsolicited otherwise. */
class FromOutside extends Step {
  readonly proto: Proto;
  readonly from: number;
  readonly peerPort: number;
  readonly port: number;
  constructor(proto: Proto, from: number, peerPort: number, port: number) {
    super();
    this.proto = proto;
    this.from = from;
    this.peerPort = proto === "udp" ? peerPort : port;
    this.port = port;
  }
  override step(m: Model, box: NatBox): void {
    deliver(m, box, this.proto, { addr: OUTSIDE[this.from], port: this.peerPort }, this.port);
  }
  override toString(): string {
    return `fromOutside(${this.proto}, ${this.from}:${this.peerPort} > ${this.port})`;
  }
}

/** An answer to some live flow. */
class Answer extends Step {
  readonly pick: number;
  constructor(pick: number) {
    super();
    this.pick = pick;
  }
  override step(m: Model, box: NatBox): void {
    const flows = live(m);
    if (flows.length === 0) return;
    const f = flows[this.pick % flows.length];
    deliver(m, box, f.proto, f.peer, f.natPort);
  }
  override toString(): string {
    return `answer(${this.pick})`;
  }
}

function deliver(m: Model, box: NatBox, proto: Proto, peer: { addr: number; port: number }, natPort: number): void {
  const pkt = packet(proto, peer.addr, proto === "udp" ? peer.port : natPort, OUTSIDE_ADDR, natPort, 0);
  const before = endpoints(pkt);
  const fate = box.receive(pkt, "eth1");
  expectChecksums(pkt);
  const f = live(m).find((x) => keyOf(x) === outsideKey(proto, peer, natPort));
  if (f?.inside) {
    expect(fate).toBe("eth2");
    expect([ipDaddr(pkt, 0), rd16(pkt, proto === "udp" ? 22 : 24)]).toEqual([f.inside.addr, f.inside.port]);
    touch(m, f);
    f.answered = true;
    return;
  }
  // Nobody inside asked for it: it is the box's, unchanged.
  expect(fate).toBe("local");
  expect(endpoints(pkt)).toBe(before);
  if (f) touch(m, f);
  else if (proto === "udp")
    m.flows.push({ proto, peer, natPort, created: m.now, expires: m.now + 30 * SEC, answered: false });
}

/** A router outside complains about a packet of a flow, or about one that never was. */
class Complain extends Step {
  readonly pick: number;
  readonly bytes: number;
  readonly miss: boolean;
  constructor(pick: number, bytes: number, miss: boolean) {
    super();
    this.pick = pick;
    this.bytes = bytes;
    this.miss = miss;
  }
  override step(m: Model, box: NatBox): void {
    const flows = live(m).filter((f) => f.inside !== undefined);
    if (flows.length === 0) return;
    const f = flows[this.pick % flows.length];
    const natPort = this.miss ? 50_000 : f.natPort;
    const quoted = packet(f.proto, OUTSIDE_ADDR, natPort, f.peer.addr, f.peer.port, 8);
    const error = icmpError(ROUTER, quoted, Math.min(this.bytes, quoted.length));
    const before = error.slice();
    const fate = box.receive(error, "eth1");
    expectChecksums(error);
    if (this.miss) {
      expect(fate).toBe("local");
      expect(error).toEqual(before);
      return;
    }
    expect(fate).toBe("eth2");
    expect(ipDaddr(error, 0)).toBe(f.inside!.addr);
    expect([ipSaddr(error, 28), rd16(error, f.proto === "udp" ? 48 : 52)]).toEqual([f.inside!.addr, f.inside!.port]);
  }
  override toString(): string {
    return `complain(${this.pick}, ${this.bytes}, ${this.miss})`;
  }
}

class Tick extends Step {
  readonly ns: number;
  readonly gc: boolean;
  constructor(ns: number, gc: boolean) {
    super();
    this.ns = ns;
    this.gc = gc;
  }
  override step(m: Model, box: NatBox): void {
    m.now = box.clock.now += this.ns;
    if (this.gc) {
      box.nf.conntrack.gc(m.now);
      expect(box.nf.conntrack.table.size).toBe(live(m).length);
    }
  }
  override toString(): string {
    return `tick(${this.ns}, ${this.gc})`;
  }
}

const proto = fc.constantFrom<Proto>("udp", "icmp");
const which = fc.nat(1);
// Few ports, so that flows clash; one in each class.
const port = fc.constantFrom(7, 512, 700, 1023, 6000, 6001);
const peerPort = fc.constantFrom(53, 5000);
const ns = fc.oneof(
  fc.constantFrom(1, SEC, 2 * SEC - 1, 2 * SEC, 29 * SEC, 30 * SEC - 1, 30 * SEC, 120 * SEC),
  fc.nat(40 * SEC),
);

it("agrees with a list of flows, whatever happens", () => {
  const commands = [
    fc.tuple(proto, which, which, port, peerPort).map((a) => new Send(...a)),
    fc.tuple(proto, which, peerPort, fc.oneof(port, fc.constantFrom(1, 600, 1024))).map((a) => new FromOutside(...a)),
    fc.nat(20).map((n) => new Answer(n)),
    fc.tuple(fc.nat(20), fc.constantFrom(28, 30, 60), fc.boolean()).map((a) => new Complain(...a)),
    fc.tuple(ns, fc.boolean()).map((a) => new Tick(...a)),
  ];
  fc.assert(
    fc.property(fc.commands(commands, { size: "large", maxCommands: 60 }), fc.nat(0xffff), (cmds, start) => {
      fc.modelRun(
        () => ({ model: { now: 0, flows: [] } as Model, real: new NatBox(undefined, (n) => start % n) }),
        cmds,
      );
    }),
    { numRuns: 150 },
  );
});

it("never throws on random bytes behind a valid IPv4 header, nor lets them in", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(1, 6, 17, 4, 47),
      fc.uint8Array({ maxLength: 80 }),
      fc.constantFrom<"eth1" | "eth2">("eth1", "eth2"),
      (protoNumber, body, dev) => {
        const box = new NatBox();
        const pkt = udp(OUTSIDE[0], 1, dev === "eth1" ? INSIDE[0] : OUTSIDE[1], 2, body.length);
        const frame = pkt.slice(0, 20 + body.length);
        frame[2] = frame.length >> 8;
        frame[3] = frame.length;
        frame[9] = protoNumber;
        frame.set(body, 20);
        const fate = box.receive(frame, dev);
        if (dev === "eth1") expect(fate).toBe("drop");
      },
    ),
  );
});
