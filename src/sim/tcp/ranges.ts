/**
 * A set of offsets as sorted, disjoint, non-adjacent ranges [start, end): what a receiver holds out of order, and what a
 * sender knows to have arrived (RFC 2018). Few ranges exist at a time, so plain arrays do.
 */
export class RangeSet {
  /** Range `i` is `[starts[i], ends[i])`, `i` below `count`. */
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  count = 0;
  /** Number of offsets in the set. */
  total = 0;

  /** Adds [start, end), merging what it touches. Returns how many offsets were not in the set before. */
  add(start: number, end: number): number {
    if (end <= start) return 0;
    const { starts, ends } = this;
    const before = this.total;
    let i = this.count;
    while (i > 0 && ends[i - 1] >= start) i--;
    // Ranges i..j-1 touch the new one and are merged into it.
    let j = i;
    while (j < this.count && starts[j] <= end) {
      this.total -= ends[j] - starts[j];
      if (starts[j] < start) start = starts[j];
      if (ends[j] > end) end = ends[j];
      j++;
    }
    this.total += end - start;
    if (j === i) {
      for (let k = this.count; k > i; k--) {
        starts[k] = starts[k - 1];
        ends[k] = ends[k - 1];
      }
      this.count++;
    } else if (j > i + 1) {
      const gone = j - i - 1;
      for (let k = j; k < this.count; k++) {
        starts[k - gone] = starts[k];
        ends[k - gone] = ends[k];
      }
      this.count -= gone;
    }
    starts[i] = start;
    ends[i] = end;
    return this.total - before;
  }

  /** Removes everything below `offset`. */
  trim(offset: number): void {
    let n = 0;
    while (n < this.count && this.ends[n] <= offset) {
      this.total -= this.ends[n] - this.starts[n];
      n++;
    }
    if (n > 0) {
      for (let k = n; k < this.count; k++) {
        this.starts[k - n] = this.starts[k];
        this.ends[k - n] = this.ends[k];
      }
      this.count -= n;
    }
    if (this.count > 0 && this.starts[0] < offset) {
      this.total -= offset - this.starts[0];
      this.starts[0] = offset;
    }
  }

  /** Index of the range that holds `offset`, or -1. */
  find(offset: number): number {
    for (let i = 0; i < this.count; i++) {
      if (offset < this.starts[i]) return -1;
      if (offset < this.ends[i]) return i;
    }
    return -1;
  }

  /** How many offsets of [from, to) are in the set. */
  overlap(from: number, to: number): number {
    let n = 0;
    for (let i = 0; i < this.count && this.starts[i] < to; i++) {
      const a = Math.max(this.starts[i], from);
      const b = Math.min(this.ends[i], to);
      if (b > a) n += b - a;
    }
    return n;
  }

  clear(): void {
    this.count = 0;
    this.total = 0;
  }
}
