/**
 * The page's whole state in a link: `#s1.` and base64url (RFC 4648 section 5) of a zlib stream (RFC 1950) of JSON. zlib's
 * Adler-32 tells a link that was cut off or mistyped from a whole one. A link comes from anywhere: its length, what it
 * unpacks to and each value's type and size are bounded, and nothing in it is more than text and numbers.
 */
import * as z from "zod";
import { LabError } from "../errors.ts";
import { MAX_YAML_CHARS } from "../scenario/yaml-source.ts";
import type { WhatIf } from "./protocol.ts";

/** Behind `#`: what kind of link it is, and the version of its form. */
const PREFIX = "s1.";
/** Longer links are cut by mail programs and refused by servers that log them. */
export const MAX_LINK_CHARS = 65_536;
/** A link of 64 KB can unpack to 50 MB. */
const MAX_JSON_BYTES = 2 * MAX_YAML_CHARS;
const MAX_CHANGES = 200;
const MAX_TEXT = 500;

const text = (max: number) => z.string().max(max);
const u16 = z.number().int().min(0).max(0xffff);
const seconds = z.number().min(0).max(1e9);
const changeSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("link"), link: text(MAX_TEXT), faults: text(MAX_TEXT) }),
  z.strictObject({ kind: z.literal("stop-pings"), host: text(MAX_TEXT).optional(), first: z.boolean().optional() }),
  z.strictObject({ kind: z.literal("key"), host: text(MAX_TEXT), group: u16, service: u16, key: text(MAX_TEXT) }),
  z.strictObject({ kind: z.literal("nat-udp-timeout"), host: text(MAX_TEXT), seconds, stream: seconds.optional() }),
  z.strictObject({ kind: z.literal("seed"), seed: z.number().int().min(0).max(0xffffffff) }),
  z.strictObject({ kind: z.literal("step"), before: z.number().int().min(1).optional(), text: text(MAX_TEXT) }),
]) satisfies z.ZodType<WhatIf>;
const shareSchema = z.strictObject({
  /** Name of the scenario's file, for messages and downloads. */
  file: text(MAX_TEXT),
  /** The scenario's YAML as in the editor. */
  text: text(MAX_YAML_CHARS),
  /** Topology files that were edited or do not come with guelab, by the name that the scenario gives. */
  topologies: z.record(text(MAX_TEXT), text(MAX_YAML_CHARS)).optional(),
  seed: z.number().int().min(0).max(0xffffffff).optional(),
  /** In the order in which they were made. */
  changes: z.array(changeSchema).max(MAX_CHANGES).optional(),
  /** Number of the selected event. */
  event: z.number().int().min(0).optional(),
  /** Display filter. */
  filter: text(2000).optional(),
  /** Id of the lesson that is open. */
  lesson: text(MAX_TEXT).optional(),
});

export type ShareState = z.infer<typeof shareSchema>;

const RETRY = "Ask for the link again, and copy it whole.";

/** The part of a link behind `#`. Throws LabError ERR_LINK_TOO_LARGE. */
export async function encodeShare(state: ShareState): Promise<string> {
  const json = new TextEncoder().encode(JSON.stringify(state));
  const packed = await through(json, new CompressionStream("deflate"), Number.POSITIVE_INFINITY);
  const out = PREFIX + toBase64url(packed);
  if (json.length > MAX_JSON_BYTES || out.length > MAX_LINK_CHARS)
    throw new LabError("ERR_LINK_TOO_LARGE", `the scenario is too large for a link: ${out.length} characters`, {
      hint: `A link holds at most ${MAX_LINK_CHARS}. Download the scenario and send the file.`,
    });
  return out;
}

/** True when the part of an address behind `#` is meant to be a shared state. */
export const isShare = (hash: string): boolean => /^#?s\d+\./.test(hash);

/**
 * Reads the part of a link behind `#` (with or without the `#`). Throws LabError: ERR_LINK_SYNTAX for what is no link of
 * this kind or is damaged, ERR_LINK_VERSION for one of a later version, ERR_LINK_TOO_LARGE.
 */
export async function decodeShare(hash: string): Promise<ShareState> {
  const link = hash.replace(/^#/, "");
  if (!isShare(link)) throw broken("this is not a shared link", "It begins with #s1.");
  if (!link.startsWith(PREFIX))
    throw new LabError("ERR_LINK_VERSION", `the link is of version ${link.slice(1, link.indexOf("."))}`, {
      hint: "It was made by a later guelab: open it there.",
    });
  if (link.length > MAX_LINK_CHARS)
    throw new LabError("ERR_LINK_TOO_LARGE", `the link has ${link.length} characters`, {
      hint: `At most ${MAX_LINK_CHARS} are read.`,
    });
  const packed = fromBase64url(link.slice(PREFIX.length));
  let json: string;
  try {
    const bytes = await through(packed, new DecompressionStream("deflate"), MAX_JSON_BYTES);
    json = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (err) {
    if (err instanceof LabError) throw err;
    throw broken("the link is damaged or cut off", RETRY, err);
  }
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (err) {
    throw broken("the link does not hold a state", RETRY, err);
  }
  const parsed = shareSchema.safeParse(value);
  if (!parsed.success) {
    const { path, message } = parsed.error.issues[0];
    throw broken(`the link's state is not valid: ${path.join(".") || "state"}: ${message}`, RETRY);
  }
  return parsed.data;
}

const broken = (message: string, hint: string, cause?: unknown): LabError =>
  new LabError("ERR_LINK_SYNTAX", message, { hint, cause });

/** All that a stream gives for these bytes; throws as soon as it is more than `max`. */
async function through(
  bytes: Uint8Array,
  stream: CompressionStream | DecompressionStream,
  max: number,
): Promise<Uint8Array> {
  const writer = stream.writable.getWriter();
  // What goes wrong here is seen by the reader as well.
  const written = writer
    .write(bytes as Uint8Array<ArrayBuffer>)
    .then(() => writer.close())
    .catch(() => undefined);
  const reader = (stream.readable as ReadableStream<Uint8Array>).getReader();
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > max) {
      await reader.cancel().catch(() => undefined);
      throw new LabError("ERR_LINK_TOO_LARGE", "the link unpacks to more than a scenario can be", { hint: RETRY });
    }
    parts.push(value);
  }
  await written;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function toBase64url(bytes: Uint8Array): string {
  let binary = "";
  for (const b of bytes) binary += String.fromCharCode(b);
  return btoa(binary).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function fromBase64url(encoded: string): Uint8Array {
  const bad = encoded.search(/[^A-Za-z0-9_-]/);
  if (bad >= 0) throw broken(`the link has a character that belongs to no link: ${encoded[bad]}`, RETRY);
  if (encoded.length % 4 === 1) throw broken("the link is damaged or cut off", RETRY);
  const binary = atob(encoded.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (c) => c.charCodeAt(0));
}
