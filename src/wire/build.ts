/**
 * Builds frames from short descriptions, for tests and scenarios: what is left out gets a sensible default, and lengths
 * and checksums are computed. `raw` members write wrong values on purpose.
 */
import { wr16 } from "./bytes.ts";
import { ETH_P_ARP, ETH_P_IP, type Mac, parseMac } from "./ethernet.ts";
import { GUE_KEY_LEN } from "./gue.ts";
import { IPPROTO_ICMP, IPPROTO_IPIP, IPPROTO_TCP, IPPROTO_UDP, IPV4_CHECK, IPV4_TOT_LEN, parseIpv4 } from "./ipv4.ts";
import { emitGue } from "./repr-gue.ts";
import { emitIcmp, type IcmpRepr } from "./repr-icmp.ts";
import { emitIpv4, type Ipv4Repr } from "./repr-ipv4.ts";
import { emitArp, emitEthernet, type VlanTag } from "./repr-link.ts";
import { emitTcp, emitUdp, type TcpRepr } from "./repr-transport.ts";
import { UDP_CHECK, UDP_LEN } from "./udp.ts";

/** An address as text or host-order number. */
export type Addr = string | number;
export type MacLike = string | Mac;

/** The IP packet part of a description: at most one of `udp`, `tcp`, `icmp`; without any, `payload` follows the header. */
export interface IpSpec {
  ip?: Partial<Omit<Ipv4Repr, "saddr" | "daddr" | "payload">> & {
    src?: Addr;
    dst?: Addr;
    raw?: { totLen?: number; check?: number; versionIhl?: number };
  };
  udp?: { sport?: number; dport?: number; checksum?: boolean; raw?: { length?: number; check?: number } };
  tcp?: Partial<Omit<TcpRepr, "payload">>;
  icmp?: IcmpRepr;
  /** Stands in the UDP payload. With `inner` a data packet, otherwise a ping. */
  gue?: { group?: number; service?: number; key?: Uint8Array | string; tunnelId?: number };
  /** Plain Linux GUE (Hlen 0) instead of `gue`. */
  guePlain?: { proto?: number };
  /** The packet inside `gue` or `guePlain`; its MAC header and trailer are not written. */
  inner?: IpSpec;
  /** Text is written as UTF-8. */
  payload?: Uint8Array | string;
}

export interface PacketSpec extends IpSpec {
  eth?: { src?: MacLike; dst?: MacLike; type?: number; vlans?: VlanTag[] };
  arp?: { oper?: number; sha?: MacLike; spa?: Addr; tha?: MacLike; tpa?: Addr };
  /** Bytes behind the IP packet, as Ethernet padding is. */
  trailer?: Uint8Array;
}

const EMPTY = new Uint8Array(0);
const bytesOf = (v: Uint8Array | string | undefined): Uint8Array =>
  typeof v === "string" ? new TextEncoder().encode(v) : (v ?? EMPTY);

function addrOf(v: Addr | undefined, def: number): number {
  const addr = typeof v === "string" ? parseIpv4(v) : (v ?? def);
  if (addr === undefined) throw new RangeError(`not an IPv4 address: ${v}`);
  return addr;
}

function macOf(v: MacLike | undefined, def: Mac): Mac {
  const mac = typeof v === "string" ? parseMac(v) : (v ?? def);
  if (mac === undefined) throw new RangeError(`not a MAC address: ${v}`);
  return mac;
}

/** A frame, MAC header first. Throws RangeError for text that is no address. */
export function buildPacket(spec: PacketSpec): Uint8Array {
  const src = macOf(spec.eth?.src, 0x020000000001);
  const dst = macOf(spec.eth?.dst, 0x020000000002);
  const body = spec.arp ? buildArp(spec.arp, src) : buildIp(spec);
  const trailer = spec.trailer ?? EMPTY;
  const payload = new Uint8Array(body.length + trailer.length);
  payload.set(body);
  payload.set(trailer, body.length);
  const type = spec.eth?.type ?? (spec.arp ? ETH_P_ARP : ETH_P_IP);
  return emitEthernet({ dst, src, vlans: spec.eth?.vlans ?? [], type, payload });
}

