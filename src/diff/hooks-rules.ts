/** Hook by hook: what the kernel is free to choose, and what a checksum that it leaves to the NIC looks like. */
import { rd16, rd32 } from "../wire/bytes.ts";
import { csumFold, csumPseudo } from "../wire/checksum.ts";
import { ETH_HLEN } from "../wire/ethernet.ts";
import {
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPV4_DADDR,
  IPV4_SADDR,
  IPV4_TOT_LEN,
  ipHlen,
  ipProto,
  ipv4Check,
} from "../wire/ipv4.ts";
import { innerOffset } from "./same.ts";

export const HOOK_RULES = {
  "fib-answer":
    "What bpf_fib_lookup answers is the kernel's: the reference gets the answer that the programs got. It is compared with what the host's routes and neighbours say at the end.",
  "fib-moment":
    "A neighbour's MAC address was not known at that moment and is now, or the other way round: when a host asks for it, and how long it keeps it, is its own timing.",
  "checksum-offload":
    "A host leaves the L4 checksum of what it sends to the NIC: the field holds the sum of the pseudo header (CHECKSUM_PARTIAL), before the hook and behind it, and is compared as such.",
  order:
    "Two runs of hooks, or a run and a write to a table, happened at the same time: that order is taken in which all of them are equal.",
} as const;
export type HookRule = keyof typeof HOOK_RULES;

/** Offset of an L4 checksum field; -1 where the packet at `ip` has none. */
function checkField(b: Uint8Array, ip: number): number {
  if (!ipv4Check(b, ip, b.length)) return -1;
  const proto = ipProto(b, ip);
  const field = proto === IPPROTO_TCP ? 16 : proto === IPPROTO_UDP ? 6 : -1;
  const at = ip + ipHlen(b, ip) + field;
  return field < 0 || at + 2 > b.length ? -1 : at;
}

/** True when the L4 checksum field of the packet at `ip` holds its pseudo header's sum. */
function leftToNic(b: Uint8Array, ip: number): boolean {
  const at = checkField(b, ip);
  if (at < 0) return false;
  const len = rd16(b, ip + IPV4_TOT_LEN) - ipHlen(b, ip);
  const want = csumFold(csumPseudo(rd32(b, ip + IPV4_SADDR), rd32(b, ip + IPV4_DADDR), ipProto(b, ip), len));
  // 0 and 0xffff are one number in this arithmetic.
  return (rd16(b, at) - want) % 0xffff === 0;
}

/** Where the packet that the host itself made begins: behind a tunnel header, if there is one. */
const ownPacket = (b: Uint8Array): number =>
  ipv4Check(b, ETH_HLEN, b.length) ? innerOffset(b, ETH_HLEN) || ETH_HLEN : -1;

/**
 * True when the frames differ in nothing but the L4 checksum, which in the frame that went in (`before`) and in the real one
 * behind the hook is left to the NIC.
 */
export function equalButOffload(before: Uint8Array, real: Uint8Array, reference: Uint8Array): boolean {
  if (real.length !== reference.length) return false;
  const from = ownPacket(before);
  const ip = ownPacket(real);
  if (from < 0 || ip < 0 || !leftToNic(before, from) || !leftToNic(real, ip)) return false;
  const at = checkField(real, ip);
  return real.every((byte, i) => byte === reference[i] || i === at || i === at + 1);
}
