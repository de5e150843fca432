/**
 * Which port netfilter found where the wanted one was taken: the kernel begins its search at random, so the twin asks the real
 * run. The port is tried first; the twin still refuses one that is taken, and one outside of the class cannot be named.
 */
import type { PacketRecord } from "../scenario/lab.ts";
import { rd16 } from "../wire/bytes.ts";
import { ETH_HLEN } from "../wire/ethernet.ts";
import { ICMP_ID } from "../wire/icmp.ts";
import { IPPROTO_ICMP, IPV4_ID, ipHlen, ipProto, ipTotLen } from "../wire/ipv4.ts";
import { innerOffset, isIpv4 } from "./same.ts";

/** First port of a class, by the number of its ports (dataplane/masquerade.ts portClassMin). */
const CLASS_MIN: Readonly<Record<number, number>> = { 511: 1, 424: 600, 64512: 1024 };
/** A forwarded packet leaves soon. */
const AHEAD_NS = 100_000_000;

export class PortAhead {
  private readonly packets: readonly PacketRecord[];
  private readonly used: () => void;
  private at = 0;
  private current: Uint8Array | undefined;

  /** `packets` in the order of time; `used` is called when a port was taken from the real run. */
  constructor(packets: readonly PacketRecord[], used: () => void) {
    this.packets = packets;
    this.used = used;
  }

  /** The packet that twins are being given, by its place. */
  look(at: number): void {
    this.at = at;
    this.current = this.packets[at].frame;
  }

  /** Where to start among `range` ports. */
  choose = (host: string, range: number): number => {
    const min = CLASS_MIN[range];
    const port = this.find(host);
    if (min === undefined || port === undefined || port < min || port >= min + range) return 0;
    this.used();
    return port - min;
  };

  private find(host: string): number | undefined {
    const { packets, at, current } = this;
    if (current === undefined) return undefined;
    for (let i = at; i < packets.length && packets[i].timeNs <= packets[at].timeNs + AHEAD_NS; i++) {
      const p = packets[i];
      if (p.host === host && p.direction === "out" && samePayload(current, p.frame)) return sourcePort(p.frame);
    }
    return undefined;
  }
}

const innermost = (frame: Uint8Array): number => innerOffset(frame, ETH_HLEN) || ETH_HLEN;

/** Forwarding and NAT leave the IP ID, the length and what is behind the ports and checksums as they were. */
function samePayload(a: Uint8Array, b: Uint8Array): boolean {
  if (!isIpv4(a) || !isIpv4(b)) return false;
  const [x, y] = [innermost(a), innermost(b)];
  if (rd16(a, x + IPV4_ID) !== rd16(b, y + IPV4_ID) || ipTotLen(a, x) !== ipTotLen(b, y)) return false;
  if (ipProto(a, x) !== ipProto(b, y) || ipHlen(a, x) !== ipHlen(b, y)) return false;
  const from = ipHlen(a, x) + (ipProto(a, x) === IPPROTO_ICMP ? 8 : 20);
  for (let i = from; i < ipTotLen(a, x); i++) if (a[x + i] !== b[y + i]) return false;
  return true;
}

function sourcePort(frame: Uint8Array): number {
  const at = innermost(frame);
  return rd16(frame, at + ipHlen(frame, at) + (ipProto(frame, at) === IPPROTO_ICMP ? ICMP_ID : 0));
}
