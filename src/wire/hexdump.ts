/** Hex dumps as tcpdump -XX prints them, and the reading of hex that people paste. */
import { LabError } from "../errors.ts";

/** ASCII with a mark as it is, everything else (blanks too, as in tcpdump) as a dot. */
export function ascii(b: Uint8Array, off: number, end: number): string {
  let out = "";
  for (let i = off; i < end; i++) out += b[i] > 0x20 && b[i] < 0x7f ? String.fromCharCode(b[i]) : ".";
  return out;
}

/** `\t0x0000:  4500 0054 ...  E..T` lines, 16 bytes each, as `tcpdump -XX`. */
export function hexdump(b: Uint8Array, off = 0, end = b.length): string[] {
  const lines: string[] = [];
  for (let at = off; at < end; at += 16) {
    const stop = Math.min(end, at + 16);
    let hex = "";
    for (let i = at; i < stop; i++) hex += ((i - at) % 2 === 0 ? " " : "") + b[i].toString(16).padStart(2, "0");
    lines.push(`\t0x${(at - off).toString(16).padStart(4, "0")}: ${hex.padEnd(40)}  ${ascii(b, at, stop)}`);
  }
  return lines;
}

/** A dump line: offset with a colon, then groups of hex digits up to two blanks or a `|` in front of the ASCII column. */
const DUMP_LINE = /^\s*(?:0x)?[0-9a-f]{4,8}:\s+((?:[0-9a-f]{2,8} ?)+?)(?:\s*$| {2}.*$|\s*\|.*$)/i;

const OFFSET = /^\s*(?:0x)?([0-9a-f]{4,8}):/i;

/**
 * Bytes of pasted hex: bare digits, pairs with blanks, `:` or `-` between, a leading `0x`, or lines of a `tcpdump -x`,
 * `-XX` or `xxd` dump (of its first packet). Throws LabError ERR_HEX with line and column of what is no hex.
 */
export function parseHex(text: string, file = "hex"): Uint8Array {
  const digits: string[] = [];
  let last = { line: 1, column: 1 };
  const lines = text.split("\n");
  const isDump = lines.some((raw) => DUMP_LINE.test(raw));
  let packets = 0;
  lines.forEach((raw, i) => {
    const dump = DUMP_LINE.exec(raw);
    if (isDump) {
      // tcpdump prints a line of text in front of each packet's dump; only the first packet is read.
      const offset = OFFSET.exec(raw);
      if (!offset) return;
      if (Number.parseInt(offset[1], 16) === 0) packets++;
      if (packets > 1) return;
    }
    const from = dump ? raw.indexOf(dump[1], raw.indexOf(":") + 1) : /^\s*(0x)?/i.exec(raw)![0].length;
    const to = dump ? from + dump[1].length : raw.length;
    for (let c = from; c < to; c++) {
      if (/[\s:-]/.test(raw[c])) continue;
      last = { line: i + 1, column: c + 1 };
      if (!/[0-9a-f]/i.test(raw[c])) throw hexError(`"${raw[c]}" is no hex digit`, file, last);
      digits.push(raw[c]);
    }
  });
  if (digits.length % 2 !== 0) throw hexError("an odd number of hex digits, the last byte is half", file, last);
  if (digits.length === 0) throw hexError("no bytes", file, last);
  const out = new Uint8Array(digits.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(digits[2 * i] + digits[2 * i + 1], 16);
  return out;
}

function hexError(message: string, file: string, at: { line: number; column: number }): LabError {
  return new LabError("ERR_HEX", message, {
    position: { file, ...at },
    hint: "Expected a frame from its MAC header on, as bare hex or as a dump of tcpdump -XX or xxd.",
  });
}
