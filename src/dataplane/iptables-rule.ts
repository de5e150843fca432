/** The matches and the target of one iptables rule, from words; see iptables.ts. */
import { LabError } from "../errors.ts";
import { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP, parseIpv4 } from "../wire/ipv4.ts";
import { prefixMask } from "./fib.ts";
import {
  ANY_RULE,
  type NfChainName,
  type NfRule,
  type NfTable,
  type NfTarget,
  STATE_ESTABLISHED,
  STATE_INVALID,
  STATE_NEW,
  STATE_RELATED,
} from "./netfilter-rules.ts";

/** Protocols of -p, by name; numbers are taken as well. */
export const RULE_PROTOS: Record<string, number> = {
  all: 0,
  icmp: IPPROTO_ICMP,
  tcp: IPPROTO_TCP,
  udp: IPPROTO_UDP,
};
/** States of -m state, in the order in which iptables prints them. */
export const RULE_STATES: readonly (readonly [string, number])[] = [
  ["INVALID", STATE_INVALID],
  ["NEW", STATE_NEW],
  ["RELATED", STATE_RELATED],
  ["ESTABLISHED", STATE_ESTABLISHED],
];

/** In which chains of the nat table a target may stand. */
const NAT_TARGET_CHAINS: Record<string, readonly NfChainName[]> = {
  MASQUERADE: ["POSTROUTING"],
  SNAT: ["POSTROUTING", "INPUT"],
  DNAT: ["PREROUTING", "OUTPUT"],
};

type Draft = { -readonly [K in keyof Omit<NfRule, "target">]: NfRule[K] };

/** Parses everything of a rule but its table and chain. Throws LabError ERR_IPTABLES_SYNTAX, _MATCH or _TARGET. */
export function parseRule(table: NfTable, chain: NfChainName, words: readonly string[]): NfRule {
  const rule: Draft = { ...ANY_RULE };
  const modules = new Set<string>();
  const targetOptions = new Map<string, string>();
  let jump: string | undefined;
  let ports = false;
  for (let i = 0; i < words.length; i++) {
    const option = words[i];
    if (option === "!" || words[i + 1] === "!") throw match("negation with ! is not supported");
    const value = (): string => {
      const v = words[++i];
      if (v === undefined || v === "") throw syntax(`${option} needs a value`);
      return v;
    };
    switch (option) {
      case "-p":
      case "--protocol":
        rule.proto = parseProto(value());
        break;
      case "-s":
      case "--source":
        [rule.saddr, rule.smask] = parseNetwork(option, value());
        break;
      case "-d":
      case "--destination":
        [rule.daddr, rule.dmask] = parseNetwork(option, value());
        break;
      case "-i":
      case "--in-interface":
        if (chain === "OUTPUT" || chain === "POSTROUTING") throw match(`-i cannot be used in ${chain}`);
        rule.inIface = parseIface(option, value());
        break;
      case "-o":
      case "--out-interface":
        if (chain === "INPUT" || chain === "PREROUTING") throw match(`-o cannot be used in ${chain}`);
        rule.outIface = parseIface(option, value());
        break;
      case "-m":
      case "--match":
        modules.add(parseModule(value()));
        break;
      case "--sport":
      case "--source-port":
        rule.sport = parsePorts(option, value());
        ports = true;
        break;
      case "--dport":
      case "--destination-port":
        rule.dport = parsePorts(option, value());
        ports = true;
        break;
      case "--state":
      case "--ctstate": {
        const module = option === "--state" ? "state" : "conntrack";
        if (!modules.has(module)) throw match(`${option} needs "-m ${module}" before it`);
        rule.states = parseStates(option, value());
        rule.stateMatch = module;
        break;
      }
      case "-j":
      case "--jump":
        jump = value();
        break;
      case "--to-source":
      case "--to-destination":
        targetOptions.set(option, value());
        break;
      default:
        throw syntax(`unknown option "${option}"`);
    }
  }
  const ported = rule.proto === IPPROTO_TCP || rule.proto === IPPROTO_UDP;
  if (ports && !ported) throw match("--sport and --dport need -p tcp or -p udp");
  for (const m of modules) {
    if ((m === "tcp" || m === "udp") && RULE_PROTOS[m] !== rule.proto) throw match(`-m ${m} needs -p ${m}`);
    if ((m === "state" || m === "conntrack") && rule.stateMatch !== m)
      throw match(`-m ${m} needs ${m === "state" ? "--state" : "--ctstate"}`);
  }
  return { ...rule, target: parseTarget(table, chain, jump, targetOptions, ported) };
}

