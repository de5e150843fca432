/**
 * Sockets, ioctls and namespaces of the calling thread, through koffi: what Node's own sockets cannot do, such as raw
 * packets, ports of other namespaces, path MTU settings. Numbers are those of the kernel's UAPI headers.
 */
import type { ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { getSystemErrorName } from "node:util";
import { CLONE_NEWNET, libc, memory, nativeLibrary } from "../../ebpf/libc.ts";
import { LabError } from "../../errors.ts";
import { rd32, wr32 } from "../../wire/bytes.ts";

const AF_UNIX = 1;
export const AF_INET = 2;
export const AF_NETLINK = 16;
export const AF_PACKET = 17;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const IPPROTO_RAW = 255;
export const SOL_IP = 0;
export const SOL_SOCKET = 1;
export const SOL_PACKET = 263;
export const SO_REUSEADDR = 2;
export const IP_MTU_DISCOVER = 10;
export const IP_PMTUDISC_DONT = 0;
export const IP_PMTUDISC_DO = 2;
export const IP_FREEBIND = 15;
export const SO_BINDTODEVICE = 25;
const SO_PEERCRED = 17;
const PACKET_QDISC_BYPASS = 20;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const SOCKADDR_IN_LEN = 16;
export const EAGAIN = 11;

interface Calls {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, addr: Uint8Array, len: number): number;
  connect(fd: number, addr: Uint8Array, len: number): number;
  listen(fd: number, backlog: number): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array, len: number): number;
  sendto(fd: number, buf: Uint8Array, len: number, flags: number, addr: Uint8Array | null, addrLen: number): number;
  recv(fd: number, buf: Uint8Array, len: number, flags: number): number;
  ioctl(fd: number, request: number, arg: Uint8Array): number;
  ifNameToIndex(name: string): number;
  getsockopt(fd: number, level: number, name: number, value: Uint8Array, len: Uint8Array): number;
  getsockname(fd: number, addr: Uint8Array, len: Uint8Array): number;
  errno(): number;
}

let loaded: Calls | undefined;

function calls(): Calls {
  if (loaded !== undefined) return loaded;
  const { koffi, lib } = nativeLibrary();
  loaded = {
    socket: lib.func("int socket(int domain, int type, int protocol)"),
    bind: lib.func("int bind(int fd, const uint8_t *addr, unsigned int len)"),
    connect: lib.func("int connect(int fd, const uint8_t *addr, unsigned int len)"),
    listen: lib.func("int listen(int fd, int backlog)"),
    setsockopt: lib.func("int setsockopt(int fd, int level, int name, const uint8_t *value, unsigned int len)"),
    sendto: lib.func(
      "intptr_t sendto(int fd, const uint8_t *buf, size_t len, int flags, const uint8_t *addr, unsigned int alen)",
    ),
    recv: lib.func("intptr_t recv(int fd, uint8_t *buf, size_t len, int flags)"),
    ioctl: lib.func("int ioctl(int fd, unsigned long request, uint8_t *arg)"),
    ifNameToIndex: lib.func("unsigned int if_nametoindex(const char *name)"),
    getsockopt: lib.func("int getsockopt(int fd, int level, int name, uint8_t *value, uint8_t *len)"),
    getsockname: lib.func("int getsockname(int fd, uint8_t *addr, uint8_t *len)"),
    errno: () => koffi.errno(),
  };
  return loaded;
}

/** A system call that failed; `errno` is its name, such as EADDRINUSE. */
export class SysError extends LabError {
  readonly errno: string;
  constructor(call: string, errno: number) {
    const name = getSystemErrorName(-errno);
    super("ERR_SYSTEM_CALL", `${call}: ${name}`);
    this.errno = name;
  }
}

function check(call: string, ret: number): number {
  if (ret < 0) throw new SysError(call, calls().errno());
  return ret;
}

/** Makes a socket that never blocks, in the namespace that the thread is in. */
export const socket = (domain: number, type: number, protocol: number): number =>
  check("socket", calls().socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));

export const closeSocket = (fd: number): void => closeSync(fd);

/** struct sockaddr_in; address and port in host order. */
export function sockaddrIn(addr: number, port: number): Uint8Array {
  const out = new Uint8Array(SOCKADDR_IN_LEN);
  out[0] = AF_INET;
  out[2] = port >>> 8;
  out[3] = port;
  wr32(out, 4, addr);
  return out;
}

export const bindTo = (fd: number, addr: Uint8Array): void => {
  check("bind", calls().bind(fd, addr, addr.length));
};
export const connectTo = (fd: number, addr: Uint8Array): void => {
  check("connect", calls().connect(fd, addr, addr.length));
};
export const listenOn = (fd: number): void => {
  check("listen", calls().listen(fd, 511));
};

/** Sets an option that is an int, or a struct given as bytes. */
export function setOption(fd: number, level: number, name: number, value: number | Uint8Array): void {
  const bytes = typeof value === "number" ? new Uint8Array(new Int32Array([value]).buffer) : value;
  check("setsockopt", calls().setsockopt(fd, level, name, bytes, bytes.length));
}

/** The process that listens at a Unix socket: its number. Throws SysError, ENOENT or ECONNREFUSED where there is none. */
export function listenerOf(path: string): number {
  const name = new TextEncoder().encode(path);
  const address = new Uint8Array(2 + name.length + 1);
  address[0] = AF_UNIX;
  address.set(name, 2);
  const fd = socket(AF_UNIX, SOCK_STREAM, 0);
  try {
    connectTo(fd, address);
    // struct ucred: pid, uid, gid.
    const cred = new Int32Array(3);
    const bytes = new Uint8Array(cred.buffer);
    check("getsockopt", calls().getsockopt(fd, SOL_SOCKET, SO_PEERCRED, bytes, Uint8Array.of(bytes.length, 0, 0, 0)));
    return cred[0];
  } finally {
    closeSocket(fd);
  }
}

