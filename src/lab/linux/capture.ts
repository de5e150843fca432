/**
 * What a NIC sees, from a packet socket with a ring that it shares with the kernel (Documentation/networking/packet_mmap.rst,
 * TPACKET_V2): ingress before tc's hook and egress after it, as tcpdump shows them. No child process, and what was seen is
 * there at once, without waiting for a file to be written.
 */
import { libc, MAP_SHARED, PROT_READ, PROT_WRITE } from "../../ebpf/libc.ts";
import { LabError } from "../../errors.ts";
import type { PacketRecord } from "../../scenario/lab.ts";
import { wr16 } from "../../wire/bytes.ts";
import {
  AF_PACKET,
  bindTo,
  closeSocket,
  type Namespace,
  SOCK_RAW,
  SOL_PACKET,
  setOption,
  sockaddrLl,
  socket,
} from "./sys.ts";

const PACKET_RX_RING = 5;
const PACKET_VERSION = 10;
const TPACKET_V2 = 1;
const ETH_P_ALL = 3;
const PACKET_OUTGOING = 4;
const TP_STATUS_USER = 1;
const TP_STATUS_LOSING = 4;
const TP_STATUS_VLAN_VALID = 0x10;
/** Offsets in struct tpacket2_hdr, and of sll_pkttype in the struct sockaddr_ll behind it. */
const LEN = 4;
const SNAPLEN = 8;
const MAC = 12;
const SEC = 16;
const NSEC = 20;
const VLAN_TCI = 24;
const VLAN_TPID = 26;
const PKTTYPE = 32 + 10;

/** A frame of an MTU of 1,500 with the kernel's headers fits one slot. */
const SLOT = 2048;
/** Of one ring; a lab of many interfaces has smaller ones, so that all of them take no more than RINGS bytes. */
const SLOTS_MAX = 16_384;
const SLOTS_MIN = 1024;
const RINGS = 256 << 20;
const BLOCK = 1 << 16;
/** Bytes of both MAC addresses, behind which a VLAN tag stands, and of the tag. */
export const MACS = 12;
export const VLAN_HLEN = 4;

class Ring {
  readonly host: string;
  readonly nic: string;
  private readonly fd: number;
  private readonly addr: number;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly slots: number;
  private next = 0;

