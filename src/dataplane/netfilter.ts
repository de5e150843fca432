/**
 * A host's netfilter: the five hooks of the IPv4 path with connection tracking, NAT and the filter table, in the kernel's
 * order of priorities (include/uapi/linux/netfilter_ipv4.h: conntrack -200, NAT of destinations -100, filter 0,
 * NAT of sources 100, confirm last).
 *
 * A received packet goes prerouting -> routing -> input, or forward and postrouting; a local one output -> (routing again
 * if the destination changed) -> postrouting. The hooks of one packet run without another packet's in between. As in the
 * kernel, tracking starts with the first rule that needs it and then stays.
 */

import { Conntrack } from "./conntrack.ts";
import { type NatRng, setupDestination, setupSource } from "./masquerade.ts";
import { NF_NAT_MANIP_DST, NF_NAT_MANIP_SRC, natPacket } from "./nat-mangle.ts";
import {
  NfChain,
  type NfChainName,
  type NfPolicy,
  type NfRule,
  type NfTable,
  ruleMatches,
  stateBit,
  TABLE_CHAINS,
} from "./netfilter-rules.ts";

export const NF_DROP = 0;
export const NF_ACCEPT = 1;

const LOOPBACK = "lo";

/** What netfilter asks of its host. */
export interface NetfilterHost {
  /** Address that MASQUERADE gives to a packet for `daddr` that leaves by interface `outDev`, host order; 0 = none. */
  masqueradeAddr(outDev: string, daddr: number): number;
  readonly rng: NatRng;
}

export class Netfilter {
  /** False while no rule or policy asks for anything: the host may then leave out every hook. */
  active = false;
  /** Why the last packet that got NF_DROP was dropped. */
  reason = "";
  readonly conntrack = new Conntrack();
  /** True from the first rule on that needs connection tracking. */
  tracking = false;
  /** True from the first NAT rule on: every new flow then gets a unique reply tuple. */
  private nat = false;
  private readonly host: NetfilterHost;
  private readonly chains = {
    filter: TABLE_CHAINS.filter.map((name) => new NfChain("filter", name)),
    nat: TABLE_CHAINS.nat.map((name) => new NfChain("nat", name)),
  };
  private readonly filterInput = this.chain("filter", "INPUT");
  private readonly filterForward = this.chain("filter", "FORWARD");
  private readonly filterOutput = this.chain("filter", "OUTPUT");
  private readonly natPre = this.chain("nat", "PREROUTING");
  private readonly natInput = this.chain("nat", "INPUT");
  private readonly natOutput = this.chain("nat", "OUTPUT");
  private readonly natPost = this.chain("nat", "POSTROUTING");

  constructor(host: NetfilterHost) {
    this.host = host;
  }

  /** A chain by name; throws RangeError where the table has no such chain. */
  chain(table: NfTable, name: NfChainName): NfChain {
    const found = this.chains[table].find((c) => c.name === name);
    if (!found) throw new RangeError(`no chain ${name} in table ${table}`);
    return found;
  }

  /** Adds a rule at the end, or before the rule at `index`. */
  insertRule(table: NfTable, chain: NfChainName, rule: NfRule, index = Number.POSITIVE_INFINITY): void {
    const c = this.chain(table, chain);
    c.rules.splice(index, 0, rule);
    if (table === "nat") this.nat = true;
    if (table === "nat" || rule.states !== 0) this.tracking = true;
    this.changed(table, c);
  }

  /** Removes the rule at `index`. Flows that it set up keep their translation. */
  removeRule(table: NfTable, chain: NfChainName, index: number): void {
    const c = this.chain(table, chain);
    c.rules.splice(index, 1);
    this.changed(table, c);
  }

  setPolicy(table: NfTable, chain: NfChainName, policy: NfPolicy): void {
    const c = this.chain(table, chain);
    c.policy = policy;
    this.changed(table, c);
  }

  private changed(table: NfTable, c: NfChain): void {
    c.reasons.length = 0;
    for (let i = 0; i < c.rules.length; i++) c.reasons.push(`${table} ${c.name}: rule ${i + 1} DROP`);
    const filtering = this.chains.filter.some((f) => f.rules.length > 0 || f.policy !== "ACCEPT");
    this.active = this.tracking || filtering;
  }

  /** A packet has arrived on `inDev`; its header is at `ipOff` (checked). Routing looks at the destination only afterwards. */
  prerouting(pkt: Uint8Array, ipOff: number, inDev: string, nowNs: number): number {
    // What comes in by lo went out by lo, and was seen by OUTPUT and POSTROUTING.
    if (!this.tracking || inDev === LOOPBACK) return NF_ACCEPT;
    if (!this.conntrack.resolve(pkt, ipOff, nowNs)) return this.tableFull();
    return this.translate(this.natPre, pkt, ipOff, NF_NAT_MANIP_DST, inDev, "");
  }

