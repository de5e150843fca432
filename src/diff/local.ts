/**
 * What a host's own process sent, seen from the frame that left the host: the IPv4 packet before NAT of sources and the egress
 * hook. And whether any process of the host can have sent it: without that a wrongly forwarded packet would pass as the host's.
 */
import type { ArgValue, Command, EndpointArg } from "../scenario/command.ts";
import { TABLES } from "../tables/schema.ts";
import { typed } from "../tables/typed.ts";
import { rd16, rd32 } from "../wire/bytes.ts";
import { ETH_HLEN, ETH_P_IP, ethType } from "../wire/ethernet.ts";
import { GUE_DATA_HLEN, GUE_FLAGS, GUE_HLEN_DATA, gueCheck, gueFlags, gueHlen, gueIsControl } from "../wire/gue.ts";
import { ICMP_ECHO } from "../wire/icmp.ts";
import {
  IP_OFFMASK,
  IPPROTO_ICMP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPV4_HLEN,
  ipDaddr,
  ipFragOff,
  ipHlen,
  ipProto,
  ipSaddr,
  ipTotLen,
  ipv4Check,
  parseIpv4,
} from "../wire/ipv4.ts";
import { rewriteSource } from "../wire/rewrite.ts";
import { UDP_HLEN } from "../wire/udp.ts";
import { flowKey, type Twin } from "./twin.ts";
import type { CommandMark } from "./watch.ts";

/** The packet as the host's process handed it down; undefined where the host cannot be its origin. */
export function localPacket(twin: Twin, frame: Uint8Array): Uint8Array | undefined {
  if (frame.length < ETH_HLEN || ethType(frame, 0) !== ETH_P_IP || !ipv4Check(frame, ETH_HLEN, frame.length))
    return undefined;
  const packet = frame.slice(ETH_HLEN, ETH_HLEN + ipTotLen(frame, ETH_HLEN));
  const inner = tunnelled(twin, packet);
  if (inner !== undefined) return twin.host.fib.isLocal(ipSaddr(inner, 0)) ? inner : undefined;
  return translatedBack(twin, packet) ?? packet;
}

/** What is behind the header of one of the host's own tunnels. */
function tunnelled(twin: Twin, p: Uint8Array): Uint8Array | undefined {
  const off = IPV4_HLEN + UDP_HLEN;
  if (ipProto(p, 0) !== IPPROTO_UDP || ipHlen(p, 0) !== IPV4_HLEN || !gueCheck(p, off, p.length)) return undefined;
  if (gueIsControl(p, off) || gueHlen(p, off) !== GUE_HLEN_DATA || gueFlags(p, off) !== GUE_FLAGS) return undefined;
  const local = { ip: ipSaddr(p, 0), port: rd16(p, IPV4_HLEN), proto: IPPROTO_UDP, pad: 0 };
  if (typed(TABLES.DECAP, twin.tables.DECAP).get(local) === undefined) return undefined;
  const inner = p.slice(off + GUE_DATA_HLEN);
  return ipv4Check(inner, 0, inner.length) ? inner : undefined;
}

/** Direct return: the source is a proxy endpoint, and a session says of which of the host's services. */
function translatedBack(twin: Twin, p: Uint8Array): Uint8Array | undefined {
  const proto = ipProto(p, 0);
  if ((proto !== IPPROTO_TCP && proto !== IPPROTO_UDP) || (ipFragOff(p, 0) & IP_OFFMASK) !== 0) return undefined;
  const at = ipHlen(p, 0);
  const [saddr, sport, daddr, dport] = [ipSaddr(p, 0), rd16(p, at), ipDaddr(p, 0), rd16(p, at + 2)];
  if (twin.host.fib.isLocal(saddr)) return undefined;
  for (const [{ client, backend }, { proxy }] of typed(TABLES.SESSION, twin.tables.SESSION).entries())
    if (
      proxy.ip === saddr &&
      proxy.port === sport &&
      client.ip === daddr &&
      client.port === dport &&
      client.proto === proto &&
      twin.host.fib.isLocal(backend.ip)
    ) {
      const out = p.slice();
      rewriteSource(out, 0, backend.ip, backend.port);
      return out;
    }
  return undefined;
}

/** Both ends of a packet; ports are 0 where it has none. */
interface Ends {
  proto: number;
  sport: number;
  daddr: number;
  dport: number;
}

type Args = Command["args"];

const toEndpoint =
  (proto: number, ip: ArgValue | undefined, port: ArgValue | undefined, local?: ArgValue) =>
  (e: Ends): boolean =>
    e.proto === proto && e.daddr === ip && e.dport === port && (local === undefined || e.sport === local);

