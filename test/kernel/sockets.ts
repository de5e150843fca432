/** Sockets inside a chosen network namespace, by blocking calls with deadlines: AF_PACKET, UDP and TCP (Linux only). */
import { closeSync, openSync } from "node:fs";
import { createRequire } from "node:module";
import { CLONE_NEWNET, libc } from "../../src/ebpf/libc.ts";
import { parseIpv4 } from "../../src/wire/ipv4.ts";

const AF_INET = 2;
const AF_PACKET = 17;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0x800;
const ETH_P_ALL = 0x0003;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SO_ERROR = 4;
const SOL_PACKET = 263;
const PACKET_IGNORE_OUTGOING = 23;
const PACKET_VNET_HDR = 15;
const IPPROTO_IP = 0;
const IP_MTU_DISCOVER = 10;
const IP_PMTUDISC_DO = 2;
const POLLIN = 1;
const POLLOUT = 4;
const EAGAIN = 11;
export const EMSGSIZE = 90;
const ENOBUFS = 105;
const EINPROGRESS = 115;

/** How long anything may take before a test fails, ms. */
const DEADLINE = 5000;

// biome-ignore lint/suspicious/noExplicitAny: koffi's types say little about what it returns
type Calls = Record<string, (...args: any[]) => number> & { errno(): number };
let loaded: Calls | undefined;

/** Loaded at the first call: a machine without koffi skips these tests. */
function calls(): Calls {
  if (loaded) return loaded;
  const koffi = createRequire(import.meta.url)("koffi");
  const lib = koffi.load(null);
  const f = (text: string) => lib.func(text);
  loaded = {
    errno: () => koffi.errno(),
    socket: f("int socket(int domain, int type, int protocol)"),
    bind: f("int bind(int fd, void *addr, unsigned int len)"),
    connect: f("int connect(int fd, void *addr, unsigned int len)"),
    listen: f("int listen(int fd, int backlog)"),
    accept: f("int accept4(int fd, void *addr, void *len, int flags)"),
    setsockopt: f("int setsockopt(int fd, int level, int name, void *value, unsigned int len)"),
    getsockopt: f("int getsockopt(int fd, int level, int name, void *value, void *len)"),
    send: f("long send(int fd, void *buf, size_t len, int flags)"),
    recv: f("long recv(int fd, void *buf, size_t len, int flags)"),
    poll: f("int poll(void *fds, unsigned long n, int timeout)"),
  } as unknown as Calls;
  return loaded;
}

const must = (ret: number, what: string): number => {
  if (ret < 0) throw new Error(`${what}: errno ${calls().errno()}`);
  return ret;
};

const int32 = (value: number): Uint8Array => new Uint8Array(Int32Array.of(value).buffer);

function sockaddrIn(addr: string, port: number): Uint8Array {
  const out = new Uint8Array(16);
  const view = new DataView(out.buffer);
  view.setUint16(0, AF_INET, true);
  view.setUint16(2, port);
  view.setUint32(4, parseIpv4(addr) as number);
  return out;
}

/** Runs `fn` with the calling thread inside the namespace at `path`; sockets made there stay there. */
export function insideNetns<T>(path: string, fn: () => T): T {
  const home = openSync("/proc/thread-self/ns/net", "r");
  const fd = openSync(path, "r");
  try {
    if (libc().setns(fd, CLONE_NEWNET) !== 0) throw new Error(`setns ${path}: errno ${libc().errno()}`);
    return fn();
  } finally {
    libc().setns(home, CLONE_NEWNET);
    closeSync(fd);
    closeSync(home);
  }
}

/** A socket that never blocks for longer than the deadline. */
class Socket {
  readonly fd: number;
  constructor(fd: number) {
    this.fd = fd;
  }

  /** True when the socket is ready within `ms`. */
  protected ready(events: number, ms: number): boolean {
    const fds = new Uint8Array(8);
    const view = new DataView(fds.buffer);
    view.setInt32(0, this.fd, true);
    view.setInt16(4, events, true);
    return must(calls().poll(fds, 1, ms), "poll") > 0;
  }

  close(): void {
    closeSync(this.fd);
  }
}

/** struct virtio_net_hdr: what a packet socket says of a packet besides its bytes. */
export interface VnetHeader {
  /** Bytes in the skb's linear part; the rest goes to pages when the frame is longer than a page. */
  hdrLen?: number;
  /** 1 = TCP over IPv4, 0 = none. */
  gsoType?: number;
  gsoSize?: number;
  /** Where the L4 checksum begins, and the field's offset from there: the sum is left to the device. */
  csumStart?: number;
  csumOffset?: number;
}
const VNET_HLEN = 10;
const VIRTIO_NET_HDR_F_NEEDS_CSUM = 1;

/** Sends and receives whole frames on one interface. Ingress frames only, seen before tc. */
export class PacketSocket extends Socket {
  private readonly buf = new Uint8Array(70_000 + VNET_HLEN);

  /** Bound to an interface of the namespace at `path`. */
  constructor(path: string, ifindex: number) {
    super(
      insideNetns(path, () =>
        must(calls().socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, ETH_P_ALL << 8), "packet socket"),
      ),
    );
    const addr = new Uint8Array(20);
    const view = new DataView(addr.buffer);
    view.setUint16(0, AF_PACKET, true);
    view.setUint16(2, ETH_P_ALL);
    view.setInt32(4, ifindex, true);
    const set = (level: number, name: number, value: number) =>
      must(calls().setsockopt(this.fd, level, name, int32(value), 4), `socket option ${name}`);
    set(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
    set(SOL_PACKET, PACKET_VNET_HDR, 1);
    set(SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20);
    must(calls().bind(this.fd, addr, 20), "bind");
    while (this.receive(0) !== undefined); // What came before it was bound to the interface.
  }