  /** The packet is for this host. */
  input(pkt: Uint8Array, ipOff: number, inDev: string): number {
    if (this.filter(this.filterInput, pkt, ipOff, inDev, "") === NF_DROP) return NF_DROP;
    if (!this.tracking || inDev === LOOPBACK) return NF_ACCEPT;
    if (this.translate(this.natInput, pkt, ipOff, NF_NAT_MANIP_SRC, inDev, "") === NF_DROP) return NF_DROP;
    return this.confirm();
  }

  /** The packet is to be forwarded. */
  forward(pkt: Uint8Array, ipOff: number, inDev: string, outDev: string): number {
    return this.filter(this.filterForward, pkt, ipOff, inDev, outDev);
  }

  /** A packet of this host's own, with its route found; where the destination changes, the host routes again. */
  output(pkt: Uint8Array, ipOff: number, outDev: string, nowNs: number): number {
    if (this.tracking) {
      if (!this.conntrack.resolve(pkt, ipOff, nowNs)) return this.tableFull();
      if (this.translate(this.natOutput, pkt, ipOff, NF_NAT_MANIP_DST, "", outDev) === NF_DROP) return NF_DROP;
    }
    return this.filter(this.filterOutput, pkt, ipOff, "", outDev);
  }

  /** The packet, forwarded or the host's own, is about to leave by `outDev`. */
  postrouting(pkt: Uint8Array, ipOff: number, outDev: string): number {
    if (!this.tracking) return NF_ACCEPT;
    if (this.translate(this.natPost, pkt, ipOff, NF_NAT_MANIP_SRC, "", outDev) === NF_DROP) return NF_DROP;
    return this.confirm();
  }

  private filter(chain: NfChain, pkt: Uint8Array, ipOff: number, inDev: string, outDev: string): number {
    const rules = chain.rules;
    if (rules.length > 0) {
      const i = this.match(chain, pkt, ipOff, inDev, outDev);
      if (i >= 0) {
        if (rules[i].target.kind === "ACCEPT") return NF_ACCEPT;
        this.reason = chain.reasons[i];
        return NF_DROP;
      }
    }
    if (chain.policy === "ACCEPT") return NF_ACCEPT;
    this.reason = chain.policyReason;
    return NF_DROP;
  }

  /** Index of the first rule that matches, or -1. */
  private match(chain: NfChain, pkt: Uint8Array, ipOff: number, inDev: string, outDev: string): number {
    const rules = chain.rules;
    const state = this.tracking ? stateBit(this.conntrack.ctinfo) : 0;
    for (let i = 0; i < rules.length; i++) if (ruleMatches(rules[i], pkt, ipOff, inDev, outDev, state)) return i;
    return -1;
  }

  /** Sets NAT up where the flow is new (nf_nat_inet_fn), then rewrites the packet. */
  private translate(
    chain: NfChain,
    pkt: Uint8Array,
    ipOff: number,
    manip: number,
    inDev: string,
    outDev: string,
  ): number {
    if (!this.nat) return NF_ACCEPT;
    const ct = this.conntrack;
    if (ct.isNew && !this.setup(chain, pkt, ipOff, manip, inDev, outDev)) return NF_DROP;
    if (natPacket(ct, pkt, ipOff, manip)) return NF_ACCEPT;
    this.reason = "nat: ICMP error with a bad checksum";
    return NF_DROP;
  }

  private setup(chain: NfChain, pkt: Uint8Array, ipOff: number, manip: number, inDev: string, outDev: string): boolean {
    const ct = this.conntrack;
    const i = chain.rules.length === 0 ? -1 : this.match(chain, pkt, ipOff, inDev, outDev);
    const target = i < 0 ? undefined : chain.rules[i].target;
    const words = ct.table.tuples;
    if (manip === NF_NAT_MANIP_DST) {
      if (target?.kind === "DNAT") setupDestination(ct, target.addr, target.port);
      return true;
    }
    // Without a rule the address stays, but a port that would clash with another flow's changes all the same.
    let addr = words[ct.flow * 8 + 5];
    let port = 0;
    if (target?.kind === "SNAT") {
      addr = target.addr;
      port = target.port;
    } else if (target?.kind === "MASQUERADE") {
      addr = this.host.masqueradeAddr(outDev, words[ct.flow * 8 + 4] >>> 0);
      if (addr === 0) {
        this.reason = "nat POSTROUTING: MASQUERADE, but the interface has no address";
        return false;
      }
    }
    if (setupSource(ct, addr, port, this.host.rng)) return true;
    this.reason = "nat: every port of the class is taken";
    return false;
  }

  private confirm(): number {
    if (this.conntrack.confirm()) return NF_ACCEPT;
    this.reason = "conntrack: the reply tuple is taken";
    return NF_DROP;
  }

  private tableFull(): number {
    this.reason = "conntrack: table full";
    return NF_DROP;
  }
}
