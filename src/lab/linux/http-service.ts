/** The demo's HTTP service on a real TCP socket of a namespace: Node's server with what src/sim/http-server.ts serves. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { dataFile, helloText } from "../../sim/content.ts";
import type { ByteSource } from "../../sim/tcp/send-queue.ts";
import {
  AF_INET,
  bindTo,
  closeSocket,
  IP_FREEBIND,
  listenOn,
  type Namespace,
  SO_REUSEADDR,
  SOCK_STREAM,
  SOL_IP,
  SOL_SOCKET,
  setOption,
  sockaddrIn,
  socket,
} from "./sys.ts";

const CHUNK = 65_536;

export interface HttpServiceOptions {
  addr: number;
  port: number;
  serviceId: string;
  node: string;
  /** `ip:port`, for /hello. */
  endpoint: string;
}

/** Listens at once; gives what stops it and resets what is open. Throws SysError EADDRINUSE. */
export function serveHttp(ns: Namespace, options: HttpServiceOptions): () => void {
  const fd = listeningSocket(ns, options.addr, options.port);
  const server = createServer((request, response) => answer(request, response, options));
  const sockets = new Set<Socket>();
  server.on("connection", (connection) => {
    sockets.add(connection);
    connection.on("close", () => sockets.delete(connection));
  });
  server.listen({ fd });
  return () => {
    server.close();
    for (const connection of sockets) connection.resetAndDestroy();
  };
}

function listeningSocket(ns: Namespace, addr: number, port: number): number {
  const fd = ns.enter(() => socket(AF_INET, SOCK_STREAM, 0));
  try {
    setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    // The address is put on lo afterwards.
    setOption(fd, SOL_IP, IP_FREEBIND, 1);
    bindTo(fd, sockaddrIn(addr, port));
    listenOn(fd);
    return fd;
  } catch (err) {
    closeSocket(fd);
    throw err;
  }
}

function answer(request: IncomingMessage, response: ServerResponse, options: HttpServiceOptions): void {
  if (request.method === "POST") {
    const hash = createHash("sha256");
    let length = 0;
    request.on("data", (chunk: Buffer) => {
      length += chunk.length;
      hash.update(chunk);
    });
    request.on("end", () => {
      respond(response, 200, "application/json", JSON.stringify({ length, sha256: hash.digest("hex") }));
    });
    return;
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("Allow", "GET, HEAD, POST");
    respond(response, 405, "text/plain", "not allowed\n");
    return;
  }
  const path = (request.url ?? "").replace(/^http:\/\/[^/]*/, "").replace(/[?#].*$/, "");
  const file = path.startsWith("/") ? dataFile(path.slice(1)) : undefined;
  if (path === "/hello")
    respond(response, 200, "text/plain", helloText(options.serviceId, options.node, options.endpoint));
  else if (file === undefined) respond(response, 404, "text/plain", "not found\n");
  else {
    response.writeHead(200, { "Content-Type": "application/octet-stream", "Content-Length": file.length });
    if (request.method === "HEAD") response.end();
    else Readable.from(chunks(file)).pipe(response);
  }
}

function respond(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(body) });
  response.end(body);
}

function* chunks(source: ByteSource): Generator<Uint8Array> {
  for (let at = 0; at < source.length; at += CHUNK) {
    const n = Math.min(CHUNK, source.length - at);
    const chunk = new Uint8Array(n);
    source.read(at, chunk, 0, n);
    yield chunk;
  }
}
