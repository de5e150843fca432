/** ping: ICMP echo requests from a namespace through a raw socket, and what came of them. */
import type { PingResult } from "../../sim/ping.ts";
import { rd16, rd32, wr16 } from "../../wire/bytes.ts";
import {
  ICMP_DEST_UNREACH,
  ICMP_ECHO,
  ICMP_ECHOREPLY,
  ICMP_FRAG_NEEDED,
  ICMP_HLEN,
  ICMP_ID,
  ICMP_SEQ,
  icmpCode,
  icmpId,
  icmpIsError,
  icmpMtu,
  icmpSendCheck,
  icmpSeq,
  icmpType,
} from "../../wire/icmp.ts";
import { IPPROTO_ICMP, IPV4_HLEN, ipHlen, ipSaddr } from "../../wire/ipv4.ts";
import {
  AF_INET,
  closeSocket,
  IP_MTU_DISCOVER,
  IP_PMTUDISC_DO,
  IP_PMTUDISC_DONT,
  type Namespace,
  receive,
  SO_BINDTODEVICE,
  SOCK_RAW,
  SOL_IP,
  SOL_SOCKET,
  SysError,
  send,
  setOption,
  sockaddrIn,
  socket,
} from "./sys.ts";

export interface PingOptions {
  count: number;
  size: number;
  df: boolean;
  intervalMs: number;
  /** How long the last answer is waited for. */
  timeoutMs: number;
  /** The interface that it goes out of, whatever the routes say. */
  nic?: string;
}

const POLL_MS = 1;
let lastId = 0;

/** Sends the requests and settles when each is answered or given up. */
export async function pingFrom(ns: Namespace, daddr: number, options: PingOptions): Promise<PingResult> {
  const fd = ns.enter(() => socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
  try {
    if (options.nic !== undefined)
      setOption(fd, SOL_SOCKET, SO_BINDTODEVICE, new TextEncoder().encode(`${options.nic}\0`));
    setOption(fd, SOL_IP, IP_MTU_DISCOVER, options.df ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT);
    return await new Ping(fd, daddr, options).run();
  } finally {
    closeSocket(fd);
  }
}

class Ping {
  private readonly fd: number;
  private readonly to: Uint8Array;
  private readonly options: PingOptions;
  private readonly id: number;
  private readonly result: PingResult = { sent: 0, received: 0, rttNs: [], errors: [] };
  /** When each request was sent, ms; -1 once it is settled. */
  private readonly sentAt: number[] = [];
  private readonly buf = new Uint8Array(65_536);

  constructor(fd: number, daddr: number, options: PingOptions) {
    this.fd = fd;
    this.to = sockaddrIn(daddr, 0);
    this.options = options;
    // Other pingers of this process, and those of other processes, have other numbers.
    lastId = ((lastId || process.pid) + 1) & 0xffff;
    this.id = lastId;
  }

  async run(): Promise<PingResult> {
    const { count, intervalMs, timeoutMs } = this.options;
    const start = performance.now();
    for (let seq = 1; seq <= count; seq++) {
      await this.settle(start + (seq - 1) * intervalMs, false);
      this.request(seq);
    }
    await this.settle(performance.now() + timeoutMs, true);
    return this.result;
  }

  /** Reads answers until a moment; or, `early`, until every request has one. */
  private async settle(untilMs: number, early: boolean): Promise<void> {
    for (;;) {
      for (let n = this.read(); n >= 0; n = this.read()) this.take(n);
      if (performance.now() >= untilMs || (early && this.sentAt.every((at) => at < 0))) return;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  private request(seq: number): void {
    const packet = new Uint8Array(ICMP_HLEN + this.options.size);
    packet[0] = ICMP_ECHO;
    wr16(packet, ICMP_ID, this.id);
    wr16(packet, ICMP_SEQ, seq);
    icmpSendCheck(packet, 0, packet.length);
    this.result.sent++;
    try {
      send(this.fd, packet, this.to);
      this.sentAt[seq - 1] = performance.now();
    } catch (err) {
      if (!(err instanceof SysError)) throw err;
      this.sentAt[seq - 1] = -1;
      this.result.errors.push({ seq, type: -1, code: 0, mtu: 0, from: 0 });
    }
  }

  /** Length of a received packet, IPv4 header first; -1 when there is none. */
  private read(): number {
    try {
      return receive(this.fd, this.buf);
    } catch (err) {
      // The error of a packet that is read as an ICMP message as well.
      if (err instanceof SysError) return -1;
      throw err;
    }
  }

  private take(len: number): void {
    const { buf } = this;
    const at = ipHlen(buf, 0);
    if (len < at + ICMP_HLEN) return;
    const type = icmpType(buf, at);
    if (type === ICMP_ECHOREPLY) {
      if (icmpId(buf, at) !== this.id || !this.pending(icmpSeq(buf, at))) return;
      const seq = icmpSeq(buf, at);
      this.result.received++;
      this.result.rttNs.push(Math.round((performance.now() - this.sentAt[seq - 1]) * 1e6));
      this.sentAt[seq - 1] = -1;
      return;
    }
    const quoted = at + ICMP_HLEN;
    if (!icmpIsError(type) || len < quoted + IPV4_HLEN + ICMP_HLEN) return;
    const inner = quoted + ipHlen(buf, quoted);
    if (len < inner + ICMP_HLEN || buf[quoted + 9] !== IPPROTO_ICMP || icmpType(buf, inner) !== ICMP_ECHO) return;
    if (icmpId(buf, inner) !== this.id || rd32(buf, quoted + 16) !== rd32(this.to, 4)) return;
    const seq = rd16(buf, inner + ICMP_SEQ);
    if (!this.pending(seq)) return;
    const code = icmpCode(buf, at);
    const mtu = type === ICMP_DEST_UNREACH && code === ICMP_FRAG_NEEDED ? icmpMtu(buf, at) : 0;
    this.result.errors.push({ seq, type, code, mtu, from: ipSaddr(buf, 0) });
    this.sentAt[seq - 1] = -1;
  }

  private pending = (seq: number): boolean => (this.sentAt[seq - 1] ?? -1) >= 0;
}
