/**
 * The network behind the TAP interfaces of a lab: what a host's kernel sends comes out of its interface's descriptor, passes
 * the NIC's egress hook and the network's bridge, and what arrives passes the receiver's ingress hook and is written to its
 * descriptor. NICs and bridges are the simulator's own (src/sim/nic.ts, bridge.ts): one order of hooks, checks and redirects
 * for both. Between a NIC and its bridge stands no link, and a frame is at its other end when it was read; where faults, a
 * rate or a delay are asked for, the simulator's link stands there, on real time.
 */
import { closeSync } from "node:fs";
import { Skb } from "../../dataplane/skb.ts";
import { libc } from "../../ebpf/libc.ts";
import { DEFAULT_LINK, type LinkProps } from "../../scenario/topology.ts";
import { sameLink } from "../../scenario/topology-format.ts";
import { Bridge, type BridgePort } from "../../sim/bridge.ts";
import { Simulation } from "../../sim/clock.ts";
import type { DropSite, FrameEnv } from "../../sim/env.ts";
import { type FrameOut, Link, type LinkEnv } from "../../sim/link.ts";
import { Nic, type NicOwner } from "../../sim/nic.ts";
import { SkbPool } from "../../sim/pool.ts";
import { Xoshiro128 } from "../../sim/rng.ts";
import type { Mac } from "../../wire/ethernet.ts";
import type { Recorder } from "../sim/recorder.ts";
import { EAGAIN, ifindexOf, type Namespace, SysError } from "./sys.ts";
import { errnoOf, leaveTap, openTap, setCarrier, type TapCalls, tapCalls } from "./tap-calls.ts";
import { TapLoop, type TapReader } from "./tap-loop.ts";

const NS_PER_MS = 1_000_000;
/** A frame of an MTU of 9,000 bytes with its MAC header and a VLAN tag. */
const FRAME_MAX = 9018;

/** A packet whose bytes the kernel reads and writes in place. */
class TapSkb extends Skb {
  private shown: Uint8Array | undefined;
  private at = 0;

  /** Address of `buf`; found again only when `buf` was replaced. */
  get addr(): number {
    if (this.shown !== this.buf) {
      this.shown = this.buf;
      this.at = libc().addressOf(this.buf);
    }
    return this.at;
  }
}

/** The time of the lab, read once per batch, or per packet while they are recorded. */
export class TapClock {
  now = 0;
  private readonly startMs: number;

  /** `startMs`: performance.now() at which the lab's time began. */
  constructor(startMs: number) {
    this.startMs = startMs;
  }

  tick(): void {
    this.now = Math.round((performance.now() - this.startMs) * NS_PER_MS);
  }
}

/** Who knows what the host's kernel has, such as its neighbours. */
export interface TapOwner {
  /** A batch of the host's packets is about to be read: what is known may have changed. */
  sync(): void;
  /** The host's kernel was given a packet: it may know more now. */
  touched(): void;
}

/** A host's end: its NICs by number, and what goes to its kernel. */
class TapHost implements NicOwner, DropSite {
  readonly name: string;
  readonly label: string;
  readonly nics: TapNic[] = [];
  owner: TapOwner | undefined;
  private readonly net: TapNet;

  constructor(net: TapNet, name: string) {
    this.net = net;
    this.name = name;
    this.label = name;
  }

  receive(nic: Nic, skb: Skb): void {
    this.tapOf(nic).write(skb as TapSkb);
  }

  enqueueIngress(nic: Nic, skb: Skb): void {
    this.net.queue(nic, skb);
  }

  nicByIndex(ifindex: number): Nic | undefined {
    return this.nics.find((t) => t.nic.ifindex === ifindex)?.nic;
  }

  private tapOf(nic: Nic): TapNic {
    for (const tap of this.nics) if (tap.nic === nic) return tap;
    throw new RangeError(`${nic.label} is of another host`);
  }
}

/** One interface: the descriptor on the kernel's side, a NIC on ours. */
export class TapNic implements TapReader {
  readonly fd: number;
  readonly nic: Nic;
  private readonly net: TapNet;
  private readonly host: TapHost;
  private readonly calls: TapCalls = tapCalls();

  constructor(net: TapNet, host: TapHost, fd: number, nic: Nic) {
    this.net = net;
    this.host = host;
    this.fd = fd;
    this.nic = nic;
  }

  drain(max: number): number {
    const { net, nic, calls } = this;
    net.clock.tick();
    this.host.owner?.sync();
    for (let i = 0; i < max; i++) {
      const skb = net.pool.get(FRAME_MAX) as TapSkb;
      const n = calls.read(this.fd, skb.addr + skb.head, FRAME_MAX);
      if (n < 0) {
        const errno = calls.errno();
        net.pool.put(skb);
        if (errno !== EAGAIN) throw new SysError(`read ${nic.label}`, errno);
        return i;
      }
      skb.end = skb.head + n;
      if (net.recorder.recording) net.clock.tick();
      nic.transmit(skb);
      net.runQueue();
    }
    return max;
  }

  /** Hands a frame to the host's kernel; takes it over. */
  write(skb: TapSkb): void {
    this.host.owner?.touched();
    const len = skb.end - skb.head;
    if (this.calls.write(this.fd, skb.addr + skb.head, len) === len) this.net.pool.put(skb);
    // EIO, where the interface is down; the kernel takes no frame that is shorter than a MAC header.
    else this.net.drop("nic", `the host does not take it: ${errnoOf(this.calls)}`, this.nic, skb);
  }
}

