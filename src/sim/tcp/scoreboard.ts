/**
 * The sender's scoreboard: what the peer has selectively acknowledged, what therefore counts as lost, what has been sent
 * again, and how much is in flight (RFC 6675). Without SACK the duplicate ACKs stand for it (RFC 6582).
 */
import { RangeSet } from "./ranges.ts";

/** Segments above a hole that prove it lost (RFC 5681). */
export const DUP_THRESH = 3;

export class Scoreboard {
  /** Selectively acknowledged offsets above SND.UNA. */
  readonly sacked = new RangeSet();
  /** Everything below that is not SACKed counts as lost. */
  lostEdge = 0;
  /** Holes below were retransmitted already (HighRxt of RFC 6675, exclusive). */
  highRxt = 0;
  /** Bytes that left the network by the evidence of duplicate ACKs; only without SACK. */
  dupBytes = 0;

  /** Moves `lostEdge` up to the highest hole with DUP_THRESH ranges, or more than two full segments, above it (IsLost). */
  update(mss: number): void {
    const s = this.sacked;
    let bytes = 0;
    for (let i = s.count - 1; i >= 0; i--) {
      bytes += s.ends[i] - s.starts[i];
      if (s.count - i >= DUP_THRESH || bytes > (DUP_THRESH - 1) * mss) {
        if (s.starts[i] > this.lostEdge) this.lostEdge = s.starts[i];
        return;
      }
    }
  }

  /** Bytes in flight (SetPipe): neither SACKed nor lost, and once more what was retransmitted. */
  pipe(una: number, nxt: number): number {
    const s = this.sacked;
    if (s.count === 0 && this.lostEdge <= una && this.dupBytes === 0) return nxt - una;
    const lost = Math.max(this.lostEdge, una);
    const fresh = nxt - lost - s.overlap(lost, nxt) - this.dupBytes;
    const again = this.highRxt > una ? this.highRxt - una - s.overlap(una, this.highRxt) : 0;
    return Math.max(fresh, 0) + again;
  }

  /** First offset at or above `from` that is not SACKed. */
  holeStart(from: number): number {
    const i = this.sacked.find(from);
    return i < 0 ? from : this.sacked.ends[i];
  }

  /** End of the hole that starts at `from`, at most `limit`. */
  holeEnd(from: number, limit: number): number {
    const s = this.sacked;
    for (let i = 0; i < s.count; i++) if (s.starts[i] > from) return Math.min(s.starts[i], limit);
    return limit;
  }

  /** SND.UNA moved to `una`. */
  acked(una: number): void {
    this.sacked.trim(una);
    if (this.highRxt < una) this.highRxt = una;
  }

  /** Recovery is over: nothing counts as lost. */
  endRecovery(una: number): void {
    this.lostEdge = una;
    this.highRxt = una;
    this.dupBytes = 0;
  }
}
