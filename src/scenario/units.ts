/**
 * Quantities as people write them: durations, rates, sizes and probabilities.
 *
 * Used by topologies, scenarios and the command language alike. Rates follow tc(8) (`mbit` = 10^6 bits per second), sizes
 * follow dd(1) (`M` = 2^20 bytes), as in the demo's data_10M.bin. Every parser throws ERR_BAD_VALUE with what it found and
 * what it accepts.
 */
import { LabError, type Position } from "../errors.ts";

const DURATION_NS: Record<string, number> = {
  ns: 1,
  us: 1_000,
  ms: 1_000_000,
  s: 1_000_000_000,
  m: 60_000_000_000,
  h: 3_600_000_000_000,
};
const RATE_BPS: Record<string, number> = { bit: 1, kbit: 1_000, mbit: 1_000_000, gbit: 1_000_000_000 };
const SIZE_BYTES: Record<string, number> = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

const DURATION_HELP = "A duration is a number with ns, us, ms, s, m or h, such as 5s, 10ms or 250us.";
const RATE_HELP = "A rate is a number with bit, kbit, mbit or gbit, such as 100mbit; 0 is unlimited.";
const SIZE_HELP = "A size is a number of bytes, with K, M or G for powers of 1024, such as 1400 or 10M.";
const PERCENT_HELP = "A probability is a percentage from 0% to 100%, or a number from 0 to 1, such as 1% or 0.01.";

function bad(what: string, text: string, hint: string, position?: Position): LabError {
  return new LabError("ERR_BAD_VALUE", `'${text}' is not a ${what}`, { position, hint });
}

/** Splits "1.5ms" into 1.5 and "ms"; undefined when it does not start with a plain decimal number. */
function split(text: string): { value: number; unit: string } | undefined {
  const m = /^(\d{1,15}(?:\.\d{1,15})?)([a-zA-Z%]*)$/.exec(text);
  return m ? { value: Number(m[1]), unit: m[2] } : undefined;
}

/** A whole number of the base unit; undefined when it is a fraction of it or cannot be held exactly. */
function whole(value: number, factor: number): number | undefined {
  const n = value * factor;
  const rounded = Math.round(n);
  if (!Number.isSafeInteger(rounded)) return undefined;
  return Math.abs(n - rounded) <= 1e-6 ? rounded : undefined;
}

/** Nanoseconds of "5s", "10ms", "250us", "1.5s", "5m"; a bare 0 needs no unit. */
export function parseDuration(text: string, position?: Position): number {
  if (text === "0") return 0;
  const q = split(text);
  if (!q) throw bad("duration", text, DURATION_HELP, position);
  if (q.unit === "") throw bad("duration: it has no unit", text, DURATION_HELP, position);
  const factor = Object.hasOwn(DURATION_NS, q.unit) ? DURATION_NS[q.unit] : undefined;
  const ns = factor === undefined ? undefined : whole(q.value, factor);
  if (ns === undefined) throw bad("duration", text, DURATION_HELP, position);
  return ns;
}

/** Bits per second of "100mbit", "1gbit", "2.5mbit"; 0 and "unlimited" mean no limit and give 0. */
export function parseRate(text: string, position?: Position): number {
  if (text === "0" || text === "unlimited") return 0;
  const q = split(text);
  const unit = q?.unit.toLowerCase() ?? "";
  const factor = q && Object.hasOwn(RATE_BPS, unit) ? RATE_BPS[unit] : undefined;
  const bps = factor === undefined ? undefined : whole((q as { value: number }).value, factor);
  if (bps === undefined) throw bad("rate", text, RATE_HELP, position);
  return bps;
}

/** Bytes of "1400", "64K", "10M", "1G". */
export function parseSize(text: string, position?: Position): number {
  const q = split(text);
  const unit = q?.unit.toLowerCase() ?? "";
  const factor = q && Object.hasOwn(SIZE_BYTES, unit) ? SIZE_BYTES[unit] : undefined;
  const bytes = factor === undefined ? undefined : whole((q as { value: number }).value, factor);
  if (bytes === undefined) throw bad("size", text, SIZE_HELP, position);
  return bytes;
}

/** Probability, 0 to 1, of "1%", "0.5%", "0.01" or the number 0.01. */
export function parsePercent(value: string | number, position?: Position): number {
  const text = String(value);
  const q = split(text);
  const p = q?.unit === "%" ? q.value / 100 : q?.unit === "" ? q.value : Number.NaN;
  if (!(p >= 0 && p <= 1)) throw bad("probability", text, PERCENT_HELP, position);
  return p;
}

function largest(value: number, units: Record<string, number>): string {
  let best = "";
  let factor = 1;
  for (const [unit, f] of Object.entries(units)) {
    if (f >= factor && value % f === 0) {
      best = unit;
      factor = f;
    }
  }
  return `${value / factor}${best}`;
}

/** The shortest exact form: 10ms, 1500us, 5m; 0 is "0". */
export function formatDuration(ns: number): string {
  return ns === 0 ? "0" : largest(ns, DURATION_NS);
}

/** The shortest exact form: 100mbit, 1gbit; 0 is "unlimited". */
export function formatRate(bps: number): string {
  return bps === 0 ? "unlimited" : largest(bps, RATE_BPS);
}

/** The shortest exact form: 1400, 64K, 10M. */
export function formatSize(bytes: number): string {
  return bytes === 0 ? "0" : largest(bytes, SIZE_BYTES).toUpperCase();
}

/** As a percentage: 0.01 is "1%". */
export function formatPercent(p: number): string {
  return `${Number((p * 100).toPrecision(12))}%`;
}