/** Sends one message, to `addr` where the socket is not connected. Throws SysError. */
export function send(fd: number, bytes: Uint8Array, addr?: Uint8Array): void {
  check("sendto", Number(calls().sendto(fd, bytes, bytes.length, 0, addr ?? null, addr?.length ?? 0)));
}

/** Receives one message into `buf`; -1 when there is none. Throws SysError, also for an ICMP error about what was sent. */
export function receive(fd: number, buf: Uint8Array): number {
  const n = Number(calls().recv(fd, buf, buf.length, MSG_DONTWAIT));
  if (n >= 0) return n;
  const errno = calls().errno();
  // Told by its number: an error is costly to make, and mostly there is nothing to receive.
  if (errno === EAGAIN) return -1;
  throw new SysError("recv", errno);
}

/** Number of an interface of the namespace that the thread is in. */
export const ifindexOf = (nic: string): number => check(`if_nametoindex ${nic}`, calls().ifNameToIndex(nic) || -1);

const SIOCETHTOOL = 0x8946;
const IFNAMSIZ = 16;
const ETHTOOL_SRXCSUM = 0x15;
const ETHTOOL_STXCSUM = 0x17;
const ETHTOOL_SSG = 0x19;
const ETHTOOL_STSO = 0x1f;
const ETHTOOL_SGSO = 0x24;
const ETHTOOL_SGRO = 0x2c;

/** Turns checksum and segmentation offloads of an interface off: packets are on the wire as they are in a capture. */
export function offloadsOff(nic: string): void {
  const fd = socket(AF_INET, SOCK_DGRAM, 0);
  try {
    const value = memory(8);
    const ifreq = memory(40);
    ifreq.bytes.set(new TextEncoder().encode(nic.slice(0, IFNAMSIZ - 1)));
    ifreq.view.setBigUint64(IFNAMSIZ, BigInt(value.addr), true);
    for (const cmd of [ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO, ETHTOOL_SSG, ETHTOOL_STXCSUM, ETHTOOL_SRXCSUM]) {
      value.view.setUint32(0, cmd, true);
      value.view.setUint32(4, 0, true);
      const ret = calls().ioctl(fd, SIOCETHTOOL, ifreq.bytes);
      // Some drivers cannot change one of them, and then do not have it; EOPNOTSUPP has the same number.
      if (ret < 0 && getSystemErrorName(-calls().errno()) !== "ENOTSUP") check(`ethtool ${nic}`, ret);
    }
  } finally {
    closeSocket(fd);
  }
}

/** The address that packets to `daddr` leave with, host order; in the namespace that the thread is in. */
export function sourceFor(daddr: number): number {
  const fd = socket(AF_INET, SOCK_DGRAM, 0);
  try {
    connectTo(fd, sockaddrIn(daddr, 9));
    const addr = new Uint8Array(SOCKADDR_IN_LEN);
    check("getsockname", calls().getsockname(fd, addr, Uint8Array.of(SOCKADDR_IN_LEN, 0, 0, 0)));
    return rd32(addr, 4);
  } finally {
    closeSocket(fd);
  }
}

/** struct sockaddr_ll for an interface. */
export function sockaddrLl(ifindex: number, protocol: number): Uint8Array {
  const out = new Uint8Array(20);
  const view = new DataView(out.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, protocol);
  view.setInt32(4, ifindex, true);
  return out;
}

/** Sends a frame as it is out of an interface of the thread's namespace, past tc. */
export function sendFrame(nic: string, frame: Uint8Array): void {
  const fd = socket(AF_PACKET, SOCK_RAW, 0);
  try {
    setOption(fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1);
    send(fd, frame, sockaddrLl(ifindexOf(nic), 0));
  } finally {
    closeSocket(fd);
  }
}

/** A network namespace that this process holds open. */
export class Namespace {
  readonly name: string;
  readonly path: string;
  /** Children that run inside and may outlive a command; they end with the namespace. */
  readonly children = new Set<ChildProcess>();
  /** Whose files, and so whose programs, are used inside: a process by its number; undefined: the machine's. */
  private readonly filesOf: number | undefined;
  private readonly fd: number;
  private readonly home: number;
  private closed = false;

  constructor(name: string, path: string, filesOf?: number) {
    this.name = name;
    this.path = path;
    this.filesOf = filesOf;
    this.fd = openSync(path, "r");
    this.home = openSync("/proc/thread-self/ns/net", "r");
  }

  /**
   * Calls `fn` with the thread inside the namespace: sockets and child processes that it makes belong there. Only what is
   * done before `fn` returns; it must not wait.
   */
  enter<T>(fn: () => T): T {
    const c = libc();
    if (c.setns(this.fd, CLONE_NEWNET) !== 0) throw new SysError(`setns ${this.name}`, c.errno());
    let result: T;
    try {
      result = fn();
    } catch (err) {
      this.leave();
      throw err;
    }
    this.leave();
    return result;
  }

  /** How a program is started so that it is the one of this host; to be called inside. */
  command(program: string, args: readonly string[]): [string, readonly string[]] {
    if (this.filesOf === undefined) return [program, args];
    return ["nsenter", ["--target", String(this.filesOf), "--mount", "--", program, ...args]];
  }

  /** Outside of its own namespace the process must not go on. */
  private leave(): void {
    if (libc().setns(this.home, CLONE_NEWNET) !== 0) throw new SysError("setns", libc().errno());
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const child of this.children) child.kill("SIGKILL");
    closeSync(this.fd);
    closeSync(this.home);
  }
}
