/**
 * UDP of a host (RFC 768, RFC 1122 section 4.1; net/ipv4/udp.c): sockets, checksums made and verified, ICMP errors to
 * connected sockets, port unreachable where nobody listens.
 */
import type { Skb } from "../dataplane/skb.ts";
import { l4ChecksumOk } from "../wire/checksum.ts";
import { ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, ICMP_PORT_UNREACH, ICMP_PROT_UNREACH } from "../wire/icmp.ts";
import { IPPROTO_UDP, IPV4_HLEN, ipDaddr, ipSaddr } from "../wire/ipv4.ts";
import { UDP_HLEN, udpCheck, udpChecksum, udpDport, udpLength, udpSport, writeUdp } from "../wire/udp.ts";
import type { DropSite, SimEnv } from "./env.ts";
import type { IpStack } from "./ip.ts";
import { RTN_LOCAL } from "./route.ts";
import { L4_OFFSET, type ProtocolHandler } from "./types.ts";

/** Ephemeral ports (net.ipv4.ip_local_port_range). */
export const EPHEMERAL_MIN = 32_768;
export const EPHEMERAL_MAX = 60_999;

/** What a send gave: "ok", or the errno that Linux would give. */
export type UdpStatus = "ok" | "EMSGSIZE" | "ENETUNREACH" | "ECONNREFUSED" | "ENOPROTOOPT";

/**
 * How a socket uses DF (IP_MTU_DISCOVER): "want" sets it where the datagram fits the path MTU and fragments others, "do"
 * always sets it and refuses what does not fit, "dont" never sets it.
 */
export type PmtuMode = "want" | "do" | "dont";

/** A datagram: `len` payload bytes at `buf[off]`, to be read during the call only. `daddr` is the address it came to. */
export type UdpReceiver = (
  buf: Uint8Array,
  off: number,
  len: number,
  saddr: number,
  sport: number,
  daddr: number,
) => void;

export class UdpSocket {
  /** Local endpoint; address 0 = any. */
  readonly addr: number;
  readonly port: number;
  /** Peer of a connected socket; 0 = not connected. */
  peerAddr = 0;
  peerPort = 0;
  pmtuMode: PmtuMode = "want";
  onReceive: UdpReceiver | undefined;
  /** Called when an ICMP message brings an error; without it the error waits for `send` or `takeError`. */
  onError: ((error: UdpStatus) => void) | undefined;
  received = 0;

  readonly layer: UdpLayer;
  private pending: UdpStatus = "ok";

  constructor(layer: UdpLayer, addr: number, port: number, onReceive: UdpReceiver | undefined) {
    this.layer = layer;
    this.addr = addr;
    this.port = port;
    this.onReceive = onReceive;
  }

  /** Only this peer's datagrams are received from now on, and errors about datagrams to it are reported. */
  connect(addr: number, port: number): void {
    this.peerAddr = addr;
    this.peerPort = port;
    this.pending = "ok";
  }

  /** Sends to the connected peer. An error that came in since the last call is returned instead (as SO_ERROR is). */
  send(payload: Uint8Array): UdpStatus {
    const error = this.takeError();
    return error !== "ok" ? error : this.layer.send(this, payload, this.peerAddr, this.peerPort);
  }

  sendTo(payload: Uint8Array, addr: number, port: number): UdpStatus {
    return this.layer.send(this, payload, addr, port);
  }

  /** The error that an ICMP message brought, "ok" when none; forgets it. */
  takeError(): UdpStatus {
    const error = this.pending;
    this.pending = "ok";
    return error;
  }

  setError(error: UdpStatus): void {
    if (this.onError === undefined) this.pending = error;
    else this.onError(error);
  }

  close(): void {
    this.layer.close(this);
  }
}

/** Takes the datagrams of a port before sockets see them, as a fou port does in the kernel. */
export interface UdpEncap {
  /** True when the datagram was handled; payload in `[off, end)`. Does not keep `skb`. */
  input(skb: Skb, ip: number, off: number, end: number): boolean;
}

export class UdpLayer implements ProtocolHandler {
  private readonly env: SimEnv;
  private readonly site: DropSite;
  private readonly ip: IpStack;
  private readonly sockets = new Map<number, UdpSocket[]>();
  private readonly encaps = new Map<number, UdpEncap>();

  constructor(env: SimEnv, site: DropSite, ip: IpStack) {
    this.env = env;
    this.site = site;
    this.ip = ip;
    ip.register(IPPROTO_UDP, this);
  }

  /** Opens a socket; port 0 = an ephemeral one. Undefined when the endpoint is in use (EADDRINUSE). */
  bind(addr: number, port: number, onReceive?: UdpReceiver): UdpSocket | undefined {
    const chosen = port !== 0 ? port : this.ephemeral(addr);
    if (chosen === 0 || this.inUse(addr, chosen)) return undefined;
    const socket = new UdpSocket(this, addr, chosen, onReceive);
    const list = this.sockets.get(chosen);
    if (list === undefined) this.sockets.set(chosen, [socket]);
    else list.push(socket);
    return socket;
  }

  /** True when a socket of that endpoint could not be opened. */
  inUse(addr: number, port: number): boolean {
    if (this.encaps.has(port)) return true;
    return this.sockets.get(port)?.some((s) => s.addr === 0 || addr === 0 || s.addr === addr) ?? false;
  }

