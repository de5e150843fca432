/**
 * Rules of the `nat` and `filter` tables: what a rule matches, what it does, and the chains that hold them
 * (net/ipv4/netfilter/ip_tables.c, xt_tcpudp.c, xt_conntrack.c). Only what the demo uses; iptables.ts parses and prints it.
 */
import { rd16 } from "../wire/bytes.ts";
import {
  IPPROTO_TCP,
  IPPROTO_UDP,
  IPV4_PROTO,
  IPV4_TOT_LEN,
  ipDaddr,
  ipHlen,
  ipIsFragment,
  ipSaddr,
} from "../wire/ipv4.ts";
import { IP_CT_INVALID, IP_CT_NEW, IP_CT_RELATED, IP_CT_RELATED_REPLY } from "./conntrack.ts";

/** Connection states of `-m state`, as bits; 0 in a rule = not asked. */
export const STATE_INVALID = 1;
export const STATE_ESTABLISHED = 2;
export const STATE_RELATED = 4;
export const STATE_NEW = 8;

export const TABLE_CHAINS = {
  filter: ["INPUT", "FORWARD", "OUTPUT"],
  nat: ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
} as const;
export type NfTable = keyof typeof TABLE_CHAINS;
export type NfChainName = "PREROUTING" | "INPUT" | "FORWARD" | "OUTPUT" | "POSTROUTING";
export type NfPolicy = "ACCEPT" | "DROP";

export type NfTarget =
  | { readonly kind: "ACCEPT" | "DROP" | "MASQUERADE" }
  /** `addr` host order; `port` 0 = keep, or choose where it is taken. */
  | { readonly kind: "SNAT" | "DNAT"; readonly addr: number; readonly port: number };

/** All members must hold; addresses and masks in host order. */
export interface NfRule {
  readonly saddr: number;
  readonly smask: number;
  readonly daddr: number;
  readonly dmask: number;
  /** Interface names; "" = any, a `+` at the end = any name that begins so. */
  readonly inIface: string;
  readonly outIface: string;
  /** IP protocol number, 0 = any. */
  readonly proto: number;
  /** Inclusive ranges; [0, 65535] = any. */
  readonly sport: readonly [number, number];
  readonly dport: readonly [number, number];
  /** STATE_ bits, 0 = any. */
  readonly states: number;
  /** Which module asked for the states; printed as it was given. */
  readonly stateMatch: "" | "state" | "conntrack";
  readonly target: NfTarget;
}

/** A rule that matches everything. */
export const ANY_RULE: Omit<NfRule, "target"> = {
  saddr: 0,
  smask: 0,
  daddr: 0,
  dmask: 0,
  inIface: "",
  outIface: "",
  proto: 0,
  sport: [0, 65535],
  dport: [0, 65535],
  states: 0,
  stateMatch: "",
};

/** A built-in chain: its rules in order, and what happens to a packet that none decided on. */
export class NfChain {
  readonly name: NfChainName;
  policy: NfPolicy = "ACCEPT";
  readonly rules: NfRule[] = [];
  /** Texts for drop reports, made when the rules change so that dropping a packet makes no string. */
  readonly reasons: string[] = [];
  readonly policyReason: string;

  constructor(table: NfTable, name: NfChainName) {
    this.name = name;
    this.policyReason = `${table} ${name}: policy DROP`;
  }
}

/** Character code of the `+` that ends an interface pattern. */
const PLUS = 43;

export function stateBit(ctinfo: number): number {
  if (ctinfo === IP_CT_INVALID) return STATE_INVALID;
  if (ctinfo === IP_CT_NEW) return STATE_NEW;
  return ctinfo === IP_CT_RELATED || ctinfo === IP_CT_RELATED_REPLY ? STATE_RELATED : STATE_ESTABLISHED;
}

/** True when the packet matches; `inName` and `outName` are "" where the hook has no such interface. */
export function ruleMatches(
  rule: NfRule,
  pkt: Uint8Array,
  ipOff: number,
  inName: string,
  outName: string,
  state: number,
): boolean {
  if (rule.states !== 0 && (rule.states & state) === 0) return false;
  if (rule.inIface !== "" && !ifaceMatches(rule.inIface, inName)) return false;
  if (rule.outIface !== "" && !ifaceMatches(rule.outIface, outName)) return false;
  if (((ipSaddr(pkt, ipOff) ^ rule.saddr) & rule.smask) !== 0) return false;
  if (((ipDaddr(pkt, ipOff) ^ rule.daddr) & rule.dmask) !== 0) return false;
  if (rule.proto === 0) return true;
  if (pkt[ipOff + IPV4_PROTO] !== rule.proto) return false;
  if (rule.proto !== IPPROTO_TCP && rule.proto !== IPPROTO_UDP) return true;
  return portIn(rule.sport, pkt, ipOff, 0) && portIn(rule.dport, pkt, ipOff, 2);
}

function ifaceMatches(pattern: string, name: string): boolean {
  if (pattern === name) return true;
  const last = pattern.length - 1;
  if (pattern.charCodeAt(last) !== PLUS || name.length < last) return false;
  for (let i = 0; i < last; i++) if (pattern.charCodeAt(i) !== name.charCodeAt(i)) return false;
  return true;
}

function portIn(range: readonly [number, number], pkt: Uint8Array, ipOff: number, at: number): boolean {
  if (range[0] === 0 && range[1] === 65535) return true;
  const l4 = ipOff + ipHlen(pkt, ipOff);
  if (ipIsFragment(pkt, ipOff) || l4 + 4 > ipOff + rd16(pkt, ipOff + IPV4_TOT_LEN)) return false;
  const port = rd16(pkt, l4 + at);
  return port >= range[0] && port <= range[1];
}
