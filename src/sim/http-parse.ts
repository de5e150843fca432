/**
 * HTTP/1.1 messages as they arrive, in pieces of any size (RFC 9112): the head, then a body by length, by chunks or until
 * the connection ends. Body bytes are handed on where they lie.
 */

/** Largest head, bytes, and most header fields; beyond them a server answers 431. */
const MAX_HEAD = 16_384;
const MAX_FIELDS = 100;

/** Header fields, names in lower case; repeated ones are joined by ", ". */
export type Fields = Map<string, string>;

export interface RequestHead {
  method: string;
  target: string;
  /** 0 or 1: HTTP/1.minor. */
  minor: number;
  fields: Fields;
}
export interface ResponseHead {
  status: number;
  reason: string;
  minor: number;
  fields: Fields;
}

const LF = 10;
const CR = 13;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Collects a head up to its empty line. */
export class HeadReader {
  private readonly bytes: number[] = [];
  private lineLen = 0;
  /** The empty line was seen: `text()` holds the head. */
  done = false;
  /** More than MAX_HEAD bytes. */
  tooLarge = false;

  /** Takes bytes up to the end of the head; returns how many. */
  push(buf: Uint8Array, off: number, len: number): number {
    for (let i = 0; i < len; i++) {
      const c = buf[off + i];
      // Empty lines before the first one are skipped (RFC 9112 section 2.2).
      if (this.bytes.length === 0 && (c === CR || c === LF)) continue;
      if (this.bytes.length >= MAX_HEAD) {
        this.tooLarge = true;
        return i;
      }
      this.bytes.push(c);
      if (c === LF) {
        if (this.lineLen === 0) {
          this.done = true;
          return i + 1;
        }
        this.lineLen = 0;
      } else if (c !== CR) this.lineLen++;
    }
    return len;
  }

  /** The head as text, a character for a byte. */
  text(): string {
    let s = "";
    for (let i = 0; i < this.bytes.length; i += 1024) s += String.fromCharCode(...this.bytes.slice(i, i + 1024));
    return s;
  }

  /** True when nothing of a head has arrived. */
  get empty(): boolean {
    return this.bytes.length === 0;
  }

  reset(): void {
    this.bytes.length = 0;
    this.lineLen = 0;
    this.done = false;
  }
}

/** Parses a request's head; a number is the status to refuse it with. */
export function parseRequestHead(text: string): RequestHead | number {
  const lines = text.split(/\r?\n/);
  const m = /^([^ ]+) ([^ ]+) HTTP\/(\d)\.(\d)$/.exec(lines[0]);
  if (!m || !TOKEN.test(m[1])) return 400;
  if (m[3] !== "1") return 505;
  const fields = parseFields(lines);
  if (typeof fields === "number") return fields;
  const minor = m[4] === "0" ? 0 : 1;
  const host = fields.get("host");
  // One and only one Host field (RFC 9112 section 3.2); a repeated one was joined by a comma.
  if ((minor === 1 && host === undefined) || host?.includes(",")) return 400;
  return { method: m[1], target: m[2], minor, fields };
}

/** Parses a response's head; undefined when it is none. */
export function parseResponseHead(text: string): ResponseHead | undefined {
  const lines = text.split(/\r?\n/);
  const m = /^HTTP\/1\.(\d) (\d{3})(?: (.*))?$/.exec(lines[0]);
  if (!m) return undefined;
  const fields = parseFields(lines);
  if (typeof fields === "number") return undefined;
  return { status: Number(m[2]), reason: m[3] ?? "", minor: m[1] === "0" ? 0 : 1, fields };
}

function parseFields(lines: string[]): Fields | number {
  const fields: Fields = new Map();
  // The last two lines are empty: the one that ends the head, and what follows its line feed.
  const count = lines.length - 3;
  if (count > MAX_FIELDS) return 431;
  for (let i = 1; i <= count; i++) {
    const colon = lines[i].indexOf(":");
    const name = lines[i].slice(0, colon);
    // Also refuses white space before the colon and folded lines (RFC 9112 section 5.1, 5.2).
    if (colon < 1 || !TOKEN.test(name)) return 400;
    const value = lines[i].slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
    for (let k = 0; k < value.length; k++) {
      const c = value.charCodeAt(k);
      if (c < 32 ? c !== 9 : c === 127) return 400;
    }
    const key = name.toLowerCase();
    const before = fields.get(key);
    fields.set(key, before === undefined ? value : `${before}, ${value}`);
  }
  return fields;
}

