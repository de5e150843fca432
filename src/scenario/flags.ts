/** The two flag words of CONFIG, as numbers or by name (`gue+dump`), and the security key's spellings. */
import { RX_FLAGS, TX_FLAGS } from "../tables/schema.ts";
import { fromHex, toHex } from "../wire/bytes.ts";
import { GUE_KEY_LEN } from "../wire/gue.ts";

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

/**
 * The 16 bytes of a security key: `base64:...`, `hex:...`, or text of exactly 16 ASCII characters. Never cut or padded:
 * anything else gives the error's code and message.
 */
export function parseKey(text: string): Uint8Array | { code: "ERR_KEY_LENGTH" | "ERR_KEY_FORMAT"; message: string } {
  let key: Uint8Array | undefined;
  let what = "";
  if (text.startsWith("hex:")) {
    key = fromHex(text.slice(4));
    what = "hex";
  } else if (text.startsWith("base64:")) {
    key = fromBase64(text.slice(7));
    what = "base64";
  } else {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII is what is meant
    if (/^[\x00-\x7f]*$/.test(text)) key = Uint8Array.from(text, (c) => c.charCodeAt(0));
    what = "ASCII";
  }
  if (!key) return { code: "ERR_KEY_FORMAT", message: `the key is not ${what}` };
  if (key.length !== GUE_KEY_LEN)
    return { code: "ERR_KEY_LENGTH", message: `the key has ${key.length} bytes, it must have exactly ${GUE_KEY_LEN}` };
  return key;
}

/** A key as it can be written in a command: its text where that is printable, else `hex:`. */
export function formatKey(key: Uint8Array): string {
  const text = String.fromCharCode(...key);
  return /^[!-~]+$/.test(text) && !/^(hex|base64):/.test(text) ? text : `hex:${toHex(key)}`;
}

/** Standard alphabet (RFC 4648 section 4), padding optional but correct where it is given. */
function fromBase64(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  const bare = text.replace(/=+$/, "");
  if (bare.length % 4 === 1 || (text !== bare && text.length % 4 !== 0)) return undefined;
  return Uint8Array.from(atob(bare), (c) => c.charCodeAt(0));
}
