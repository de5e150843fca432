/** Takes a frame apart: Ethernet (IEEE 802.3) with 802.1Q tags, ARP (RFC 826) here, the rest in dissect-*.ts. Never throws. */
import { ARP_LEN, arpCheck, arpOper, arpSha, arpSpa, arpTha, arpTpa } from "./arp.ts";
import { rd16 } from "./bytes.ts";
import { dissectIpv4 } from "./dissect-ipv4.ts";
import {
  add,
  addBits,
  addBytes,
  bytesLayer,
  type Dissection,
  type DissectOptions,
  hex,
  type LayerNode,
  layer,
  truncated,
} from "./dissect-types.ts";
import { ETH_HLEN, ETH_P_ARP, ETH_P_IP, ETH_P_IPV6, ethDst, ethSrc, ethType, formatMac, type Mac } from "./ethernet.ts";
import { formatIpv4 } from "./ipv4.ts";
import { isVlanType } from "./repr-link.ts";

export type { DissectOptions, FieldNode, LayerNode } from "./dissect-types.ts";

const ETHERNET = "IEEE 802.3";
const DOT1Q = "IEEE 802.1Q section 9.6";
const ARP = "RFC 826";

/** Name of an EtherType; empty for one that nobody here knows. */
export function etherTypeName(type: number): string {
  if (type === ETH_P_IP) return "IPv4";
  if (type === ETH_P_ARP) return "ARP";
  if (type === ETH_P_IPV6) return "IPv6";
  if (type === 0x8100) return "802.1Q";
  return type === 0x88a8 ? "802.1Q-QinQ" : "";
}

/** The outermost layer of an Ethernet frame; what it carries are its children. */
export function dissect(frame: Uint8Array, options: DissectOptions = {}): LayerNode {
  return dissectEthernet({ b: frame, tunnelPorts: new Set(options.tunnelPorts) });
}

/** All layers in the order in which they stand in the frame. */
export function flatten(root: LayerNode): LayerNode[] {
  return [root, ...root.children.flatMap(flatten)];
}

/** The first layer of a name, in frame order; undefined when there is none. */
export function findLayer(root: LayerNode, name: string): LayerNode | undefined {
  return flatten(root).find((l) => l.name === name);
}

function macMeaning(mac: Mac): string {
  if (mac === 0xffffffffffff) return "broadcast";
  const first = Math.floor(mac / 2 ** 40);
  return (first & 1 ? "group" : "individual") + (first & 2 ? ", locally administered" : "");
}

function dissectEthernet(d: Dissection): LayerNode {
  const { b } = d;
  const out = layer("ethernet", "Ethernet II", 0, ETH_HLEN);
  if (b.length < ETH_HLEN) return truncated(out, b, 0, b.length, ETH_HLEN);
  const [dst, src] = [ethDst(b, 0), ethSrc(b, 0)];
  add(out, "destination", 0, 6, formatMac(dst), formatMac(dst), macMeaning(dst), ETHERNET);
  add(out, "source", 6, 6, formatMac(src), formatMac(src), macMeaning(src), ETHERNET);
  const type = ethType(b, 0);
  add(out, "type", 12, 2, type, hex(type), etherTypeName(type), ETHERNET);
  dissectPayload(d, out, type, ETH_HLEN);
  return out;
}

function dissectPayload(d: Dissection, parent: LayerNode, type: number, off: number): void {
  const { b } = d;
  if (isVlanType(type)) parent.children.push(dissectVlan(d, off));
  else if (type === ETH_P_ARP) parent.children.push(...dissectArp(b, off));
  else if (type === ETH_P_IP) {
    const ip = dissectIpv4(d, off, b.length, "whole");
    parent.children.push(ip);
  } else if (off < b.length) parent.children.push(bytesLayer(b, "payload", "Payload", off, b.length));
}

function dissectVlan(d: Dissection, off: number): LayerNode {
  const { b } = d;
  const out = layer("vlan", "802.1Q tag", off, 4);
  if (b.length - off < 4) return truncated(out, b, off, b.length, 4);
  const tci = rd16(b, off);
  addBits(out, "priority", off, 0, 3, tci >>> 13, String(tci >>> 13), "", DOT1Q);
  addBits(out, "drop eligible", off, 3, 1, (tci >>> 12) & 1, String((tci >>> 12) & 1), "", DOT1Q);
  addBits(out, "vlan id", off, 4, 12, tci & 0xfff, String(tci & 0xfff), "", DOT1Q);
  const type = rd16(b, off + 2);
  add(out, "type", off + 2, 2, type, hex(type), etherTypeName(type), ETHERNET);
  dissectPayload(d, out, type, off + 4);
  return out;
}

function dissectArp(b: Uint8Array, off: number): LayerNode[] {
  const out = layer("arp", "ARP", off, ARP_LEN);
  if (b.length - off < ARP_LEN) return [truncated(out, b, off, b.length, ARP_LEN)];
  if (!arpCheck(b, off, b.length)) {
    addBytes(out, b, "bytes", off, b.length, ARP);
    out.length = b.length - off;
    out.notes.push("not ARP for IPv4 over Ethernet");
    return [out];
  }
  add(out, "hardware type", off, 2, 1, "1", "Ethernet", ARP);
  add(out, "protocol type", off + 2, 2, ETH_P_IP, hex(ETH_P_IP), "IPv4", ARP);
  add(out, "hardware length", off + 4, 1, 6, "6", "bytes of a MAC address", ARP);
  add(out, "protocol length", off + 5, 1, 4, "4", "bytes of an IPv4 address", ARP);
  const oper = arpOper(b, off);
  const operation = oper === 1 ? "request: who has the target address?" : oper === 2 ? "reply" : "";
  add(out, "operation", off + 6, 2, oper, String(oper), operation, ARP);
  const mac = (name: string, at: number, v: Mac, meaning: string): void =>
    add(out, name, at, 6, formatMac(v), formatMac(v), meaning, ARP);
  const ip = (name: string, at: number, v: number, meaning: string): void =>
    add(out, name, at, 4, v, formatIpv4(v), meaning, ARP);
  mac("sender MAC", off + 8, arpSha(b, off), "");
  ip("sender IP", off + 14, arpSpa(b, off), arpSpa(b, off) === arpTpa(b, off) ? "gratuitous: its own address" : "");
  mac("target MAC", off + 18, arpTha(b, off), oper === 1 ? "not known yet" : "");
  ip("target IP", off + 24, arpTpa(b, off), "");
  const end = off + ARP_LEN;
  return end < b.length ? [out, bytesLayer(b, "trailer", "Ethernet trailer", end, b.length)] : [out];
}
