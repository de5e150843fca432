/**
 * Plain objects for Ethernet II (IEEE 802.3, tags: 802.1Q) and ARP (RFC 826): readable, may allocate, cannot express
 * nonsense. For tests, scenarios and people; the data path uses the accessors.
 */
import { ARP_LEN, arpCheck, arpOper, arpSha, arpSpa, arpTha, arpTpa, writeArp } from "./arp.ts";
import { rd16, wr16 } from "./bytes.ts";
import {
  ETH_HLEN,
  ETH_P_8021AD,
  ETH_P_8021Q,
  ethCheck,
  ethDst,
  ethSrc,
  ethType,
  type Mac,
  setEthDst,
  setEthSrc,
} from "./ethernet.ts";

/** One VLAN tag: its protocol (0x8100 or 0x88a8) and tag control information (priority, DEI, VLAN id). */
export interface VlanTag {
  tpid: number;
  tci: number;
}

export interface EthernetRepr {
  dst: Mac;
  src: Mac;
  /** Outermost first; empty for an untagged frame. */
  vlans: VlanTag[];
  /** EtherType of the payload, behind any tags. */
  type: number;
  /** Everything behind the header, a trailer included. */
  payload: Uint8Array;
}

export interface ArpRepr {
  oper: number;
  sha: Mac;
  /** Addresses in host order. */
  spa: number;
  tha: Mac;
  tpa: number;
}

export const isVlanType = (type: number): boolean => type === ETH_P_8021Q || type === ETH_P_8021AD;

/** Undefined when the header, or a tag that it announces, is not complete. */
export function parseEthernet(b: Uint8Array, off = 0, end = b.length): EthernetRepr | undefined {
  if (!ethCheck(b, off, end)) return undefined;
  const vlans: VlanTag[] = [];
  let type = ethType(b, off);
  let at = off + ETH_HLEN;
  while (isVlanType(type)) {
    if (end - at < 4) return undefined;
    vlans.push({ tpid: type, tci: rd16(b, at) });
    type = rd16(b, at + 2);
    at += 4;
  }
  return { dst: ethDst(b, off), src: ethSrc(b, off), vlans, type, payload: b.slice(at, end) };
}

/** A frame of the repr; it is not padded to 60 bytes. */
export function emitEthernet(r: EthernetRepr): Uint8Array {
  const hlen = ETH_HLEN + 4 * r.vlans.length;
  const out = new Uint8Array(hlen + r.payload.length);
  setEthDst(out, 0, r.dst);
  setEthSrc(out, 0, r.src);
  let at = 12;
  for (const tag of r.vlans) {
    wr16(out, at, tag.tpid);
    wr16(out, at + 2, tag.tci);
    at += 4;
  }
  wr16(out, at, r.type);
  out.set(r.payload, hlen);
  return out;
}

/** Undefined when it is not a whole ARP packet for IPv4 over Ethernet; bytes behind it are ignored. */
export function parseArp(b: Uint8Array, off = 0, end = b.length): ArpRepr | undefined {
  if (off < 0 || !arpCheck(b, off, end)) return undefined;
  return { oper: arpOper(b, off), sha: arpSha(b, off), spa: arpSpa(b, off), tha: arpTha(b, off), tpa: arpTpa(b, off) };
}

export function emitArp(r: ArpRepr): Uint8Array {
  const out = new Uint8Array(ARP_LEN);
  writeArp(out, 0, r.oper, r.sha, r.spa, r.tha, r.tpa);
  return out;
}
