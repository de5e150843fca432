/**
 * Network devices: what a host's IP layer sends by, and the Ethernet NIC with its two TC hooks (clsact).
 *
 * Receive: tap, ingress hook, stack. Transmit: egress hook, size check, tap, wire. This is the order of the kernel's
 * __netif_receive_skb_core and __dev_queue_xmit as tcpdump sees it. A redirect goes to another device's egress (its
 * egress hook runs too) or ingress (tap and ingress hook run again, from the receive queue), as bpf_redirect's does.
 */
import type { DataPath } from "../dataplane/datapath.ts";
import type { Skb } from "../dataplane/skb.ts";
import { REASON_NAMES, TC_ACT_REDIRECT, TC_ACT_SHOT } from "../tables/reasons.ts";
import { rd16 } from "../wire/bytes.ts";
import { ETH_HLEN, ETH_P_8021Q, type Mac, wrMac } from "../wire/ethernet.ts";
import type { DropSite, FrameEnv } from "./env.ts";
import type { FrameOut, Pluggable } from "./link.ts";
import type { Neighbour } from "./neighbour.ts";

/** What routes point to. */
export interface NetDevice extends DropSite {
  readonly name: string;
  readonly ifindex: number;
  /** Bytes of an IP packet. */
  readonly mtu: number;
  /** Neighbours are found by ARP; other devices take every packet as it is. */
  readonly isEthernet: boolean;
  /** Sends a packet whose IPv4 header stands at `skb.head + 14`; takes it over. */
  xmit(skb: Skb, neighbour: Neighbour | undefined): void;
}

/** What a NIC needs of its host. */
export interface NicOwner {
  readonly name: string;
  /** A frame for the stack; `otherHost`: its MAC address is another's. Takes it over. */
  receive(nic: Nic, skb: Skb, otherHost: boolean): void;
  /** Puts a frame on the receive queue of a NIC: it arrives there after what is being done now. */
  enqueueIngress(nic: Nic, skb: Skb): void;
  nicByIndex(ifindex: number): Nic | undefined;
}

/** Redirects in a row after which the kernel gives up (XMIT_RECURSION_LIMIT). */
const REDIRECT_LIMIT = 8;

/** The MAC address that docker gives a container: 02:42 and the four bytes of its IPv4 address. */
export const macOf = (addr: number): Mac => 0x024200000000 + addr;

export class Nic implements NetDevice, Pluggable {
  readonly isEthernet = true;
  readonly label: string;
  readonly name: string;
  readonly ifindex: number;
  readonly mac: Mac;
  /** The MAC address as it stands in a frame. */
  readonly macBytes = new Uint8Array(6);
  mtu: number;
  /** First address on the NIC, host order; 0 = none. */
  addr = 0;
  prefix = 0;
  out: FrameOut | undefined;
  /** What sits at the two TC hooks. */
  dataPath: DataPath | undefined;
  rxPackets = 0;
  txPackets = 0;
  /** Frames dropped because they exceed MTU + 14. */
  txOversize = 0;

  private readonly env: FrameEnv;
  private readonly owner: NicOwner;
  private depth = 0;

  constructor(env: FrameEnv, owner: NicOwner, name: string, ifindex: number, mac: Mac, mtu = 1500) {
    this.env = env;
    this.owner = owner;
    this.name = name;
    this.label = `${owner.name}/${name}`;
    this.ifindex = ifindex;
    this.mac = mac;
    this.mtu = mtu;
    wrMac(this.macBytes, 0, mac);
  }

  /** A frame has come in from the wire, or by a redirect to this NIC's ingress. */
  deliver(skb: Skb): void {
    const { env } = this;
    if (skb.end - skb.head < ETH_HLEN) {
      env.drop("nic", "the frame is shorter than a MAC header", this, skb);
      return;
    }
    this.rxPackets++;
    skb.ifindex = this.ifindex;
    if (env.tap !== undefined) env.tap.onPacket(this, "in", skb);
    // The packet's type is settled before the hook, which may change the MAC addresses.
    const otherHost = !this.isForMe(skb);
    const dp = this.dataPath;
    if (dp !== undefined) {
      skb = env.pool.unshare(skb);
      skb.ifindex = this.ifindex;
      const before = skb.end - skb.head;
      if (env.tap?.beforeHook !== undefined) env.tap.beforeHook(this, "ingress", skb);
      const verdict = dp.ingress(skb);
      if (env.tap !== undefined) env.tap.onHook(this, "ingress", skb, verdict, dp.last, before);
      if (verdict === TC_ACT_SHOT) {
        env.drop("tc ingress", REASON_NAMES[dp.last.reason], this, skb);
        return;
      }
      if (verdict === TC_ACT_REDIRECT) {
        this.redirect(skb, dp);
        return;
      }
    }
    this.owner.receive(this, skb, otherHost);
  }

  /** Sends a whole frame. */
  transmit(skb: Skb): void {
    const { env } = this;
    skb.ifindex = this.ifindex;
    const dp = this.dataPath;
    if (dp !== undefined) {
      const before = skb.end - skb.head;
      if (env.tap?.beforeHook !== undefined) env.tap.beforeHook(this, "egress", skb);
      const verdict = dp.egress(skb);
      if (env.tap !== undefined) env.tap.onHook(this, "egress", skb, verdict, dp.last, before);
      if (verdict === TC_ACT_SHOT) {
        env.drop("tc egress", REASON_NAMES[dp.last.reason], this, skb);
        return;
      }
      if (verdict === TC_ACT_REDIRECT) {
        this.redirect(skb, dp);
        return;
      }
    }
    if (env.tap !== undefined) env.tap.onPacket(this, "out", skb);
    const len = skb.end - skb.head;
    if (len > this.mtu + ETH_HLEN && len > this.mtu + ETH_HLEN + vlanRoom(skb)) {
      this.txOversize++;
      env.drop("nic", "the frame is larger than the MTU and 14 bytes: dropped silently, as a veth does", this, skb);
      return;
    }
    this.txPackets++;
    if (this.out === undefined) {
      env.drop("nic", "no link", this, skb);
      return;
    }
    this.out.send(skb);
  }

  xmit(skb: Skb, neighbour: Neighbour | undefined): void {
    if (neighbour === undefined) {
      this.env.drop("ip", "no neighbour", this, skb);
      return;
    }
    neighbour.output(skb);
  }

  /** Broadcast, multicast, or this NIC's own address. */
  private isForMe(skb: Skb): boolean {
    const { buf, head } = skb;
    if ((buf[head] & 1) !== 0) return true;
    const mac = this.macBytes;
    for (let i = 0; i < 6; i++) if (buf[head + i] !== mac[i]) return false;
    return true;
  }

  private redirect(skb: Skb, dp: DataPath): void {
    const { redirectIfindex, redirectIngress } = dp.last;
    const target = this.owner.nicByIndex(redirectIfindex);
    if (target === undefined) {
      this.env.drop("nic", "redirect to an interface that does not exist", this, skb);
      return;
    }
    // Queued, as netif_rx does: the sender is not called back from inside its own send.
    if (redirectIngress) {
      this.owner.enqueueIngress(target, skb);
      return;
    }
    if (this.depth >= REDIRECT_LIMIT) {
      this.env.drop("nic", "redirected in a loop", this, skb);
      return;
    }
    this.depth++;
    target.transmit(skb);
    this.depth--;
  }
}

/** A tagged frame may be 4 bytes longer. */
const vlanRoom = (skb: Skb): number => (rd16(skb.buf, skb.head + 12) === ETH_P_8021Q ? 4 : 0);
