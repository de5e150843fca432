/** An HTTP/1.1 client for one request per connection (RFC 9110, 9112), as curl is used in the demo. Redirects are not followed. */
import { formatIpv4 } from "../wire/ipv4.ts";
import { BODY, BodyReader, bodyFraming, HeadReader, parseResponseHead, type ResponseHead } from "./http-parse.ts";
import { type Hasher, type HasherFactory, sha256 } from "./sha256.ts";
import { type ByteSource, bytesSource } from "./tcp/send-queue.ts";
import type { TcpSocket } from "./tcp/socket.ts";
import type { TcpStack } from "./tcp/stack.ts";
import type { TcpError, TcpHandler } from "./tcp/tcb.ts";
import { SEC, type Timer } from "./types.ts";

/** Why there is no whole answer: TCP's reason, or EPROTO for an answer that is malformed or ends too early. */
export type HttpError = TcpError | "EPROTO";

export interface HttpRequestOptions {
  ip: number;
  port: number;
  /** With its slash. */
  path: string;
  /** GET, or POST where there is a body, when left out. */
  method?: string;
  /** Host field; `ip:port` when left out. */
  host?: string;
  /** Request body. */
  body?: ByteSource;
  /** Source port and address; chosen when left out. */
  localPort?: number;
  localAddr?: number;
  /** For the whole exchange; none when left out. */
  timeoutNs?: number;
  /** Hashes the body of the answer; the built-in SHA-256 when left out. */
  hasher?: HasherFactory;
}

export interface HttpResult {
  /** 0 when no answer came. */
  status: number;
  reason: string;
  /** Names in lower case. */
  headers: Record<string, string>;
  /** The body as text, when it has at most 64 KiB. */
  body?: string;
  /** Body bytes received, and their hash in hex. */
  size: number;
  sha256: string;
  /** From the call to the last byte, or to the error. */
  timeNs: number;
  localPort: number;
  error?: HttpError;
}

/** Largest body that is given as text. */
const TEXT_MAX = 65_536;

/** A request under way. */
export interface HttpExchange {
  /** Gives it up; `done` is called with ECONNABORTED. */
  abort(): void;
}

/** Longest wait for the connection to close behind a complete answer. */
const LINGER_NS = SEC;

/**
 * Sends a request; `done` is called once, never before this returns. After a complete answer it is called when the
 * connection has closed (within a second), so that the next request may use the same port.
 */
export function httpRequest(
  tcp: TcpStack,
  options: HttpRequestOptions,
  done: (result: HttpResult) => void,
): HttpExchange {
  return new Exchange(tcp, options, done);
}

class Exchange implements TcpHandler, HttpExchange {
  private readonly tcp: TcpStack;
  private readonly method: string;
  private readonly options: HttpRequestOptions;
  private readonly done: (result: HttpResult) => void;
  private readonly startNs: number;
  private readonly socket: TcpSocket;
  /** The time limit, then the wait for the close. */
  private readonly timer: Timer;
  private readonly hasher: Hasher;
  private readonly head = new HeadReader();
  private response: ResponseHead | undefined;
  private body: BodyReader | undefined;
  private untilClose = false;
  private small: Uint8Array | undefined = new Uint8Array(0);
  private size = 0;
  private result: HttpResult | undefined;
  private reported = false;

  constructor(tcp: TcpStack, options: HttpRequestOptions, done: (result: HttpResult) => void) {
    this.tcp = tcp;
    this.options = options;
    this.done = done;
    this.method = options.method ?? (options.body === undefined ? "GET" : "POST");
    this.startNs = tcp.clock.now;
    this.hasher = (options.hasher ?? sha256)();
    this.timer = tcp.clock.timer(() => (this.result === undefined ? this.fail("ETIMEDOUT") : this.report()));
    if (options.timeoutNs !== undefined) this.timer.start(options.timeoutNs);
    const { localPort, localAddr } = options;
    this.socket = tcp.connect(options.ip, options.port, this, { localPort, localAddr });
  }

  abort(): void {
    this.fail("ECONNABORTED");
  }

  connected(socket: TcpSocket): void {
    const { ip, port, path, host, body } = this.options;
    const length = body === undefined ? "" : `Content-Length: ${body.length}\r\n`;
    const head =
      `${this.method} ${path} HTTP/1.1\r\nHost: ${host ?? `${formatIpv4(ip)}:${port}`}\r\n` +
      `User-Agent: guelab\r\nAccept: */*\r\n${length}\r\n`;
    socket.write(bytesSource(new TextEncoder().encode(head)));
    if (body !== undefined) socket.write(body);
  }

  data(_socket: TcpSocket, buf: Uint8Array, off: number, len: number): void {
    const end = off + len;
    while (off < end && this.result === undefined) {
      if (this.body !== undefined) {
        off += this.body.push(buf, off, end - off);
        if (this.body.bad) this.fail("EPROTO");
        else if (this.body.done) this.succeed();
        continue;
      }
      off += this.head.push(buf, off, end - off);
      if (this.head.tooLarge) this.fail("EPROTO");
      else if (this.head.done) this.begin();
    }
  }

  ended(): void {
    if (this.result !== undefined) return;
    if (this.untilClose) this.succeed();
    else this.fail("EPROTO");
  }

  closed(_socket: TcpSocket, error?: TcpError): void {
    this.finish(error ?? "EPROTO");
    this.report();
  }

  /** The head is complete; an interim one (1xx) is followed by another. */
  private begin(): void {
    const response = parseResponseHead(this.head.text());
    this.head.reset();
    if (response === undefined) {
      this.fail("EPROTO");
      return;
    }
    if (response.status < 200) return;
    const framing = bodyFraming(response.fields);
    if (typeof framing === "number") {
      this.fail("EPROTO");
      return;
    }
    this.response = response;
    const empty = this.method === "HEAD" || response.status === 204 || response.status === 304;
    this.untilClose = !empty && framing.kind === BODY.UNTIL_CLOSE;
    this.body = new BodyReader(empty ? BODY.LENGTH : framing.kind, empty ? 0 : framing.length, (b, o, n) =>
      this.take(b, o, n),
    );
    if (this.body.done) this.succeed();
  }

  private take(buf: Uint8Array, off: number, len: number): void {
    this.hasher.update(buf, off, len);
    this.size += len;
    if (this.small === undefined) return;
    if (this.size > TEXT_MAX) {
      this.small = undefined;
      return;
    }
    const grown = new Uint8Array(this.size);
    grown.set(this.small);
    grown.set(buf.subarray(off, off + len), this.small.length);
    this.small = grown;
  }

  private succeed(): void {
    this.finish();
    this.timer.start(LINGER_NS);
    this.socket.end();
  }

  private fail(error: HttpError): void {
    this.finish(error);
    this.socket.abort();
    this.report();
  }

  private report(): void {
    if (this.reported || this.result === undefined) return;
    this.reported = true;
    this.timer.stop();
    this.done(this.result);
  }

  private finish(error?: HttpError): void {
    if (this.result !== undefined) return;
    const { response } = this;
    this.result = {
      status: response?.status ?? 0,
      reason: response?.reason ?? "",
      headers: Object.fromEntries(response?.fields ?? []),
      body: this.small === undefined ? undefined : new TextDecoder().decode(this.small),
      size: this.size,
      sha256: this.hasher.hex(),
      timeNs: this.tcp.clock.now - this.startNs,
      localPort: this.socket.localPort,
      error,
    };
  }
}