  send(frame: Uint8Array, header: VnetHeader = {}): void {
    const msg = new Uint8Array(VNET_HLEN + frame.length);
    const view = new DataView(msg.buffer);
    if (header.csumStart !== undefined) msg[0] = VIRTIO_NET_HDR_F_NEEDS_CSUM;
    msg[1] = header.gsoType ?? 0;
    view.setUint16(2, header.hdrLen ?? 0, true);
    view.setUint16(4, header.gsoSize ?? 0, true);
    view.setUint16(6, header.csumStart ?? 0, true);
    view.setUint16(8, header.csumOffset ?? 0, true);
    msg.set(frame, VNET_HLEN);
    const ret = calls().send(this.fd, msg, msg.length, 0);
    // The egress hook's drop is the sender's error.
    if (ret < 0 && calls().errno() !== ENOBUFS) must(ret, `send ${frame.length} bytes`);
  }

  /** The next frame with its GSO size; undefined when none comes within `ms`. */
  receive(ms = DEADLINE): { frame: Uint8Array; gsoSize: number } | undefined {
    if (!this.ready(POLLIN, ms)) return undefined;
    const n = calls().recv(this.fd, this.buf, this.buf.length, 0);
    if (n < 0 && calls().errno() === EAGAIN) return undefined;
    must(n, "recv");
    return {
      frame: this.buf.slice(VNET_HLEN, n),
      gsoSize: new DataView(this.buf.buffer).getUint16(4, true),
    };
  }
}

/** A connected UDP socket that sets DF and learns the path's MTU. */
export class UdpSocket extends Socket {
  private readonly buf = new Uint8Array(70_000);

  constructor(path: string, local: [addr: string, port: number], remote?: [addr: string, port: number]) {
    super(insideNetns(path, () => must(calls().socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), "udp socket")));
    must(calls().bind(this.fd, sockaddrIn(...local), 16), "bind");
    must(calls().setsockopt(this.fd, IPPROTO_IP, IP_MTU_DISCOVER, int32(IP_PMTUDISC_DO), 4), "IP_MTU_DISCOVER");
    if (remote) must(calls().connect(this.fd, sockaddrIn(...remote), 16), "connect");
  }

  /** 0, or the errno. */
  send(payload: Uint8Array): number {
    return calls().send(this.fd, payload, payload.length, 0) < 0 ? calls().errno() : 0;
  }

  /** The next datagram; undefined when none comes within `ms`. */
  receive(ms = DEADLINE): Uint8Array | undefined {
    if (!this.ready(POLLIN, ms)) return undefined;
    const n = calls().recv(this.fd, this.buf, this.buf.length, 0);
    return n < 0 ? undefined : this.buf.slice(0, n);
  }

  /** Waits until the socket has an error (an ICMP came) and takes it; 0 when none comes in time. */
  error(ms = DEADLINE): number {
    this.ready(0, ms); // POLLERR is always reported.
    const value = new Uint8Array(4);
    must(calls().getsockopt(this.fd, SOL_SOCKET, SO_ERROR, value, int32(4)), "SO_ERROR");
    return new DataView(value.buffer).getInt32(0, true);
  }
}

/** A TCP connection. */
export class TcpSocket extends Socket {
  static connect(path: string, remote: [addr: string, port: number]): TcpSocket {
    const fd = insideNetns(path, () => must(calls().socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), "tcp socket"));
    const ret = calls().connect(fd, sockaddrIn(...remote), 16);
    if (ret < 0 && calls().errno() !== EINPROGRESS) must(ret, "connect");
    const socket = new TcpSocket(fd);
    if (!socket.ready(POLLOUT, DEADLINE)) throw new Error("connect: no answer");
    return socket;
  }

  /** Writes what fits now; gives the number of bytes. */
  write(bytes: Uint8Array): number {
    const n = calls().send(this.fd, bytes, bytes.length, 0);
    if (n < 0 && calls().errno() === EAGAIN) return 0;
    return must(n, "send");
  }

  /** Waits for bytes and appends them to `out` at `at`; gives their number, 0 when nothing comes within `ms`. */
  read(out: Uint8Array, at: number, ms: number): number {
    if (!this.ready(POLLIN, ms)) return 0;
    const n = calls().recv(this.fd, out.subarray(at), out.length - at, 0);
    if (n < 0 && calls().errno() === EAGAIN) return 0;
    return must(n, "recv");
  }
}

export class TcpListener extends Socket {
  constructor(path: string, local: [addr: string, port: number]) {
    super(insideNetns(path, () => must(calls().socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), "tcp socket")));
    must(calls().bind(this.fd, sockaddrIn(...local), 16), "bind");
    must(calls().listen(this.fd, 8), "listen");
  }

  accept(): TcpSocket {
    if (!this.ready(POLLIN, DEADLINE)) throw new Error("accept: nobody came");
    return new TcpSocket(must(calls().accept(this.fd, null, null, SOCK_NONBLOCK), "accept"));
  }
}

/** Sends all bytes from one end to the other; gives what came, shorter when it stalls. */
export function transfer(from: TcpSocket, to: TcpSocket, bytes: Uint8Array): Uint8Array {
  const got = new Uint8Array(bytes.length);
  let sent = 0;
  let at = 0;
  while (at < bytes.length) {
    const wrote = sent < bytes.length ? from.write(bytes.subarray(sent, sent + 65_536)) : 0;
    sent += wrote;
    const n = to.read(got, at, wrote > 0 ? 0 : DEADLINE);
    if (n === 0 && wrote === 0) break;
    at += n;
  }
  return got.subarray(0, at);
}
