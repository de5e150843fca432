/** The UDP service and its client on real sockets of a namespace. */
import { createSocket } from "node:dgram";
import { helloText } from "../../sim/content.ts";
import type { HasherFactory } from "../../sim/sha256.ts";
import { requestedSize, UDP_ECHO_MAX } from "../../sim/udp-echo.ts";
import { udpReply } from "../common/results.ts";
import {
  AF_INET,
  bindTo,
  closeSocket,
  connectTo,
  IP_FREEBIND,
  IP_MTU_DISCOVER,
  IP_PMTUDISC_DO,
  IP_PMTUDISC_DONT,
  type Namespace,
  receive,
  SOCK_DGRAM,
  SOL_IP,
  SysError,
  send,
  setOption,
  sockaddrIn,
  socket,
} from "./sys.ts";

const POLL_MS = 1;

/** A bound UDP socket. Throws SysError EADDRINUSE. */
function boundSocket(ns: Namespace, addr: number, port: number): number {
  const fd = ns.enter(() => socket(AF_INET, SOCK_DGRAM, 0));
  try {
    // The address is put on lo afterwards.
    setOption(fd, SOL_IP, IP_FREEBIND, 1);
    bindTo(fd, sockaddrIn(addr, port));
    return fd;
  } catch (err) {
    closeSocket(fd);
    throw err;
  }
}

export interface UdpServiceOptions {
  host: string;
  id: string;
  addr: number;
  port: number;
  /** How the endpoint is called in the reply. */
  endpoint: string;
  /** Bytes of a reply whose request asks for no size; as long as the text where left out. */
  replySize?: number;
}

/** Starts the service; gives what stops it. */
export function serveUdp(ns: Namespace, options: UdpServiceOptions): () => void {
  const fd = boundSocket(ns, options.addr, options.port);
  const text = new TextEncoder().encode(helloText(options.id, options.host, options.endpoint));
  const server = createSocket("udp4");
  server.on("message", (request, from) => {
    const asked = requestedSize(request, 0, request.length);
    const size = Math.min(asked >= 0 ? asked : options.replySize || text.length, UDP_ECHO_MAX);
    const reply = new Uint8Array(size).fill(0x2e);
    reply.set(text.subarray(0, size));
    // A reply that cannot be sent is lost, as any datagram may be.
    server.send(reply, from.port, from.address, () => {});
  });
  server.on("error", () => {});
  server.bind({ fd });
  return () => server.close();
}

export interface UdpRequest {
  ip: number;
  port: number;
  localPort?: number;
  payload: Uint8Array;
  df: boolean;
  /** Undefined: no reply is waited for. */
  timeoutMs?: number;
  hasher: HasherFactory;
}

/** Sends one datagram and waits for one reply; gives the values of the command's result. Throws SysError EADDRINUSE. */
export async function askUdp(ns: Namespace, request: UdpRequest): Promise<Record<string, unknown>> {
  const fd = boundSocket(ns, 0, request.localPort ?? 0);
  try {
    setOption(fd, SOL_IP, IP_MTU_DISCOVER, request.df ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT);
    return await exchange(fd, request);
  } catch (err) {
    if (err instanceof SysError) return { error: err.errno };
    throw err;
  } finally {
    closeSocket(fd);
  }
}

async function exchange(fd: number, request: UdpRequest): Promise<Record<string, unknown>> {
  connectTo(fd, sockaddrIn(request.ip, request.port));
  send(fd, request.payload);
  if (request.timeoutMs === undefined) return {};
  const end = performance.now() + request.timeoutMs;
  const buf = new Uint8Array(65_536);
  for (;;) {
    const n = receive(fd, buf);
    if (n >= 0) return udpReply(buf.subarray(0, n), request.hasher());
    if (performance.now() >= end) return { error: "ETIMEDOUT" };
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
