/**
 * A UDP service that answers with who it is: "HELLO 'id' from 'host' listening on ip:port", cut or filled up with dots to
 * the size that the request's first word asks for, or to a default.
 */
import type { UdpLayer, UdpSocket } from "./udp.ts";

/** The most that fits one datagram. */
export const UDP_ECHO_MAX = 65_507;

export interface UdpEchoOptions {
  host: string;
  /** Service id, or any name. */
  id: string;
  /** Local endpoint, and how it is to be called in the reply. */
  addr: number;
  port: number;
  endpoint: string;
  /** Bytes of a reply whose request asks for no size; 0 = as long as the text. */
  replySize?: number;
}

export class UdpEcho {
  /** Requests answered. */
  answered = 0;
  private readonly socket: UdpSocket;
  private readonly text: Uint8Array;
  private readonly replySize: number;

  private constructor(socket: UdpSocket, opts: UdpEchoOptions) {
    this.socket = socket;
    this.text = new TextEncoder().encode(`HELLO '${opts.id}' from '${opts.host}' listening on ${opts.endpoint}`);
    this.replySize = opts.replySize ?? 0;
    const { layer } = socket;
    // Replies come from the address that the request was sent to, also of a socket bound to any.
    socket.onReceive = (buf, off, len, saddr, sport, daddr) => {
      this.answered++;
      layer.sendFrom(daddr, socket.port, saddr, sport, this.reply(requestedSize(buf, off, len)), socket.pmtuMode);
    };
  }

  /** Undefined when the endpoint is in use. */
  static start(udp: UdpLayer, opts: UdpEchoOptions): UdpEcho | undefined {
    const socket = udp.bind(opts.addr, opts.port);
    return socket === undefined ? undefined : new UdpEcho(socket, opts);
  }

  stop(): void {
    this.socket.close();
  }

  private reply(size: number): Uint8Array {
    const n = Math.min(size >= 0 ? size : this.replySize || this.text.length, UDP_ECHO_MAX);
    const out = new Uint8Array(n).fill(0x2e);
    out.set(this.text.subarray(0, n));
    return out;
  }
}

/** The decimal number that a request starts with, up to a blank or its end; -1 when it starts with none. */
export function requestedSize(buf: Uint8Array, off: number, len: number): number {
  let size = 0;
  let i = 0;
  for (; i < len && i < 6; i++) {
    const digit = buf[off + i] - 0x30;
    if (digit < 0 || digit > 9) break;
    size = size * 10 + digit;
  }
  const ends = i === len || buf[off + i] === 0x20 || buf[off + i] === 0x0a;
  return i > 0 && ends ? size : -1;
}
