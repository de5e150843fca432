/** Service keys: the 128-bit security field, as pfc_add takes it. */
import { LabError } from "../errors.ts";
import { fromHex, toHex } from "../wire/bytes.ts";
import { GUE_KEY_LEN } from "../wire/gue.ts";

/**
 * Parses a key: `hex:` or `base64:` if it starts so, else text of exactly 16 ASCII characters. Never cut or padded.
 * Throws ERR_KEY.
 */
export function parseKey(text: string): Uint8Array {
  if (text.startsWith("hex:")) return sized(fromHex(text.slice(4)), "hex", text);
  if (text.startsWith("base64:")) return sized(fromBase64(text.slice(7)), "base64", text);
  if (/[^\x20-\x7e]/.test(text))
    throw new LabError("ERR_KEY", "the key holds characters that are not printable ASCII", { hint: HINT });
  const key = Uint8Array.from(text, (c) => c.charCodeAt(0));
  return sized(key, "text", text);
}

const HINT =
  "A key is 16 bytes: 16 ASCII characters, or hex: and 32 digits, or base64: and 24 characters (22 without =).";

function sized(key: Uint8Array | undefined, form: string, text: string): Uint8Array {
  if (key === undefined) throw new LabError("ERR_KEY", `the key '${text}' is not valid ${form}`, { hint: HINT });
  if (key.length !== GUE_KEY_LEN)
    throw new LabError("ERR_KEY", `the key is ${key.length} bytes long, expected ${GUE_KEY_LEN}`, { hint: HINT });
  return key;
}

/** RFC 4648 section 4, padding optional; undefined for anything else. */
function fromBase64(text: string): Uint8Array | undefined {
  const body = text.replace(/={1,2}$/, "");
  if (!/^[A-Za-z0-9+/]*$/.test(body) || body.length % 4 === 1) return undefined;
  if (text.length !== body.length && text.length % 4 !== 0) return undefined;
  const out = new Uint8Array(Math.floor((body.length * 3) / 4));
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  let bits = 0;
  let acc = 0;
  let n = 0;
  for (const c of body) {
    acc = ((acc << 6) | alphabet.indexOf(c)) & 0xffffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out[n++] = acc >>> bits;
    }
  }
  return out;
}

/** A key for people: its text where it is printable ASCII, else `hex:...`. */
export function formatKey(key: Uint8Array): string {
  const text = String.fromCharCode(...key);
  return /^[\x21-\x7e]{16}$/.test(text) && !/^(hex|base64):/.test(text) ? text : `hex:${toHex(key)}`;
}