  close(socket: UdpSocket): void {
    const list = this.sockets.get(socket.port)?.filter((s) => s !== socket) ?? [];
    if (list.length > 0) this.sockets.set(socket.port, list);
    else this.sockets.delete(socket.port);
  }

  /** False when the port is taken. */
  addEncap(port: number, encap: UdpEncap): boolean {
    if (this.encaps.has(port) || this.sockets.has(port)) return false;
    this.encaps.set(port, encap);
    return true;
  }

  removeEncap(port: number): boolean {
    return this.encaps.delete(port);
  }

  send(socket: UdpSocket, payload: Uint8Array, daddr: number, dport: number): UdpStatus {
    return this.sendFrom(socket.addr, socket.port, daddr, dport, payload, socket.pmtuMode);
  }

  /** Sends a datagram from exactly this endpoint, whoever owns it (as a raw socket can). A `saddr` of 0: by the route. */
  sendFrom(
    saddr: number,
    sport: number,
    daddr: number,
    dport: number,
    payload: Uint8Array,
    mode: PmtuMode = "want",
  ): UdpStatus {
    const src = saddr !== 0 ? saddr : this.ip.sourceFor(daddr);
    if (src === 0) return "ENETUNREACH";
    const len = UDP_HLEN + payload.length;
    if (len > 65_535 - IPV4_HLEN) return "EMSGSIZE";
    const fits = len + IPV4_HLEN <= this.ip.pathMtu(daddr);
    if (mode === "do" && !fits) return "EMSGSIZE";
    const skb = this.ip.allocate(len);
    const off = skb.head + L4_OFFSET;
    skb.buf.set(payload, off + UDP_HLEN);
    writeUdp(skb.buf, off, sport, dport, payload.length, src, daddr);
    return this.ip.output(skb, src, daddr, IPPROTO_UDP, mode === "do" || (mode === "want" && fits))
      ? "ok"
      : "ENETUNREACH";
  }

  input(skb: Skb, ip: number, off: number, end: number): void {
    const { buf } = skb;
    if (!udpCheck(buf, off, end)) {
      this.bad("malformed UDP header", skb);
      return;
    }
    const len = udpLength(buf, off);
    if (udpChecksum(buf, off) !== 0 && !l4ChecksumOk(buf, ip, off, len, IPPROTO_UDP)) {
      this.bad("wrong UDP checksum", skb);
      return;
    }
    const dport = udpDport(buf, off);
    if (this.encaps.get(dport)?.input(skb, ip, off + UDP_HLEN, off + len)) return;
    const saddr = ipSaddr(buf, ip);
    const daddr = ipDaddr(buf, ip);
    const socket = this.lookup(daddr, dport, saddr, udpSport(buf, off));
    if (socket === undefined) {
      if (this.ip.routes.lookup(daddr).type === RTN_LOCAL) {
        this.ip.icmp?.sendError(ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0, skb, undefined);
      }
      this.bad("no socket on the port", skb);
      return;
    }
    socket.received++;
    socket.onReceive?.(buf, off + UDP_HLEN, len - UDP_HLEN, saddr, udpSport(buf, off), daddr);
  }

  icmpError(type: number, code: number, _mtu: number, buf: Uint8Array, ip: number, off: number): void {
    const daddr = ipDaddr(buf, ip);
    const socket = this.lookup(ipSaddr(buf, ip), udpSport(buf, off), daddr, udpDport(buf, off));
    if (socket === undefined || socket.peerAddr === 0) return;
    // Without IP_RECVERR a socket hears of hard errors only (__udp4_lib_err): no route to a host may come back.
    if (type !== ICMP_DEST_UNREACH) return;
    if (code === ICMP_FRAG_NEEDED) {
      if (socket.pmtuMode !== "dont") socket.setError("EMSGSIZE");
    } else if (code === ICMP_PORT_UNREACH) socket.setError("ECONNREFUSED");
    else if (code === ICMP_PROT_UNREACH) socket.setError("ENOPROTOOPT");
  }

  /** The socket that fits best: connected before not connected, bound to the address before any. */
  private lookup(addr: number, port: number, peerAddr: number, peerPort: number): UdpSocket | undefined {
    const list = this.sockets.get(port);
    if (list === undefined) return undefined;
    let best: UdpSocket | undefined;
    let bestScore = -1;
    for (const s of list) {
      if (s.addr !== 0 && s.addr !== addr) continue;
      if (s.peerAddr !== 0 && (s.peerAddr !== peerAddr || s.peerPort !== peerPort)) continue;
      const score = (s.peerAddr !== 0 ? 2 : 0) + (s.addr !== 0 ? 1 : 0);
      if (score > bestScore) {
        best = s;
        bestScore = score;
      }
    }
    return best;
  }

  private ephemeral(addr: number): number {
    const n = EPHEMERAL_MAX - EPHEMERAL_MIN + 1;
    const start = this.ip.rng.below(n);
    for (let i = 0; i < n; i++) {
      const port = EPHEMERAL_MIN + ((start + i) % n);
      if (!this.inUse(addr, port)) return port;
    }
    return 0;
  }

  private bad(reason: string, skb: Skb): void {
    this.env.tap?.onDrop("udp", reason, this.site, skb);
  }
}
