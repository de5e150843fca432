/**
 * A learning bridge (IEEE 802.1D section 7, without spanning tree): forwards known addresses, floods unknown ones and
 * broadcasts. A flooded frame is shared, not copied: whoever wants to change it makes a copy then.
 */
import type { Skb } from "../dataplane/skb.ts";
import { ETH_ALEN, ETH_HLEN } from "../wire/ethernet.ts";
import type { DropSite, FrameEnv } from "./env.ts";
import type { FrameOut, Pluggable } from "./link.ts";
import { MacTable } from "./mac-table.ts";

/** One plug of a bridge. */
export class BridgePort implements Pluggable {
  out: FrameOut | undefined;
  readonly index: number;
  private readonly bridge: Bridge;

  constructor(bridge: Bridge, index: number) {
    this.bridge = bridge;
    this.index = index;
  }

  deliver(skb: Skb): void {
    this.bridge.forward(this.index, skb);
  }
}

export class Bridge implements DropSite {
  readonly label: string;
  readonly ports: BridgePort[] = [];
  private readonly env: FrameEnv;
  private readonly table = new MacTable();

  constructor(env: FrameEnv, label: string) {
    this.env = env;
    this.label = label;
  }

  /** A new port, to be linked. */
  addPort(): BridgePort {
    const port = new BridgePort(this, this.ports.length);
    this.ports.push(port);
    return port;
  }

  /**
   * Plugs a NIC in without a link between: the bridge's own interface, by which its host takes part in the network.
   */
  attachLocal(nic: Pluggable): void {
    const port = this.addPort();
    nic.out = { send: (skb) => port.deliver(skb) };
    port.out = { send: (skb) => nic.deliver(skb) };
  }

  /** Number of the port behind which a MAC address at `b[off]` was last seen; -1 when unknown. */
  portOf(b: Uint8Array, off: number): number {
    return this.table.lookup(b, off, this.env.clock.now);
  }

  /** A frame has come in by a port. */
  forward(from: number, skb: Skb): void {
    const { buf, head } = skb;
    if (skb.end - head < ETH_HLEN) {
      this.env.drop("bridge", "the frame is shorter than a MAC header", this, skb);
      return;
    }
    const now = this.env.clock.now;
    // A group address is never a sender's own.
    if ((buf[head + ETH_ALEN] & 1) === 0) this.table.learn(buf, head + ETH_ALEN, from, now);
    const to = (buf[head] & 1) === 0 ? this.table.lookup(buf, head, now) : -1;
    if (to < 0) {
      this.flood(from, skb);
      return;
    }
    const out = this.ports[to].out;
    if (to === from || out === undefined) {
      this.env.drop("bridge", "the frame's destination is behind the port it came from", this, skb);
      return;
    }
    out.send(skb);
  }

  private flood(from: number, skb: Skb): void {
    for (let i = 0; i < this.ports.length; i++) {
      const out = this.ports[i].out;
      if (i === from || out === undefined) continue;
      skb.sharers++;
      out.send(skb);
    }
    // This loop's own share has kept the frame as it was, also where a port passed it on at once.
    this.env.pool.put(skb);
  }
}
