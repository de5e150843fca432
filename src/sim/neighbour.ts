/**
 * A neighbour on an Ethernet NIC and what is known of it: the states of RFC 4861 section 7.3.2 as Linux uses them for
 * IPv4 (net/core/neighbour.c), resolved by ARP.
 */
import type { Skb } from "../dataplane/skb.ts";
import { ETH_HLEN, ETH_P_IP, type Mac, rdMac, setEthSrc, setEthType, wrMac } from "../wire/ethernet.ts";
import type { ArpTable } from "./arp.ts";
import { SEC, type Timer } from "./types.ts";

export const NUD_NONE = 0;
/** Asked, not answered: packets wait. */
export const NUD_INCOMPLETE = 1;
export const NUD_REACHABLE = 2;
/** Known, not confirmed lately; still used. */
export const NUD_STALE = 3;
/** Used while stale: probed unless confirmed soon. */
export const NUD_DELAY = 4;
export const NUD_PROBE = 5;
export const NUD_FAILED = 6;
/** As `ip neigh` prints them, by number. */
export const NUD_NAMES = ["NONE", "INCOMPLETE", "REACHABLE", "STALE", "DELAY", "PROBE", "FAILED"] as const;

/** base_reachable_time, delay_first_probe_time, retrans_time; mcast_solicit and ucast_solicit. */
const REACHABLE_NS = 30 * SEC;
const DELAY_NS = 5 * SEC;
const RETRANS_NS = 1 * SEC;
const SOLICITATIONS = 3;
/** Packets that wait for an answer; then the oldest is dropped (the kernel bounds them by bytes, 212,992). */
export const UNRES_QLEN = 100;

export class Neighbour {
  readonly addr: number;
  state: number = NUD_NONE;

  private readonly table: ArpTable;
  /** The MAC header of packets to it. */
  private readonly header = new Uint8Array(ETH_HLEN);
  private confirmed = 0;
  private probes = 0;
  private timer: Timer | undefined;
  private queue: Skb[] = [];

  constructor(table: ArpTable, addr: number) {
    this.table = table;
    this.addr = addr;
    setEthSrc(this.header, 0, table.nic.mac);
    setEthType(this.header, 0, ETH_P_IP);
  }

  /** True when its MAC address can be used (NUD_VALID). */
  get valid(): boolean {
    return this.state >= NUD_REACHABLE && this.state <= NUD_PROBE;
  }

  get mac(): Mac {
    return rdMac(this.header, 0);
  }

  /** Packets that wait for the answer. */
  get waiting(): number {
    return this.queue.length;
  }

  /** Sends a packet whose MAC header is `skb.head..`, once the address is known; takes it over. */
  output(skb: Skb): void {
    switch (this.state) {
      case NUD_REACHABLE:
        if (this.table.now - this.confirmed >= REACHABLE_NS) this.enter(NUD_DELAY, DELAY_NS);
        break;
      case NUD_STALE:
        this.enter(NUD_DELAY, DELAY_NS);
        break;
      case NUD_DELAY:
      case NUD_PROBE:
        break;
      case NUD_INCOMPLETE:
        this.enqueue(skb);
        return;
      default:
        this.enqueue(skb);
        this.probes = 0;
        this.enter(NUD_INCOMPLETE, RETRANS_NS);
        this.solicit();
        return;
    }
    this.send(skb);
  }

  /** An ARP packet has told its MAC address; `solicited`: it was the answer to a question of ours. */
  update(mac: Mac, solicited: boolean): void {
    const changed = !this.valid || this.mac !== mac;
    wrMac(this.header, 0, mac);
    if (solicited) {
      this.confirmed = this.table.now;
      this.state = NUD_REACHABLE;
      this.timer?.stop();
    } else if (changed) {
      this.state = NUD_STALE;
      this.timer?.stop();
    }
    if (this.queue.length > 0) {
      const waiting = this.queue;
      this.queue = [];
      for (const skb of waiting) this.output(skb);
    }
  }

  private enter(state: number, delayNs: number): void {
    this.state = state;
    this.timer ??= this.table.env.clock.timer(() => this.onTimer());
    this.timer.start(delayNs);
  }

  private onTimer(): void {
    if (this.state === NUD_DELAY) {
      this.probes = 0;
      this.enter(NUD_PROBE, RETRANS_NS);
      this.solicit();
    } else if (this.probes < SOLICITATIONS) {
      this.enter(this.state, RETRANS_NS);
      this.solicit();
    } else {
      this.state = NUD_FAILED;
      const failed = this.queue;
      this.queue = [];
      for (const skb of failed) this.table.unreachable(skb);
    }
  }

  private solicit(): void {
    this.probes++;
    this.table.request(this.addr, this.state === NUD_PROBE ? this.mac : undefined);
  }

  private enqueue(skb: Skb): void {
    if (this.queue.length >= UNRES_QLEN) this.table.dropWaiting(this.queue.shift()!);
    this.queue.push(skb);
  }

  private send(skb: Skb): void {
    const { buf, head } = skb;
    const { header } = this;
    for (let i = 0; i < ETH_HLEN; i++) buf[head + i] = header[i];
    this.table.nic.transmit(skb);
  }
}
