/** Numbers and times as the page writes them. */

/** `12.345678`: seconds since the lab came up, to the microsecond. */
export function seconds(ns: number): string {
  return (ns / 1e9).toFixed(6);
}

/** A short time for an axis: `0.5 s`, `12 s`, `300 µs`. */
export function shortTime(ns: number): string {
  if (ns >= 1e9) return `${trim(ns / 1e9)} s`;
  if (ns >= 1e6) return `${trim(ns / 1e6)} ms`;
  return `${trim(ns / 1e3)} µs`;
}

const trim = (v: number): string => String(Number(v.toPrecision(3)));

/** Made once: a number's own toLocaleString makes one at each call. */
const number = new Intl.NumberFormat("en-US");

/** `100,000` */
export const count = (n: number): string => number.format(n);

/** `1 packet`, `2 packets`. */
export const plural = (n: number, one: string, many = `${one}s`): string => `${count(n)} ${n === 1 ? one : many}`;
