/** Round-trip time and retransmission timeout (RFC 6298), with Linux' bounds. Times in ns. */
import { MS, SEC } from "../types.ts";

export const RTO_INITIAL = SEC;
export const RTO_MIN = 200 * MS;
export const RTO_MAX = 120 * SEC;
/** Clock granularity G: the timestamp option's tick. */
const GRANULARITY = MS;

export class RttEstimator {
  /** Smoothed round-trip time; 0 before the first sample. */
  srtt = 0;
  rttvar = 0;
  /** Timeout without back-off. */
  rto = RTO_INITIAL;

  /** Takes a sample of a segment that was sent once (Karn's rule is the caller's). */
  sample(rtt: number): void {
    if (this.srtt === 0) {
      this.srtt = Math.max(rtt, 1);
      this.rttvar = rtt / 2;
    } else {
      this.rttvar += (Math.abs(this.srtt - rtt) - this.rttvar) / 4;
      this.srtt += (rtt - this.srtt) / 8;
    }
    this.rto = clampRto(Math.ceil(this.srtt + Math.max(GRANULARITY, 4 * this.rttvar)));
  }

  /** Timeout after `backoff` expiries in a row. */
  backedOff(backoff: number): number {
    return Math.min(RTO_MAX, this.rto * 2 ** Math.min(backoff, 20));
  }
}

function clampRto(ns: number): number {
  return Math.min(RTO_MAX, Math.max(RTO_MIN, ns));
}
