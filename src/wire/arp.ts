/**
 * ARP for IPv4 over Ethernet (RFC 826): 28 bytes behind the MAC header.
 *
 *   htype ptype hlen plen oper | sender MAC, sender IP | target MAC, target IP
 */
import { rd16, rd32, wr16, wr32 } from "./bytes.ts";
import { ETH_P_IP, type Mac, rdMac, wrMac } from "./ethernet.ts";

export const ARP_LEN = 28;
export const ARPOP_REQUEST = 1;
export const ARPOP_REPLY = 2;

/** True when [off, end) holds an ARP packet for IPv4 over Ethernet. */
export function arpCheck(pkt: Uint8Array, off: number, end: number): boolean {
  return (
    end <= pkt.length &&
    end - off >= ARP_LEN &&
    rd16(pkt, off) === 1 &&
    rd16(pkt, off + 2) === ETH_P_IP &&
    pkt[off + 4] === 6 &&
    pkt[off + 5] === 4
  );
}
export const arpOper = (pkt: Uint8Array, off: number): number => rd16(pkt, off + 6);
export const arpSha = (pkt: Uint8Array, off: number): Mac => rdMac(pkt, off + 8);
export const arpSpa = (pkt: Uint8Array, off: number): number => rd32(pkt, off + 14);
export const arpTha = (pkt: Uint8Array, off: number): Mac => rdMac(pkt, off + 18);
export const arpTpa = (pkt: Uint8Array, off: number): number => rd32(pkt, off + 24);

/** Writes a whole ARP packet; addresses in host order. */
export function writeArp(
  pkt: Uint8Array,
  off: number,
  oper: number,
  sha: Mac,
  spa: number,
  tha: Mac,
  tpa: number,
): void {
  wr16(pkt, off, 1);
  wr16(pkt, off + 2, ETH_P_IP);
  pkt[off + 4] = 6;
  pkt[off + 5] = 4;
  wr16(pkt, off + 6, oper);
  wrMac(pkt, off + 8, sha);
  wr32(pkt, off + 14, spa);
  wrMac(pkt, off + 18, tha);
  wr32(pkt, off + 24, tpa);
}
