/** The two flag words of CONFIG, as numbers or by name (`gue+dump`). */
import { RX_FLAGS, TX_FLAGS } from "../tables/schema.ts";

const SETS = { rx: RX_FLAGS, tx: TX_FLAGS } as const;
export type FlagSide = keyof typeof SETS;

/** The names of one side's flags. */
export const flagNames = (side: FlagSide): string[] => Object.keys(SETS[side]);

/** A number (unknown bits are kept; the data path ignores them) or names joined by `+`; undefined for anything else. */
export function parseFlags(text: string, side: FlagSide): number | undefined {
  if (/^\d{1,10}$/.test(text)) return Number(text) <= 0xffffffff ? Number(text) : undefined;
  if (text === "none") return 0;
  const known = new Map<string, number>(Object.entries(SETS[side]));
  let bits = 0;
  for (const name of text.split("+")) {
    const bit = known.get(name.toLowerCase());
    if (bit === undefined) return undefined;
    bits |= bit;
  }
  return bits;
}

/** `gue+dump`; `none` for 0; the number where it has bits without a name. Reads back to the same number. */
export function formatFlags(bits: number, side: FlagSide): string {
  const names = Object.entries(SETS[side]).filter(([, bit]) => bits & bit);
  const named = names.reduce((sum, [, bit]) => sum | bit, 0);
  if (named !== bits) return String(bits);
  return names.map(([name]) => name).join("+") || "none";
}
