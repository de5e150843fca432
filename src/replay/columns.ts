/** Columns of numbers that grow: what a recording keeps per event, without an object for each. */

type Numbers = Float64Array | Int32Array | Uint16Array | Uint8Array;
const INITIAL = 256;

export class Column<A extends Numbers> {
  data: A;
  length = 0;
  private readonly make: (n: number) => A;

  constructor(make: (n: number) => A) {
    this.make = make;
    this.data = make(INITIAL);
  }

  push(value: number): void {
    if (this.length === this.data.length) {
      const grown = this.make(this.length * 2);
      grown.set(this.data);
      this.data = grown;
    }
    this.data[this.length++] = value;
  }

  /** Bytes held. */
  get bytes(): number {
    return this.data.byteLength;
  }
}

export const float64 = (): Column<Float64Array> => new Column((n) => new Float64Array(n));
export const int32 = (): Column<Int32Array> => new Column((n) => new Int32Array(n));
export const uint16 = (): Column<Uint16Array> => new Column((n) => new Uint16Array(n));
export const uint8 = (): Column<Uint8Array> => new Column((n) => new Uint8Array(n));

/** Texts by number: each is kept once. Number 0 is the empty text. */
export class Strings {
  private readonly texts: string[] = [""];
  private readonly numbers = new Map<string, number>([["", 0]]);

  add(text: string): number {
    let n = this.numbers.get(text);
    if (n === undefined) {
      n = this.texts.push(text) - 1;
      this.numbers.set(text, n);
    }
    return n;
  }

  get(n: number): string {
    return this.texts[n];
  }

  /** Undefined where no such text was added. */
  numberOf(text: string): number | undefined {
    return this.numbers.get(text);
  }

  /** All texts, by number. */
  all(): readonly string[] {
    return this.texts;
  }
}

/** The last place in `data[0, length)`, which is sorted, whose value is at most `value`; -1 where there is none. */
export function lastAtMost(data: ArrayLike<number>, length: number, value: number): number {
  let lo = 0;
  let hi = length;
  while (lo < hi) {
    const mid = (lo + hi) >>> 1;
    if (data[mid] <= value) lo = mid + 1;
    else hi = mid;
  }
  return lo - 1;
}