/** The cable between a NIC and its bridge. */
export class TapWire implements DropSite {
  readonly label: string;
  private readonly net: TapNet;
  private readonly tap: TapNic;
  private readonly port: BridgePort;
  private up = true;
  /** Where the cable has properties of its own. */
  private link: Link | undefined;

  constructor(net: TapNet, tap: TapNic, port: BridgePort) {
    this.net = net;
    this.tap = tap;
    this.port = port;
    this.label = tap.nic.label;
    this.plug();
  }

  /** Pulls the cable, or plugs it in: the host sees its carrier go, and keeps its routes. */
  setUp(up: boolean): void {
    this.up = up;
    this.link?.setUp(up);
    setCarrier(this.tap.fd, up);
  }

  setProps(change: Partial<LinkProps>): void {
    if (this.link === undefined) {
      if (sameLink({ ...DEFAULT_LINK, ...change }, DEFAULT_LINK)) return;
      this.link = new Link(this.net.linkEnv, this.label, this.tap.nic, this.port);
      this.link.setUp(this.up);
    }
    this.link.setProps(change);
    // Frames under way arrive in any case.
    if (sameLink(this.link.ab.props, DEFAULT_LINK)) {
      this.link = undefined;
      this.plug();
    }
  }

  private plug(): void {
    const { tap, port } = this;
    tap.nic.out = this.end((skb) => port.deliver(skb));
    port.out = this.end((skb) => tap.nic.deliver(skb));
  }

  private end(send: (skb: Skb) => void): FrameOut {
    return {
      send: (skb) => {
        if (this.up) send(skb);
        else this.net.drop("link", "the link is down", this, skb);
      },
    };
  }
}

/** Links on real time: their events fire when the loop comes by. */
class TapLinks implements LinkEnv {
  readonly clock = new Simulation();
  readonly rng = new Xoshiro128(1);
  hops = 0;
  private readonly net: TapNet;

  constructor(net: TapNet) {
    this.net = net;
  }

  get pool(): SkbPool {
    return this.net.pool;
  }

  drop(where: string, reason: string, at: DropSite, skb: Skb): void {
    this.net.drop(where, reason, at, skb);
  }
}

export class TapNet implements FrameEnv {
  readonly pool = new SkbPool(() => new TapSkb(FRAME_MAX));
  readonly clock: TapClock;
  readonly recorder: Recorder;
  readonly linkEnv = new TapLinks(this);
  private readonly loop = new TapLoop(() => this.runLinks());
  private readonly hosts = new Map<string, TapHost>();
  private readonly taps: TapNic[] = [];
  private readonly waiting: { nic: Nic; skb: Skb }[] = [];

  constructor(clock: TapClock, recorder: Recorder) {
    this.clock = clock;
    this.recorder = recorder;
  }

  get tap(): Recorder {
    return this.recorder;
  }

  drop(where: string, reason: string, at: DropSite, skb: Skb): void {
    this.recorder.onDrop(where, reason, at, skb);
    this.pool.put(skb);
  }

  addBridge(name: string): Bridge {
    return new Bridge(this, name);
  }

  /** Makes a host's interface; addresses and routes are for `ip` to give. Throws SysError. */
  addNic(host: string, ns: Namespace, name: string, mac: Mac, mtu: number): TapNic {
    const fd = openTap(ns, { name, mac, mtu });
    try {
      let owner = this.hosts.get(host);
      if (owner === undefined) this.hosts.set(host, (owner = new TapHost(this, host)));
      const ifindex = ns.enter(() => ifindexOf(name));
      const tap = new TapNic(this, owner, fd, new Nic(this, owner, name, ifindex, mac, mtu));
      owner.nics.push(tap);
      this.loop.add(tap);
      this.taps.push(tap);
      return tap;
    } catch (err) {
      closeSync(fd);
      throw err;
    }
  }

  plug(tap: TapNic, bridge: Bridge): TapWire {
    return new TapWire(this, tap, bridge.addPort());
  }

  /** Names whom to ask before packets of a host are read. */
  setOwner(host: string, owner: TapOwner): void {
    const found = this.hosts.get(host);
    if (found !== undefined) found.owner = owner;
  }

  start(): void {
    this.loop.start();
  }

  /** What ended the loop, if it did. */
  get failure(): unknown {
    return this.loop.failure;
  }

  /** Lets the links' time pass; gives the milliseconds until the next frame of a link arrives. */
  private runLinks(): number {
    const { clock, linkEnv } = this;
    clock.tick();
    linkEnv.clock.run(clock.now);
    this.runQueue();
    return (linkEnv.clock.next - clock.now) / NS_PER_MS;
  }

  /** A frame that arrives at a NIC of its own host after what is being done now. */
  queue(nic: Nic, skb: Skb): void {
    this.waiting.push({ nic, skb });
  }

  runQueue(): void {
    for (let i = 0; i < this.waiting.length; i++) this.waiting[i].nic.deliver(this.waiting[i].skb);
    this.waiting.length = 0;
  }

  /** Ends the loop and lets go of the interfaces: they go with their namespaces. */
  close(): void {
    this.loop.close();
    for (const { fd } of this.taps.splice(0)) leaveTap(fd);
  }
}
