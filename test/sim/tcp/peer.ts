/** A user of a connection that remembers what it was told. */

import { Xoshiro128 } from "../../../src/sim/rng.ts";
import { type ByteSource, bytesSource } from "../../../src/sim/tcp/send-queue.ts";
import type { TcpSocket } from "../../../src/sim/tcp/socket.ts";
import type { TcpError, TcpHandler } from "../../../src/sim/tcp/tcb.ts";

export class Peer implements TcpHandler {
  socket: TcpSocket | undefined;
  events: string[] = [];
  error: TcpError | undefined;
  /** Everything received. */
  received: Uint8Array;
  length = 0;
  /** Called after each event. */
  on: Partial<Record<"connected" | "data" | "ended" | "closed", (socket: TcpSocket) => void>>;

  constructor(on: Peer["on"] = {}, capacity = 1 << 20) {
    this.on = on;
    this.received = new Uint8Array(capacity);
  }
  get bytes(): Uint8Array {
    return this.received.subarray(0, this.length);
  }
  connected(socket: TcpSocket): void {
    this.socket = socket;
    this.events.push("connected");
    this.on.connected?.(socket);
  }
  data(socket: TcpSocket, buf: Uint8Array, off: number, len: number): void {
    this.received.set(buf.subarray(off, off + len), this.length);
    this.length += len;
    this.on.data?.(socket);
  }
  ended(socket: TcpSocket): void {
    this.events.push("ended");
    this.on.ended?.(socket);
  }
  closed(socket: TcpSocket, error?: TcpError): void {
    this.error = error;
    this.events.push(error === undefined ? "closed" : `closed ${error}`);
    this.on.closed?.(socket);
  }
}

export function randomBytes(seed: number, length: number): Uint8Array {
  const rng = new Xoshiro128(seed);
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = rng.u32();
  return bytes;
}

export const source = (bytes: Uint8Array): ByteSource => bytesSource(bytes);

/** Offset of the first difference, or -1: what toEqual says of a megabyte takes seconds. */
export function difference(a: Uint8Array, b: Uint8Array): number {
  if (Buffer.compare(a, b) === 0) return -1;
  for (let i = 0; ; i++) if (a[i] !== b[i]) return i;
}