/** Commands that make a host send, and what: by the addresses that their arguments name. */
const SENDERS: Readonly<Record<string, (args: Args) => (e: Ends) => boolean>> = {
  curl(args) {
    const url = /^http:\/\/([\d.]+)(?::(\d+))?/.exec(String(args.url));
    return toEndpoint(IPPROTO_TCP, parseIpv4(url?.[1] ?? ""), Number(url?.[2] ?? 80), args.localPort);
  },
  udp: (args) => toEndpoint(IPPROTO_UDP, args.ip, args.port, args.localPort),
  gue_ping: (args) => toEndpoint(IPPROTO_UDP, args.remoteIp, args.remotePort, args.localPort),
  send_gue({ to, from }) {
    const { ip, port } = to as EndpointArg;
    return toEndpoint(IPPROTO_UDP, ip, port, (from as EndpointArg | undefined)?.port);
  },
  ping: (args) => (e) => e.proto === IPPROTO_ICMP && e.daddr === args.ip,
  test_icmp: (args) => (e) => e.proto === IPPROTO_ICMP && e.daddr === args.ip,
};

/** Why no process of the host can have sent the packet; undefined where one can. `marks`: commands that have begun. */
export function cannotSend(twin: Twin, packet: Uint8Array, marks: readonly CommandMark[]): string | undefined {
  const proto = ipProto(packet, 0);
  const saddr = ipSaddr(packet, 0);
  const isLater = (ipFragOff(packet, 0) & IP_OFFMASK) !== 0;
  const at = ipHlen(packet, 0);
  const isForged = !twin.host.fib.isLocal(saddr);
  if (isLater) return isForged ? "its source is no address of the host" : undefined;
  if (packet.length < at + 4) return "its transport header is not complete";
  if (proto === IPPROTO_ICMP && packet[at] !== ICMP_ECHO) return "the host's kernel should not have sent such an ICMP";
  const hasPorts = proto === IPPROTO_TCP || proto === IPPROTO_UDP;
  const [sport, dport] = hasPorts ? [rd16(packet, at), rd16(packet, at + 2)] : [0, 0];
  const ends = { proto, sport, daddr: ipDaddr(packet, 0), dport };
  const sent = marks.some(
    (m) =>
      senderOf(m, twin.name) &&
      // A forged source is what send_gue is there for.
      (!isForged || (m.command.args.from as EndpointArg | undefined)?.ip === saddr) &&
      SENDERS[m.command.spec.name]?.(m.command.args)(ends),
  );
  if (sent) return undefined;
  if (isForged) return "its source is no address of the host";
  if (!hasPorts) return `no process of the host sends protocol ${proto} there`;
  // An answer to what a process of the host was given.
  if (twin.delivered.has(flowKey(proto, ends.daddr, dport, saddr, sport))) return undefined;
  // The ping daemon sends from its tunnel's own endpoint.
  const tunnel = { ip: saddr, port: sport, proto: IPPROTO_UDP, pad: 0 };
  if (proto === IPPROTO_UDP && typed(TABLES.DECAP, twin.tables.DECAP).get(tunnel) !== undefined) return undefined;
  return "no process of the host can have sent it";
}

function senderOf({ command, refused }: CommandMark, host: string): boolean {
  if (refused !== undefined) return false;
  if (command.spec.name === "test_icmp") {
    const hosts = (command.args.hosts as string[] | undefined) ?? [];
    return hosts.length === 0 ? host.startsWith("gateway.") : hosts.includes(host);
  }
  return (command.host ?? command.args.node) === host;
}

/**
 * The packet that an ICMP "fragmentation needed" of the egress hook is about, as far as its quote tells: what is not quoted
 * is zeros. Undefined for other frames.
 */
export function refusedPacket(twin: Twin, frame: Uint8Array): Uint8Array | undefined {
  if (frame.length < ETH_HLEN + IPV4_HLEN + 8 + IPV4_HLEN || ethType(frame, 0) !== ETH_P_IP) return undefined;
  if (!ipv4Check(frame, ETH_HLEN, frame.length) || ipProto(frame, ETH_HLEN) !== IPPROTO_ICMP) return undefined;
  const icmp = ETH_HLEN + ipHlen(frame, ETH_HLEN);
  if (rd16(frame, icmp) !== 0x0304) return undefined;
  const quote = icmp + 8;
  // The hook's error comes from the packet's own destination.
  if (quote + IPV4_HLEN > frame.length || rd32(frame, quote + 16) !== ipSaddr(frame, ETH_HLEN)) return undefined;
  if (!twin.host.fib.isLocal(ipSaddr(frame, quote))) return undefined;
  const packet = new Uint8Array(Math.max(ipTotLen(frame, quote), frame.length - quote));
  packet.set(frame.subarray(quote));
  return packet;
}
