/**
 * Ethernet II (IEEE 802.3) with an optional 802.1Q tag, which guelab sees and passes but never writes.
 *
 *   0                   6                  12      14
 *   +-------------------+------------------+-------+-----------
 *   |    destination    |      source      | type  | payload
 *   +-------------------+------------------+-------+-----------
 */
import { rd16, toHex, wr16 } from "./bytes.ts";

export const ETH_HLEN = 14;
export const ETH_ALEN = 6;
export const ETH_P_IP = 0x0800;
export const ETH_P_ARP = 0x0806;
export const ETH_P_8021Q = 0x8100;
export const ETH_P_8021AD = 0x88a8;
export const ETH_P_IPV6 = 0x86dd;

const DST = 0;
const SRC = 6;
const TYPE = 12;

/** A MAC address as 48-bit number, most significant byte first: exact in a double, comparable, no allocation. */
export type Mac = number;
export const MAC_BROADCAST: Mac = 0xffffffffffff;
export const MAC_ZERO: Mac = 0;

/** True when a whole Ethernet header lies in [off, end). */
export function ethCheck(pkt: Uint8Array, off: number, end: number): boolean {
  return off >= 0 && end <= pkt.length && end - off >= ETH_HLEN;
}
export function rdMac(pkt: Uint8Array, off: number): Mac {
  return (
    ((pkt[off] << 8) | pkt[off + 1]) * 0x100000000 +
    (((pkt[off + 2] << 24) | (pkt[off + 3] << 16) | (pkt[off + 4] << 8) | pkt[off + 5]) >>> 0)
  );
}
export function wrMac(pkt: Uint8Array, off: number, mac: Mac): void {
  wr16(pkt, off, Math.floor(mac / 0x100000000));
  const lo = mac % 0x100000000;
  pkt[off + 2] = lo >>> 24;
  pkt[off + 3] = lo >>> 16;
  pkt[off + 4] = lo >>> 8;
  pkt[off + 5] = lo;
}
export const ethDst = (pkt: Uint8Array, off: number): Mac => rdMac(pkt, off + DST);
export const ethSrc = (pkt: Uint8Array, off: number): Mac => rdMac(pkt, off + SRC);
/** EtherType, 16 bits; 0x8100 or 0x88a8 where a VLAN tag follows. */
export const ethType = (pkt: Uint8Array, off: number): number => rd16(pkt, off + TYPE);
export const setEthDst = (pkt: Uint8Array, off: number, mac: Mac): void => wrMac(pkt, off + DST, mac);
export const setEthSrc = (pkt: Uint8Array, off: number, mac: Mac): void => wrMac(pkt, off + SRC, mac);
export const setEthType = (pkt: Uint8Array, off: number, type: number): void => wr16(pkt, off + TYPE, type);

/** `02:00:00:00:00:01` */
export function formatMac(mac: Mac): string {
  const b = new Uint8Array(6);
  wrMac(b, 0, mac);
  return toHex(b).replace(/(..)(?=.)/g, "$1:");
}
/** Parses `02:00:00:00:00:01`; undefined when it is not a MAC address. */
export function parseMac(text: string): Mac | undefined {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) return undefined;
  return Number.parseInt(text.replace(/:/g, ""), 16);
}
