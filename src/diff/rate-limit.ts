/** The token bucket of Linux's ICMP errors to one destination (net/ipv4/inetpeer.c inet_peer_xrlim_allow). */

const NS_PER_TOKEN = 1_000_000_000;
/** XRLIM_BURST_FACTOR */
const BURST = 6;
/** A jiffy at 100 Hz, twice: the kernel counts time in jiffies, the capture does not. */
const SLACK = 0.02;

export class IcmpBucket {
  private tokens = BURST;
  private lastNs = Number.NEGATIVE_INFINITY;

  /** An error was due at `nowNs` and was sent or not; true when it could be left out. */
  due(nowNs: number, sent: boolean): boolean {
    this.tokens = Math.min(BURST, this.tokens + (nowNs - this.lastNs) / NS_PER_TOKEN);
    this.lastNs = nowNs;
    const mayOmit = this.tokens < 1 + SLACK;
    if (sent) this.tokens = Math.max(0, this.tokens - 1);
    return mayOmit;
  }
}
