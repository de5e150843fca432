/**
 * TAP interfaces (Documentation/networking/tuntap.rst) and epoll(7) through koffi. Frames are read to and written from
 * addresses, so that nothing is copied or allocated on the way.
 */
import { closeSync, constants, existsSync, openSync } from "node:fs";
import { getSystemErrorName } from "node:util";
import { libc, memory, nativeLibrary } from "../../ebpf/libc.ts";
import { LabError } from "../../errors.ts";
import { type Mac, wrMac } from "../../wire/ethernet.ts";
import { AF_INET, closeSocket, type Namespace, SOCK_DGRAM, SysError, socket } from "./sys.ts";

const DEVICE = "/dev/net/tun";
const TUNSETIFF = 0x400454ca;
const TUNGETFEATURES = 0x800454cf;
const TUNSETPERSIST = 0x400454cb;
const TUNSETCARRIER = 0x400454e2;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const IFNAMSIZ = 16;
const SIOCSIFMTU = 0x8922;
const SIOCSIFHWADDR = 0x8924;
const SIOCSIFTXQLEN = 0x8943;
const ARPHRD_ETHER = 1;
/** Frames that wait to be read; the kernel drops what is more. */
const QUEUE = 4096;

const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLLIN = 1;
/** struct epoll_event is packed on x86-64 only. */
const EVENT_SIZE = process.arch === "x64" ? 12 : 16;
const EVENT_DATA = EVENT_SIZE - 8;
const EVENTS = 64;
const EFD_NONBLOCK = 0o4000;
const EFD_CLOEXEC = 0o2000000;

type Done = (err: unknown, n: number) => void;

export interface TapCalls {
  /** Bytes of the next frame, put to `addr`; negative when there is none, or on an error (`errno()`). */
  read(fd: number, addr: number, max: number): number;
  write(fd: number, addr: number, len: number): number;
  errno(): number;
}

interface Calls extends TapCalls {
  ioctl(fd: number, request: number, arg: number): number;
  epollCreate(flags: number): number;
  epollCtl(epoll: number, op: number, fd: number, event: number): number;
  epollWait(epoll: number, events: number, max: number, timeoutMs: number): number;
  epollWaitAsync(epoll: number, events: number, max: number, timeoutMs: number, done: Done): void;
  eventfd(value: number, flags: number): number;
}

let loaded: Calls | undefined;

function calls(): Calls {
  if (loaded !== undefined) return loaded;
  const { koffi, lib } = nativeLibrary();
  const epollWait = lib.func("int epoll_wait(int epfd, size_t events, int max, int timeout)");
  loaded = {
    // A frame is shorter than 2^31 bytes: the low half of the result tells all.
    read: lib.func("int read(int fd, size_t addr, size_t max)"),
    write: lib.func("int write(int fd, size_t addr, size_t len)"),
    errno: () => koffi.errno(),
    ioctl: lib.func("int ioctl(int fd, unsigned long request, size_t arg)"),
    epollCreate: lib.func("int epoll_create1(int flags)"),
    epollCtl: lib.func("int epoll_ctl(int epfd, int op, int fd, size_t event)"),
    epollWait,
    epollWaitAsync: epollWait.async,
    eventfd: lib.func("int eventfd(unsigned int value, int flags)"),
  };
  return loaded;
}

/** For the path of packets. */
export const tapCalls = (): TapCalls => calls();

/** Throws LabError ERR_NO_TUN where this machine makes no TAP interfaces, and ERR_NO_KOFFI. */
export function requireTun(device = DEVICE): void {
  const c = calls();
  let cause: unknown;
  try {
    const fd = openSync(device, constants.O_RDWR);
    const ret = c.ioctl(fd, TUNGETFEATURES, memory(4).addr);
    closeSync(fd);
    if (ret >= 0) return;
  } catch (err) {
    cause = err;
  }
  const why = existsSync(device) ? "is not usable" : "does not exist";
  throw new LabError("ERR_NO_TUN", `the data path reference needs TAP interfaces, and ${device} ${why}`, {
    hint: "Load the module: modprobe tun (in a container: --device /dev/net/tun). Or use --datapath ebpf.",
    cause,
  });
}

export interface TapSettings {
  name: string;
  mac: Mac;
  /** Bytes of an IP packet. */
  mtu: number;
}

/**
 * Makes a TAP interface in a namespace; gives its descriptor, with which it goes. Reading and writing never block. No offload
 * is offered: what is read are whole frames with their checksums. Throws SysError.
 */