  constructor(host: string, nic: string, ns: Namespace, ifindex: number, slots: number) {
    this.slots = slots;
    this.host = host;
    this.nic = nic;
    this.fd = ns.enter(() => socket(AF_PACKET, SOCK_RAW, 0));
    setOption(this.fd, SOL_PACKET, PACKET_VERSION, TPACKET_V2);
    const size = SLOT * slots;
    setOption(
      this.fd,
      SOL_PACKET,
      PACKET_RX_RING,
      new Uint8Array(new Uint32Array([BLOCK, size / BLOCK, SLOT, slots]).buffer),
    );
    this.addr = libc().mmap(size, PROT_READ | PROT_WRITE, MAP_SHARED, this.fd, 0);
    if (this.addr === -1) {
      closeSocket(this.fd);
      throw new LabError("ERR_CAPTURE", `cannot map the capture ring of ${host}/${nic}`);
    }
    this.bytes = libc().view(this.addr, size);
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, size);
    bindTo(this.fd, sockaddrLl(ifindex, ETH_P_ALL));
  }

  /** Hands over what came in since the last call. */
  drain(since: { sec: number; nsec: number }, out: PacketRecord[]): void {
    const { view } = this;
    for (;;) {
      const at = this.next * SLOT;
      const status = view.getUint32(at, true);
      if ((status & TP_STATUS_USER) === 0) return;
      const len = view.getUint32(at + SNAPLEN, true);
      if (len !== view.getUint32(at + LEN, true))
        throw this.incomplete(`a frame of ${view.getUint32(at + LEN, true)} bytes, which was cut to ${len}`);
      if ((status & TP_STATUS_LOSING) !== 0) throw this.incomplete("more packets at once than it could keep");
      const start = at + view.getUint16(at + MAC, true);
      out.push({
        timeNs: (view.getUint32(at + SEC, true) - since.sec) * 1e9 + (view.getUint32(at + NSEC, true) - since.nsec),
        host: this.host,
        nic: this.nic,
        direction: this.bytes[at + PKTTYPE] === PACKET_OUTGOING ? "out" : "in",
        frame:
          (status & TP_STATUS_VLAN_VALID) !== 0 ? this.tagged(at, start, len) : this.bytes.slice(start, start + len),
      });
      view.setUint32(at, 0, true);
      this.next = (this.next + 1) % this.slots;
    }
  }

  private incomplete(what: string): LabError {
    return new LabError("ERR_CAPTURE", `the capture on ${this.host}/${this.nic} is not complete: there was ${what}`, {
      hint: "Frames of an MTU up to 1,900 bytes are kept; send less at once, or run it in the simulated lab: --lab sim.",
    });
  }

  /** The kernel takes a VLAN tag out of the frame before anybody sees it: here it is put back, as libpcap does. */
  private tagged(at: number, start: number, len: number): Uint8Array {
    const frame = new Uint8Array(len + VLAN_HLEN);
    frame.set(this.bytes.subarray(start, start + MACS));
    wr16(frame, MACS, this.view.getUint16(at + VLAN_TPID, true));
    wr16(frame, MACS + 2, this.view.getUint16(at + VLAN_TCI, true));
    frame.set(this.bytes.subarray(start + MACS, start + len), MACS + VLAN_HLEN);
    return frame;
  }

  close(): void {
    libc().munmap(this.addr, SLOT * this.slots);
    closeSocket(this.fd);
  }
}

/** Often enough that a ring is never full: 16,384 frames are 200 ms at 1 Gbit/s. */
const DRAIN_MS = 10;

export class NicCapture {
  readonly packets: PacketRecord[] = [];
  private readonly rings: Ring[] = [];
  private readonly since: { sec: number; nsec: number };
  private readonly onFresh: (fresh: readonly PacketRecord[]) => void;
  private failure: unknown;
  private timer: NodeJS.Timeout | undefined;

  /** `epochMs`: when the lab's time began, ms since 1970. `onFresh` is called for new packets. */
  constructor(epochMs: number, onFresh: (fresh: readonly PacketRecord[]) => void) {
    this.onFresh = onFresh;
    this.since = { sec: Math.floor(epochMs / 1000), nsec: Math.round((epochMs % 1000) * 1e6) };
  }

  /** `of`: how many interfaces the lab captures on. */
  open(host: string, nic: string, ns: Namespace, ifindex: number, of: number): void {
    const slots = 2 ** Math.floor(Math.log2(RINGS / SLOT / of));
    this.rings.push(new Ring(host, nic, ns, ifindex, Math.max(SLOTS_MIN, Math.min(slots, SLOTS_MAX))));
    this.timer ??= setInterval(() => this.drainUnasked(), DRAIN_MS).unref();
  }

  /** Takes what the rings hold, in the order of time. Throws LabError ERR_CAPTURE when something is missing. */
  drain(): readonly PacketRecord[] {
    if (this.failure !== undefined) throw this.failure;
    const fresh: PacketRecord[] = [];
    for (const ring of this.rings) ring.drain(this.since, fresh);
    fresh.sort((a, b) => a.timeNs - b.timeNs);
    for (const packet of fresh) this.packets.push(packet);
    this.onFresh(fresh);
    return this.packets;
  }

  /** What goes wrong is told to who asks next. */
  private drainUnasked(): void {
    try {
      this.drain();
    } catch (err) {
      this.failure ??= err;
    }
  }

  close(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    if (this.rings.length > 0) this.drainUnasked();
    for (const ring of this.rings.splice(0)) ring.close();
  }
}