/** How a body is delimited. */
export const BODY = { LENGTH: 0, CHUNKED: 1, UNTIL_CLOSE: 2 } as const;

/** Body framing by the fields (RFC 9112 section 6.3): kind and length, or an error status. */
export function bodyFraming(fields: Fields): { kind: number; length: number } | number {
  const coding = fields.get("transfer-encoding");
  const length = fields.get("content-length");
  if (coding !== undefined) {
    if (length !== undefined) return 400;
    return coding.toLowerCase() === "chunked" ? { kind: BODY.CHUNKED, length: 0 } : 501;
  }
  if (length === undefined) return { kind: BODY.UNTIL_CLOSE, length: 0 };
  // A repeated field is tolerated when all its values are the same.
  const values = new Set(length.split(",").map((v) => v.trim()));
  const [value] = values;
  if (values.size !== 1 || !/^\d{1,15}$/.test(value)) return 400;
  return { kind: BODY.LENGTH, length: Number(value) };
}

/** True for a comma-separated list that has `word`, in any case. */
function listHas(list: string | undefined, word: string): boolean {
  return list?.split(",").some((w) => w.trim().toLowerCase() === word) ?? false;
}

/** Whether the connection may serve another message after this one (RFC 9112 section 9.3). */
export function keepsAlive(minor: number, fields: Fields): boolean {
  const connection = fields.get("connection");
  return minor === 0 ? listHas(connection, "keep-alive") : !listHas(connection, "close");
}

/** Receives body bytes: `buf[off..off+len)`, valid during the call. */
export type BodySink = (buf: Uint8Array, off: number, len: number) => void;

const CHUNK = { SIZE: 0, DATA: 1, AFTER: 2, TRAILER: 3 } as const;

/** A body of known length, of chunks, or without an end of its own. */
export class BodyReader {
  private readonly kind: number;
  private left: number;
  private readonly sink: BodySink;
  private state: number = CHUNK.SIZE;
  private line = "";
  done: boolean;
  bad = false;

  constructor(kind: number, length: number, sink: BodySink) {
    this.kind = kind;
    this.left = length;
    this.sink = sink;
    this.done = kind === BODY.LENGTH && length === 0;
  }

  /** Takes bytes up to the end of the body; returns how many. */
  push(buf: Uint8Array, off: number, len: number): number {
    if (this.kind === BODY.CHUNKED) return this.chunked(buf, off, len);
    const n = this.kind === BODY.LENGTH ? Math.min(len, this.left) : len;
    if (n > 0) this.sink(buf, off, n);
    if (this.kind === BODY.LENGTH && (this.left -= n) === 0) this.done = true;
    return n;
  }

  private chunked(buf: Uint8Array, off: number, len: number): number {
    let i = 0;
    while (i < len && !this.done && !this.bad) {
      if (this.state === CHUNK.DATA) {
        const n = Math.min(len - i, this.left);
        this.sink(buf, off + i, n);
        i += n;
        if ((this.left -= n) === 0) this.state = CHUNK.AFTER;
        continue;
      }
      const c = buf[off + i++];
      if (c !== LF) {
        this.line += String.fromCharCode(c);
        if (this.line.length > MAX_HEAD) this.bad = true;
        continue;
      }
      const text = this.line.replace(/\r$/, "");
      this.line = "";
      this.endOfLine(text);
    }
    return i;
  }

  private endOfLine(text: string): void {
    if (this.state === CHUNK.SIZE) {
      const m = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/.exec(text);
      if (!m) {
        this.bad = true;
        return;
      }
      this.left = Number.parseInt(m[1], 16);
      this.state = this.left === 0 ? CHUNK.TRAILER : CHUNK.DATA;
    } else if (this.state === CHUNK.AFTER) {
      if (text !== "") this.bad = true;
      this.state = CHUNK.SIZE;
    } else if (text === "") this.done = true;
  }
}