function buildArp(arp: NonNullable<PacketSpec["arp"]>, src: Mac): Uint8Array {
  return emitArp({
    oper: arp.oper ?? 1,
    sha: macOf(arp.sha, src),
    spa: addrOf(arp.spa, 0x0a000001),
    tha: macOf(arp.tha, 0),
    tpa: addrOf(arp.tpa, 0x0a000002),
  });
}

/** An IPv4 packet without MAC header. */
export function buildIp(spec: IpSpec): Uint8Array {
  const saddr = addrOf(spec.ip?.src, 0x0a000001);
  const daddr = addrOf(spec.ip?.dst, 0x0a000002);
  const { src: _src, dst: _dst, raw, ...fields } = spec.ip ?? {};
  const [proto, payload] = buildL4(spec, saddr, daddr);
  const out = emitIpv4({
    tos: 0,
    id: 0,
    rf: false,
    df: false,
    mf: false,
    fragOffset: 0,
    ttl: 64,
    proto,
    options: [],
    ...fields,
    saddr,
    daddr,
    payload,
  });
  if (raw?.versionIhl !== undefined) out[0] = raw.versionIhl;
  if (raw?.totLen !== undefined) wr16(out, IPV4_TOT_LEN, raw.totLen);
  if (raw?.check !== undefined) wr16(out, IPV4_CHECK, raw.check);
  return out;
}

function buildL4(spec: IpSpec, saddr: number, daddr: number): [proto: number, bytes: Uint8Array] {
  if (spec.icmp) return [IPPROTO_ICMP, emitIcmp(spec.icmp)];
  if (spec.tcp) {
    const fields = { seq: 1, ack: 0, flags: 0x10, window: 64240, urgent: 0, options: [], sport: 1024, dport: 80 };
    return [IPPROTO_TCP, emitTcp({ ...fields, ...spec.tcp, payload: bytesOf(spec.payload) }, saddr, daddr)];
  }
  if (!spec.udp && !spec.gue && !spec.guePlain) return [253, bytesOf(spec.payload)];
  const udp = spec.udp ?? {};
  const tunnelled = spec.gue !== undefined || spec.guePlain !== undefined;
  const out = emitUdp(
    {
      sport: udp.sport ?? (tunnelled ? 6080 : 1024),
      dport: udp.dport ?? (tunnelled ? 6080 : 7),
      checksum: udp.checksum ?? !tunnelled,
      payload: buildGue(spec) ?? bytesOf(spec.payload),
    },
    saddr,
    daddr,
  );
  if (udp.raw?.length !== undefined) wr16(out, UDP_LEN, udp.raw.length);
  if (udp.raw?.check !== undefined) wr16(out, UDP_CHECK, udp.raw.check);
  return [IPPROTO_UDP, out];
}

function buildGue(spec: IpSpec): Uint8Array | undefined {
  const inner = spec.inner ? buildIp(spec.inner) : bytesOf(spec.payload);
  if (spec.guePlain) return emitGue({ kind: "plain", proto: spec.guePlain.proto ?? IPPROTO_IPIP, payload: inner });
  if (!spec.gue) return undefined;
  const key = new Uint8Array(GUE_KEY_LEN);
  key.set(bytesOf(spec.gue.key).subarray(0, GUE_KEY_LEN));
  const id = { group: spec.gue.group ?? 1, service: spec.gue.service ?? 100, key };
  if (spec.inner) return emitGue({ kind: "data", ...id, payload: inner });
  const { tunnelId } = spec.gue;
  return emitGue(tunnelId === undefined ? { kind: "ping", ...id } : { kind: "ping", ...id, tunnelId });
}
