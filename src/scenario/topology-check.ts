/**
 * Checks of a topology as written that need no built host: names, subnets, proxy addresses.
 *
 * Names reach `ip netns`, docker and shells in real labs, so they are refused unless they are plain lower-case labels.
 */
import { LabError, type Position } from "../errors.ts";
import { parseIpv4 } from "../wire/ipv4.ts";
import { findOverlap, formatSubnet, inSubnet, isUnicast, parseSubnet, type Subnet } from "./subnet.ts";
import type { RawTopology, RawWord } from "./topology-raw.ts";

/** A DNS label (RFC 1123) in lower case: also what docker and the name of a network namespace accept. */
const LABEL = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
const MAX_LABEL = 63;

/** `ERR_TOPOLOGY_<kind>`, with the place of the offending word. */
export function topologyError(kind: string, message: string, position: Position | undefined, hint: string): LabError {
  return new LabError(`ERR_TOPOLOGY_${kind}`, message, { position, hint });
}

function checkName(word: RawWord, what: string): void {
  const { text } = word;
  if (LABEL.test(text) && /[a-z]/.test(text) && text.length <= MAX_LABEL) return;
  const shown = text.length > MAX_LABEL ? `${text.slice(0, MAX_LABEL)}...` : text;
  throw topologyError(
    "NAME",
    `'${shown}' cannot be the name of a ${what}`,
    word.position,
    `Names are 1 to ${MAX_LABEL} lower-case letters, digits and inner '-', with at least one letter.`,
  );
}

function checkUnique(words: RawWord[], what: string): void {
  const seen = new Map<string, RawWord>();
  for (const word of words) {
    const before = seen.get(word.text);
    if (before) {
      const at = before.position ? ` (first at ${before.position.line}:${before.position.column})` : "";
      const hint = what === "host" ? "A host has one role and is listed once." : `Give each ${what} a name of its own.`;
      throw topologyError("DUPLICATE", `${what} '${word.text}' is defined twice${at}`, word.position, hint);
    }
    seen.set(word.text, word);
  }
}

/** Names of the topology, its hosts and networks: shape and uniqueness. */
export function checkNames(raw: RawTopology): void {
  checkName(raw.name, "topology");
  for (const h of raw.hosts) checkName(h.name, "host");
  for (const n of raw.networks) checkName(n.name, "network");
  checkUnique(
    raw.hosts.map((h) => h.name),
    "host",
  );
  checkUnique(
    raw.networks.map((n) => n.name),
    "network",
  );
}

/** The subnets in order of the networks. */
export function checkSubnets(raw: RawTopology): Subnet[] {
  if (raw.networks.length === 0) {
    throw topologyError("MISSING", "the topology has no network", raw.position, "Define at least the public network.");
  }
  const subnets = raw.networks.map((n) => parseSubnet(n.subnet.text, n.subnet.position));
  const clash = findOverlap(subnets);
  if (clash) {
    const [a, b] = clash;
    throw topologyError(
      "SUBNET",
      `subnet ${formatSubnet(subnets[b])} of '${raw.networks[b].name.text}' overlaps ${formatSubnet(subnets[a])} of '${raw.networks[a].name.text}'`,
      raw.networks[b].subnet.position,
      "Give every network addresses of its own.",
    );
  }
  return subnets;
}

/** Public address of every proxy, host order. */
export function checkProxyIps(raw: RawTopology, subnets: readonly Subnet[]): Map<string, number> {
  const out = new Map<string, number>();
  const owners = new Map<number, string>();
  for (const { proxy, ip } of raw.proxyIps) {
    const bad = (why: string, hint: string): LabError =>
      topologyError(
        "PROXY_IP",
        `'${ip.text}' cannot be the public address of '${proxy.text}': ${why}`,
        ip.position,
        hint,
      );
    const addr = parseIpv4(ip.text);
    if (addr === undefined) throw bad("not an IPv4 address", "Write four decimal numbers, such as 5.5.5.5.");
    if (!isUnicast(addr)) throw bad("a host cannot have it", "Take an address below 224.0.0.0, not in 0/8 or 127/8.");
    const net = subnets.findIndex((s) => inSubnet(addr, s));
    if (net >= 0) {
      const where = `it lies in ${formatSubnet(subnets[net])}, network '${raw.networks[net].name.text}'`;
      throw bad(where, "A PROXY_IP lies outside of every network and is reached by a route.");
    }
    const owner = owners.get(addr);
    if (owner !== undefined) throw bad(`'${owner}' has it already`, "Give every proxy an address of its own.");
    owners.set(addr, proxy.text);
    out.set(proxy.text, addr);
  }
  for (const { name, role } of raw.hosts) {
    if (role !== "proxy" || out.has(name.text)) continue;
    throw topologyError(
      "PROXY_IP",
      `proxy '${name.text}' has no public address`,
      name.position,
      "Every proxy needs one.",
    );
  }
  return out;
}
