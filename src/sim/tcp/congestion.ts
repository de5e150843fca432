/**
 * Congestion control: slow start and congestion avoidance (RFC 5681) with byte counting (RFC 3465), an initial window of
 * ten segments (RFC 6928), NewReno's reaction to loss (RFC 6582). Bytes throughout.
 */

const INITIAL_SEGMENTS = 10;
/** Upper bound of the window: far above any receive window, and keeps sums exact. */
const MAX_CWND = 1 << 30;

export class Congestion {
  cwnd = 0;
  ssthresh = MAX_CWND;
  /** Bytes acknowledged since cwnd last grew in congestion avoidance. */
  private acked = 0;
  /** The last output stopped because of cwnd: only then may it grow (RFC 7661's point in short). */
  limited = false;

  /** RFC 6928: min(10 MSS, max(2 MSS, 14600)). */
  static initialWindow(mss: number): number {
    return Math.min(INITIAL_SEGMENTS * mss, Math.max(2 * mss, 14600));
  }

  init(mss: number): void {
    this.cwnd = Congestion.initialWindow(mss);
  }

  /** `bytes` were newly acknowledged outside fast recovery. */
  onAck(bytes: number, mss: number): void {
    if (!this.limited) return;
    if (this.cwnd < this.ssthresh) {
      this.cwnd = Math.min(MAX_CWND, this.cwnd + Math.min(bytes, 2 * mss));
      return;
    }
    this.acked += bytes;
    if (this.acked >= this.cwnd) {
      this.acked -= this.cwnd;
      this.cwnd = Math.min(MAX_CWND, this.cwnd + mss);
    }
  }

  /** Fast retransmit: half of what was in flight. */
  onLoss(flight: number, mss: number): void {
    this.ssthresh = Math.max(flight >> 1, 2 * mss);
    this.cwnd = this.ssthresh;
    this.acked = 0;
  }

  /** Retransmission timeout: back to one segment; ssthresh only at the first expiry in a row (RFC 5681 section 3.1). */
  onTimeout(flight: number, mss: number, first: boolean): void {
    if (first) this.ssthresh = Math.max(flight >> 1, 2 * mss);
    this.cwnd = mss;
    this.acked = 0;
    this.limited = true;
  }

  /** Nothing was sent for longer than a timeout (RFC 5681 section 4.1). */
  onIdle(mss: number): void {
    this.cwnd = Math.min(this.cwnd, Congestion.initialWindow(mss));
  }
}