function parseTarget(
  table: NfTable,
  chain: NfChainName,
  jump: string | undefined,
  options: ReadonlyMap<string, string>,
  ported: boolean,
): NfTarget {
  const known = table === "nat" ? "ACCEPT, DNAT, SNAT or MASQUERADE" : "ACCEPT or DROP";
  if (jump === undefined) throw target(`a target is missing; expected -j ${known}`);
  const option = jump === "SNAT" ? "--to-source" : jump === "DNAT" ? "--to-destination" : undefined;
  for (const given of options.keys()) if (given !== option) throw target(`${given} does not go with -j ${jump}`);
  if (jump === "ACCEPT" || (jump === "DROP" && table === "filter")) return { kind: jump };
  if (!Object.hasOwn(NAT_TARGET_CHAINS, jump)) throw target(`unknown target "${jump}"; expected ${known}`);
  if (table !== "nat") throw target(`-j ${jump} works in the nat table only`);
  const chains = NAT_TARGET_CHAINS[jump];
  if (!chains.includes(chain)) throw target(`-j ${jump} works in ${chains.join(" and ")} only, not in ${chain}`);
  if (option === undefined) return { kind: "MASQUERADE" };
  const to = options.get(option);
  if (to === undefined) throw target(`-j ${jump} needs ${option}`);
  const m = /^([^:]+)(?::(\d{1,5}))?$/.exec(to);
  const addr = m ? parseIpv4(m[1]) : undefined;
  const port = m?.[2] === undefined ? 0 : Number(m[2]);
  if (addr === undefined || addr === 0 || port > 65535 || (m?.[2] !== undefined && port === 0))
    throw target(`expected ${option} <ip>[:<port>], got "${to}"`);
  if (port !== 0 && !ported) throw target(`${option} with a port needs -p tcp or -p udp`);
  return { kind: jump as "SNAT" | "DNAT", addr, port };
}

function parseProto(word: string): number {
  const name = word.toLowerCase();
  if (Object.hasOwn(RULE_PROTOS, name)) return RULE_PROTOS[name];
  if (/^\d{1,3}$/.test(word) && Number(word) < 256) return Number(word);
  throw match(`expected protocol tcp, udp, icmp, all or a number behind -p, got "${word}"`);
}

function parseNetwork(option: string, word: string): [number, number] {
  const [host, len, more] = word.split("/");
  const addr = parseIpv4(host);
  const bits = len === undefined ? 32 : /^\d{1,2}$/.test(len) ? Number(len) : 33;
  if (addr === undefined || bits > 32 || more !== undefined)
    throw match(`expected an IPv4 address or network behind ${option}, got "${word}"`);
  const mask = prefixMask(bits);
  return [(addr & mask) >>> 0, mask];
}

function parseIface(option: string, word: string): string {
  if (word.length <= 15 && /^[^\s/]+$/.test(word)) return word === "+" ? "" : word;
  throw match(`expected an interface name of at most 15 characters behind ${option}, got "${word}"`);
}

function parseModule(word: string): string {
  if (["state", "conntrack", "tcp", "udp"].includes(word)) return word;
  throw match(`unknown match "${word}"; expected tcp, udp, state or conntrack behind -m`);
}

function parsePorts(option: string, word: string): [number, number] {
  const m = /^(\d{1,5})(?::(\d{1,5}))?$/.exec(word);
  const first = m ? Number(m[1]) : 65536;
  const last = m?.[2] === undefined ? first : Number(m[2]);
  if (first > last || last > 65535)
    throw match(`expected a port or a range first:last behind ${option}, got "${word}"`);
  return [first, last];
}

function parseStates(option: string, word: string): number {
  let bits = 0;
  for (const part of word.split(",")) {
    const bit = RULE_STATES.find(([name]) => name === part.toUpperCase())?.[1];
    if (bit === undefined)
      throw match(`expected states of ${RULE_STATES.map(([n]) => n).join(", ")} behind ${option}, got "${part}"`);
    bits |= bit;
  }
  return bits;
}

const syntax = (what: string): LabError => new LabError("ERR_IPTABLES_SYNTAX", `iptables: ${what}`);
const match = (what: string): LabError => new LabError("ERR_IPTABLES_MATCH", `iptables: ${what}`);
const target = (what: string): LabError => new LabError("ERR_IPTABLES_TARGET", `iptables: ${what}`);
