/**
 * rtnetlink(7) of one network namespace: dumps of what the kernel has, and word of what changes. Only what the FIB of IPv4
 * needs is decoded: links, addresses, routes, neighbours, forwarding (include/uapi/linux/rtnetlink.h, neighbour.h,
 * netconf.h). Netlink is in the machine's byte order, addresses inside are in network order.
 */
import { LabError } from "../../errors.ts";
import { rd32 } from "../../wire/bytes.ts";
import { type Mac, rdMac } from "../../wire/ethernet.ts";
import {
  AF_INET,
  AF_NETLINK,
  bindTo,
  closeSocket,
  type Namespace,
  receive,
  SOCK_RAW,
  SOL_SOCKET,
  SysError,
  send,
  setOption,
  socket,
} from "./sys.ts";

const NETLINK_ROUTE = 0;
const NLMSG_HLEN = 16;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_REQUEST = 1;
const NLM_F_DUMP = 0x300;
const SO_RCVBUFFORCE = 33;

/** What is asked for, and what the answers and notices are called. */
export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;
export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;
export const RTM_GETNEIGH = 30;
export const RTM_NEWNETCONF = 80;
export const RTM_DELNETCONF = 81;
export const RTM_GETNETCONF = 82;

/** Multicast groups (RTNLGRP_*) as bits of nl_groups: LINK, NEIGH, IPV4_IFADDR, IPV4_ROUTE, IPV4_NETCONF. */
const GROUPS = [1, 3, 5, 7, 24].reduce((bits, group) => bits | (1 << (group - 1)), 0);

/** Bytes of the message's own header behind struct nlmsghdr: the attributes follow it. */
const FIXED: Readonly<Record<number, number>> = {
  [RTM_NEWLINK]: 16,
  [RTM_DELLINK]: 16,
  [RTM_NEWADDR]: 8,
  [RTM_DELADDR]: 8,
  [RTM_NEWROUTE]: 12,
  [RTM_DELROUTE]: 12,
  [RTM_NEWNEIGH]: 12,
  [RTM_DELNEIGH]: 12,
  [RTM_NEWNETCONF]: 4,
  [RTM_DELNETCONF]: 4,
};

/** One message; it is overwritten by the next one: what is kept of it must be copied. */
export class NetlinkMessage {
  type = 0;
  /** The message's own header starts here in `view`. */
  at = 0;
  view: DataView = new DataView(new ArrayBuffer(0));
  private bytes: Uint8Array = new Uint8Array(0);
  /** Offset and length of the attributes by type; length -1: there is none. */
  private readonly offsets = new Int32Array(64);
  private readonly lengths = new Int32Array(64);

  /** Decodes the message at `at` of `bytes`, which is `len` bytes long with its header. */
  set(bytes: Uint8Array, view: DataView, at: number, len: number): void {
    this.type = view.getUint16(at + 4, true);
    this.at = at + NLMSG_HLEN;
    this.bytes = bytes;
    this.view = view;
    this.lengths.fill(-1);
    const end = at + len;
    let a = this.at + (FIXED[this.type] ?? len);
    while (a + 4 <= end) {
      const length = view.getUint16(a, true);
      const type = view.getUint16(a + 2, true) & 0x3fff;
      if (length < 4 || a + length > end) break;
      if (type < 64) {
        this.offsets[type] = a + 4;
        this.lengths[type] = length - 4;
      }
      a += (length + 3) & ~3;
    }
  }

  u8 = (off: number): number => this.view.getUint8(this.at + off);
  u16 = (off: number): number => this.view.getUint16(this.at + off, true);
  s32 = (off: number): number => this.view.getInt32(this.at + off, true);
  u32 = (off: number): number => this.view.getUint32(this.at + off, true);
  has = (attribute: number): boolean => this.lengths[attribute] >= 0;
  /** An attribute in the machine's byte order; `otherwise` where it is not there. */
  attr32 = (attribute: number, otherwise = 0): number =>
    this.lengths[attribute] >= 4 ? this.view.getUint32(this.offsets[attribute], true) : otherwise;
  /** An IPv4 address in host order; 0 where it is not there. */
  attrIp = (attribute: number): number =>
    this.lengths[attribute] === 4 ? rd32(this.bytes, this.offsets[attribute]) : 0;
  /** A MAC address; -1 where it is not there. */
  attrMac = (attribute: number): Mac =>
    this.lengths[attribute] === 6 ? rdMac(this.bytes, this.offsets[attribute]) : -1;
  /** First next hop of RTA_MULTIPATH: its interface, and the address in its RTA_GATEWAY (0 where it has none). */
  firstHop(attribute: number): { ifindex: number; via: number } {
    const at = this.offsets[attribute];
    const end = at + Math.min(this.lengths[attribute], this.view.getUint16(at, true));
    let via = 0;
    for (let a = at + 8; a + 8 <= end; a += (this.view.getUint16(a, true) + 3) & ~3) {
      if (this.view.getUint16(a, true) < 4) break;
      if (this.view.getUint16(a + 2, true) === RTA_GATEWAY) via = rd32(this.bytes, a + 4);
    }
    return { ifindex: this.view.getInt32(at + 4, true), via };
  }
}

