/**
 * The demo's HTTP service (RFC 9110, 9112): `/hello`, the data files, and POST of a body of any length, which is answered
 * with its length and hash. Connections are kept alive; requests may be pipelined, answers keep their order.
 */
import { formatIpv4 } from "../wire/ipv4.ts";
import { dataFile, helloText } from "./content.ts";
import {
  BODY,
  BodyReader,
  bodyFraming,
  HeadReader,
  keepsAlive,
  parseRequestHead,
  type RequestHead,
} from "./http-parse.ts";
import { type Hasher, type HasherFactory, sha256 } from "./sha256.ts";
import { type ByteSource, bytesSource } from "./tcp/send-queue.ts";
import type { TcpSocket } from "./tcp/socket.ts";
import type { TcpListener, TcpStack } from "./tcp/stack.ts";
import type { TcpHandler } from "./tcp/tcb.ts";

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  431: "Request Header Fields Too Large",
  501: "Not Implemented",
  505: "HTTP Version Not Supported",
};

export interface HttpServerOptions {
  addr: number;
  port: number;
  serviceId: string;
  /** Name of the node, for /hello. */
  node: string;
  /** Hashes POST bodies; the built-in SHA-256 when left out. */
  hasher?: HasherFactory;
}

export class HttpServer {
  /** Requests answered. */
  requests = 0;
  private readonly options: HttpServerOptions;
  private readonly listener: TcpListener;
  private readonly sockets = new Set<TcpSocket>();

  /** Listens at once. Throws ERR_ENDPOINT_IN_USE. */
  constructor(tcp: TcpStack, options: HttpServerOptions) {
    this.options = options;
    this.listener = tcp.listen(options.addr, options.port, (socket) => {
      this.sockets.add(socket);
      return new Connection(this, socket);
    });
  }

  /** Stops listening and resets what is open, as a killed server does. */
  close(): void {
    this.listener.close();
    for (const socket of this.sockets) socket.abort();
  }

  /** A connection is over. */
  forget(socket: TcpSocket): void {
    this.sockets.delete(socket);
  }

  newHasher(): Hasher {
    return (this.options.hasher ?? sha256)();
  }

  /** The body of a GET, undefined when there is nothing of that name. A query is ignored. */
  resource(target: string): { body: ByteSource; type: string } | undefined {
    const { addr, port, serviceId, node } = this.options;
    const path = target.replace(/^http:\/\/[^/]*/, "").replace(/[?#].*$/, "");
    if (path === "/hello")
      return { body: text(helloText(serviceId, node, `${formatIpv4(addr)}:${port}`)), type: "text/plain" };
    const body = path.startsWith("/") ? dataFile(path.slice(1)) : undefined;
    return body && { body, type: "application/octet-stream" };
  }
}

class Connection implements TcpHandler {
  private readonly server: HttpServer;
  private readonly socket: TcpSocket;
  private readonly head = new HeadReader();
  private request: RequestHead | undefined;
  private body: BodyReader | undefined;
  private hasher: Hasher | undefined;
  private bodyLength = 0;
  /** The last answer was given: what still arrives is not looked at. */
  private closing = false;

  constructor(server: HttpServer, socket: TcpSocket) {
    this.server = server;
    this.socket = socket;
  }

  data(_socket: TcpSocket, buf: Uint8Array, off: number, len: number): void {
    const end = off + len;
    while (off < end && !this.closing) {
      if (this.body !== undefined) {
        off += this.body.push(buf, off, end - off);
        if (this.body.bad) this.refuse(400);
        else if (this.body.done) this.answer();
        continue;
      }
      off += this.head.push(buf, off, end - off);
      if (this.head.tooLarge) this.refuse(431);
      else if (this.head.done) this.begin();
    }
  }

  ended(socket: TcpSocket): void {
    socket.end();
  }

  closed(socket: TcpSocket): void {
    this.server.forget(socket);
  }

  /** A head is complete. */
  private begin(): void {
    const request = parseRequestHead(this.head.text());
    if (typeof request === "number") {
      this.refuse(request);
      return;
    }
    const framing = bodyFraming(request.fields);
    if (typeof framing === "number") {
      this.refuse(framing);
      return;
    }
    this.head.reset();
    this.request = request;
    this.bodyLength = 0;
    this.hasher = request.method === "POST" ? this.server.newHasher() : undefined;
    // A request without a length has no body (RFC 9112 section 6.3).
    const kind = framing.kind === BODY.UNTIL_CLOSE ? BODY.LENGTH : framing.kind;
    this.body = new BodyReader(kind, framing.length, (buf, off, len) => {
      this.bodyLength += len;
      this.hasher?.update(buf, off, len);
    });
    if (this.body.done) this.answer();
    else if (request.fields.get("expect")?.toLowerCase() === "100-continue") {
      this.socket.write(text("HTTP/1.1 100 Continue\r\n\r\n"));
    }
  }

  /** A request is complete with its body. */
  private answer(): void {
    const request = this.request as RequestHead;
    this.body = undefined;
    this.server.requests++;
    const keep = keepsAlive(request.minor, request.fields);
    if (request.method === "POST") {
      const json = JSON.stringify({ length: this.bodyLength, sha256: this.hasher?.hex() });
      this.respond(200, text(json), "application/json", true, keep);
    } else if (request.method === "GET" || request.method === "HEAD") {
      const found = this.server.resource(request.target);
      const body = found?.body ?? text("not found\n");
      this.respond(found ? 200 : 404, body, found?.type ?? "text/plain", request.method === "GET", keep);
    } else this.respond(405, text("not allowed\n"), "text/plain", true, keep, "Allow: GET, HEAD, POST\r\n");
  }

  private refuse(status: number): void {
    this.respond(status, text(`${REASONS[status].toLowerCase()}\n`), "text/plain", true, false);
  }

  private respond(status: number, body: ByteSource, type: string, withBody: boolean, keep: boolean, more = ""): void {
    const head =
      `HTTP/1.1 ${status} ${REASONS[status]}\r\nServer: guelab\r\nContent-Type: ${type}\r\n` +
      `Content-Length: ${body.length}\r\n${more}${keep ? "" : "Connection: close\r\n"}\r\n`;
    this.socket.write(text(head));
    if (withBody) this.socket.write(body);
    if (keep) return;
    this.closing = true;
    this.socket.end();
  }
}

function text(s: string): ByteSource {
  return bytesSource(new TextEncoder().encode(s));
}