export function openTap(ns: Namespace, { name, mac, mtu }: TapSettings): number {
  // The interface comes to be where the descriptor was opened; its settings are those of a socket there.
  const [fd, at] = ns.enter(() => [
    openSync(DEVICE, constants.O_RDWR | constants.O_NONBLOCK),
    socket(AF_INET, SOCK_DGRAM, 0),
  ]);
  const ifreq = memory(40);
  const set = (what: string, on: number, request: number, put: (view: DataView, off: number) => void): void => {
    put(ifreq.view, IFNAMSIZ);
    if (calls().ioctl(on, request, ifreq.addr) < 0) throw new SysError(`${what} ${name}`, calls().errno());
  };
  try {
    ifreq.bytes.set(new TextEncoder().encode(name.slice(0, IFNAMSIZ - 1)));
    set("TUNSETIFF", fd, TUNSETIFF, (view, off) => view.setUint16(off, IFF_TAP | IFF_NO_PI, true));
    set("SIOCSIFHWADDR", fd, SIOCSIFHWADDR, (view, off) => {
      view.setUint16(off, ARPHRD_ETHER, true);
      wrMac(ifreq.bytes, off + 2, mac);
    });
    set("SIOCSIFMTU", at, SIOCSIFMTU, (view, off) => view.setInt32(off, mtu, true));
    set("SIOCSIFTXQLEN", at, SIOCSIFTXQLEN, (view, off) => view.setInt32(off, QUEUE, true));
    return fd;
  } catch (err) {
    closeSync(fd);
    throw err;
  } finally {
    closeSocket(at);
  }
}

/** Pulls the cable, or plugs it in. Throws SysError. */
export function setCarrier(fd: number, on: boolean): void {
  const value = memory(4);
  value.view.setInt32(0, on ? 1 : 0, true);
  const c = calls();
  if (c.ioctl(fd, TUNSETCARRIER, value.addr) < 0) throw new SysError("TUNSETCARRIER", c.errno());
}

/**
 * Closes a TAP interface, which is to go with its namespace: at once it would take the kernel tens of milliseconds, for
 * every one of them.
 */
export function leaveTap(fd: number): void {
  calls().ioctl(fd, TUNSETPERSIST, 1);
  closeSync(fd);
}

export const errnoOf = (c: TapCalls): string => getSystemErrorName(-c.errno());

/** Descriptors that are waited for together; each has a number of the caller's. */
export class Epoll {
  private readonly c = calls();
  private readonly fd: number;
  /** Wakes a wait that is under way. */
  private readonly wake: number;
  private readonly event = memory(EVENT_SIZE);
  private readonly ready = memory(EVENTS * EVENT_SIZE);
  /** Apart from `ready`: another thread writes it. */
  private readonly told = memory(EVENT_SIZE);
  private waiting = false;
  private closed = false;

  constructor() {
    libc();
    this.fd = this.c.epollCreate(EFD_CLOEXEC);
    this.wake = this.c.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    this.control(EPOLL_CTL_ADD, this.wake, 0xffffffff);
  }

  add(fd: number, number: number): void {
    this.control(EPOLL_CTL_ADD, fd, number);
  }

  remove(fd: number): void {
    this.control(EPOLL_CTL_DEL, fd, 0);
  }

  /** How many are ready now; their numbers are what `number` says. */
  poll(): number {
    return this.c.epollWait(this.fd, this.ready.addr, EVENTS, 0);
  }

  /** Number of the `i`-th that is ready. */
  number(i: number): number {
    return this.ready.view.getUint32(i * EVENT_SIZE + EVENT_DATA, true);
  }

  /** Calls `done` when one is ready, or after a while, from a thread that waits; not after `close`. */
  wait(timeoutMs: number, done: () => void): void {
    this.waiting = true;
    this.c.epollWaitAsync(this.fd, this.told.addr, 1, timeoutMs, () => {
      this.waiting = false;
      if (this.closed) this.free();
      else done();
    });
  }

  close(): void {
    this.closed = true;
    if (!this.waiting) this.free();
    else {
      this.event.view.setBigUint64(0, 1n, true);
      this.c.write(this.wake, this.event.addr, 8);
    }
  }

  private free(): void {
    closeSync(this.wake);
    closeSync(this.fd);
  }

  private control(op: number, fd: number, number: number): void {
    this.event.view.setUint32(0, EPOLLIN, true);
    this.event.view.setUint32(EVENT_DATA, number, true);
    if (this.c.epollCtl(this.fd, op, fd, this.event.addr) < 0) throw new SysError("epoll_ctl", this.c.errno());
  }
}
