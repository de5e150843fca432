/** Rules as iptables prints them: the words of `-S`, and the columns of `-L -n`. */
import { formatIpv4 } from "../wire/ipv4.ts";
import { RULE_PROTOS, RULE_STATES } from "./iptables-rule.ts";
import type { NfChain, NfRule } from "./netfilter-rules.ts";

/** The words of a rule behind its chain, in the order of iptables-save. */
function ruleSpec(r: NfRule): string {
  const words: string[] = [];
  if (r.smask !== 0) words.push("-s", network(r.saddr, r.smask));
  if (r.dmask !== 0) words.push("-d", network(r.daddr, r.dmask));
  if (r.inIface !== "") words.push("-i", r.inIface);
  if (r.outIface !== "") words.push("-o", r.outIface);
  if (r.proto !== 0) words.push("-p", protoName(r.proto));
  const ports = [...portWords("--sport", r.sport), ...portWords("--dport", r.dport)];
  if (ports.length > 0) words.push("-m", protoName(r.proto), ...ports);
  if (r.stateMatch !== "")
    words.push("-m", r.stateMatch, r.stateMatch === "state" ? "--state" : "--ctstate", stateNames(r.states));
  words.push("-j", ...targetWords(r, true));
  return words.join(" ");
}

/** Whether -D of one rule means the other. */
export const sameRule = (a: NfRule, b: NfRule): boolean => ruleSpec(a) === ruleSpec(b);

/** `-A` lines of a chain. */
export function specLines(chain: NfChain): string[] {
  return chain.rules.map((r) => `-A ${chain.name} ${ruleSpec(r)}`);
}

/** A chain as `iptables -L -n` prints it. */
export function listLines(chain: NfChain, lineNumbers: boolean): string[] {
  const num = (text: string): string => (lineNumbers ? `${text.padEnd(4)} ` : "");
  const columns = (target: string, prot: string, opt: string, src: string, dst: string): string =>
    `${target.padEnd(10)} ${prot.padEnd(4)} ${opt} ${src.padEnd(20)} ${dst.padEnd(20)}`;
  return [
    `Chain ${chain.name} (policy ${chain.policy})`,
    `${num("num")}${columns("target", "prot", "opt", "source", "destination")}`.trimEnd(),
    ...chain.rules.map((r, i) => {
      const line = columns(
        r.target.kind,
        r.proto === 0 ? "all" : protoName(r.proto),
        "-- ",
        r.smask === 0 ? "0.0.0.0/0" : listedNetwork(r.saddr, r.smask),
        r.dmask === 0 ? "0.0.0.0/0" : listedNetwork(r.daddr, r.dmask),
      );
      return `${num(String(i + 1))}${line} ${details(r)}`.trimEnd();
    }),
  ];
}

/** What stands behind the columns. Interfaces are named as well, which `-L` shows only with -v: a reader wants them. */
function details(r: NfRule): string {
  const out: string[] = [];
  if (r.inIface !== "") out.push(`in:${r.inIface}`);
  if (r.outIface !== "") out.push(`out:${r.outIface}`);
  const ports = [...listedPorts("spt", r.sport), ...listedPorts("dpt", r.dport)];
  if (ports.length > 0) out.push(protoName(r.proto), ...ports);
  if (r.stateMatch !== "") out.push(`${r.stateMatch === "state" ? "state" : "ctstate"} ${stateNames(r.states)}`);
  const to = targetWords(r, false);
  if (to.length > 1) out.push(`to:${to[1]}`);
  return out.join(" ");
}

function targetWords(r: NfRule, option: boolean): string[] {
  const t = r.target;
  if (t.kind !== "SNAT" && t.kind !== "DNAT") return [t.kind];
  const to = formatIpv4(t.addr) + (t.port === 0 ? "" : `:${t.port}`);
  return option ? [t.kind, t.kind === "SNAT" ? "--to-source" : "--to-destination", to] : [t.kind, to];
}

function portWords(option: string, [first, last]: readonly [number, number]): string[] {
  if (first === 0 && last === 65535) return [];
  return [option, first === last ? String(first) : `${first}:${last}`];
}

function listedPorts(name: string, range: readonly [number, number]): string[] {
  const words = portWords(name, range);
  return words.length === 0 ? [] : [`${name}${words[1].includes(":") ? "s" : ""}:${words[1]}`];
}

const network = (addr: number, mask: number): string => `${formatIpv4(addr)}/${prefixLen(mask)}`;
const listedNetwork = (addr: number, mask: number): string =>
  prefixLen(mask) === 32 ? formatIpv4(addr) : network(addr, mask);

/** Bits set at the top of a mask. */
const prefixLen = (mask: number): number => Math.clz32(~mask);

const stateNames = (bits: number): string =>
  RULE_STATES.filter(([, bit]) => bits & bit)
    .map(([name]) => name)
    .join(",");

const protoName = (proto: number): string =>
  Object.keys(RULE_PROTOS).find((n) => RULE_PROTOS[n] === proto) ?? String(proto);
