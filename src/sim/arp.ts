/**
 * ARP of one NIC (RFC 826; net/ipv4/arp.c with arp_ignore 0, arp_accept 0, arp_announce 2): answers for every address of
 * the host, asks with the NIC's own address only, and believes unasked-for packets about neighbours it knows already.
 */
import type { Skb } from "../dataplane/skb.ts";
import {
  ARP_LEN,
  ARPOP_REPLY,
  ARPOP_REQUEST,
  arpCheck,
  arpOper,
  arpSha,
  arpSpa,
  arpTpa,
  writeArp,
} from "../wire/arp.ts";
import {
  ETH_HLEN,
  ETH_P_ARP,
  MAC_BROADCAST,
  MAC_ZERO,
  type Mac,
  setEthDst,
  setEthSrc,
  setEthType,
} from "../wire/ethernet.ts";
import type { SimEnv } from "./env.ts";
import { Neighbour } from "./neighbour.ts";
import type { Nic } from "./nic.ts";

/** What ARP needs of its host. */
export interface ArpHost {
  isLocal(addr: number): boolean;
  /** A packet's next hop does not answer: tells its sender, and takes the packet over. */
  hostUnreachable(nic: Nic, skb: Skb): void;
}

export class ArpTable {
  readonly env: SimEnv;
  readonly nic: Nic;
  private readonly host: ArpHost;
  /** By address as a signed 32-bit number, which needs no boxing. */
  private readonly neighbours = new Map<number, Neighbour>();

  constructor(env: SimEnv, nic: Nic, host: ArpHost) {
    this.env = env;
    this.nic = nic;
    this.host = host;
  }

  get now(): number {
    return this.env.clock.now;
  }

  /** What is known of an address; undefined when nothing was ever asked or heard. */
  lookup(addr: number): Neighbour | undefined {
    return this.neighbours.get(addr | 0);
  }

  /** The neighbour of that address, made when it is not there. */
  neighbour(addr: number): Neighbour {
    let n = this.neighbours.get(addr | 0);
    if (n === undefined) this.neighbours.set(addr | 0, (n = new Neighbour(this, addr)));
    return n;
  }

  all(): Iterable<Neighbour> {
    return this.neighbours.values();
  }

  /** Handles an ARP frame; `forMe`: it was sent to this NIC's own MAC address. Does not keep the frame. */
  input(skb: Skb, unicast: boolean): void {
    const { buf } = skb;
    const off = skb.head + ETH_HLEN;
    if (!arpCheck(buf, off, skb.end)) return;
    const oper = arpOper(buf, off);
    const spa = arpSpa(buf, off);
    const tpa = arpTpa(buf, off);
    const sha = arpSha(buf, off);
    // Our own address in another's packet is a conflict, not news.
    if (this.host.isLocal(spa)) return;
    const asksUs = oper === ARPOP_REQUEST && this.host.isLocal(tpa) && tpa >>> 24 !== 127;
    if (spa !== 0) {
      if (asksUs) this.neighbour(spa).update(sha, false);
      else this.lookup(spa)?.update(sha, oper === ARPOP_REPLY && unicast);
    }
    if (asksUs) this.send(ARPOP_REPLY, sha, tpa, sha, spa);
  }

  /** Asks for an address: everybody, or one MAC address that is to confirm it. */
  request(addr: number, mac: Mac | undefined): void {
    this.send(ARPOP_REQUEST, mac ?? MAC_BROADCAST, this.nic.addr, MAC_ZERO, addr);
  }

  /** Tells everybody this NIC's own address (a gratuitous ARP request, RFC 5227 section 3). */
  announce(): void {
    this.send(ARPOP_REQUEST, MAC_BROADCAST, this.nic.addr, MAC_ZERO, this.nic.addr);
  }

  unreachable(skb: Skb): void {
    this.host.hostUnreachable(this.nic, skb);
  }

  dropWaiting(skb: Skb): void {
    this.env.drop("arp", "too many packets wait for the neighbour's MAC address", this.nic, skb);
  }

  private send(oper: number, to: Mac, spa: number, tha: Mac, tpa: number): void {
    const skb = this.env.pool.get(ETH_HLEN + ARP_LEN);
    setEthDst(skb.buf, skb.head, to);
    setEthSrc(skb.buf, skb.head, this.nic.mac);
    setEthType(skb.buf, skb.head, ETH_P_ARP);
    writeArp(skb.buf, skb.head + ETH_HLEN, oper, this.nic.mac, spa, tha, tpa);
    this.nic.transmit(skb);
  }
}