/** Attributes of RTM_*ROUTE. */
export const RTA_DST = 1;
export const RTA_OIF = 4;
export const RTA_GATEWAY = 5;
export const RTA_PRIORITY = 6;
export const RTA_PREFSRC = 7;
export const RTA_MULTIPATH = 9;
export const RTA_TABLE = 15;

/** Receive buffer of the kernel: a dump's messages come in pieces of up to 32 KiB. */
const BUFFER = 1 << 16;
const RCVBUF = 1 << 20;

/** Two sockets in a namespace: one asks, the other is told. */
export class Netlink {
  private readonly asking: number;
  private readonly told: number;
  private readonly buf = new Uint8Array(BUFFER);
  private readonly view = new DataView(this.buf.buffer);
  private readonly message = new NetlinkMessage();

  constructor(ns: Namespace) {
    const [asking, told] = ns.enter(() => [netlinkSocket(0), netlinkSocket(GROUPS)]);
    this.asking = asking;
    this.told = told;
  }

  /**
   * Hands over everything of one kind, such as RTM_GETROUTE; the kernel answers at once. Throws LabError ERR_NETLINK, SysError.
   */
  dump(type: number, each: (m: NetlinkMessage) => void): void {
    const request = new Uint8Array(NLMSG_HLEN + 16);
    const view = new DataView(request.buffer);
    view.setUint32(0, request.length, true);
    view.setUint16(4, type, true);
    view.setUint16(6, NLM_F_REQUEST | NLM_F_DUMP, true);
    // The family stands first in each kind's header; links are of none.
    request[NLMSG_HLEN] = type === RTM_GETLINK ? 0 : AF_INET;
    send(this.asking, request);
    for (;;) {
      const n = receive(this.asking, this.buf);
      // The kernel answers inside send and recv: it never has to be waited for.
      if (n < 0) throw new LabError("ERR_NETLINK", `the kernel gave no end of what it has (netlink message ${type})`);
      if (this.read(n, each)) return;
    }
  }

  /**
   * Hands over what changed since the last call. False when more changed than the kernel kept word of: then everything is to be
   * read again.
   */
  changes(each: (m: NetlinkMessage) => void): boolean {
    try {
      for (let n = receive(this.told, this.buf); n >= 0; n = receive(this.told, this.buf)) this.read(n, each);
      return true;
    } catch (err) {
      if (err instanceof SysError && err.errno === "ENOBUFS") return false;
      throw err;
    }
  }

  close(): void {
    closeSocket(this.asking);
    closeSocket(this.told);
  }

  /** True at the end of a dump. */
  private read(n: number, each: (m: NetlinkMessage) => void): boolean {
    const { view } = this;
    for (let at = 0; at + NLMSG_HLEN <= n; ) {
      const len = view.getUint32(at, true);
      const type = view.getUint16(at + 4, true);
      if (type === NLMSG_DONE) return true;
      if (type === NLMSG_ERROR) throw new SysError("netlink", -view.getInt32(at + NLMSG_HLEN, true));
      if (len < NLMSG_HLEN || at + len > n) break;
      if (type in FIXED) {
        this.message.set(this.buf, view, at, len);
        each(this.message);
      }
      at += (len + 3) & ~3;
    }
    return false;
  }
}

function netlinkSocket(groups: number): number {
  const fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  try {
    if (groups !== 0) setOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, RCVBUF);
    const address = new Uint8Array(12);
    const view = new DataView(address.buffer);
    view.setUint16(0, AF_NETLINK, true);
    view.setUint32(8, groups >>> 0, true);
    bindTo(fd, address);
    return fd;
  } catch (err) {
    closeSocket(fd);
    throw err;
  }
}
