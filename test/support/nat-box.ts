/** A NAT box for tests: netfilter between an inside and an outside interface, driven as a host's IP layer would. */
import { applyIptables, parseIptables } from "../../src/dataplane/iptables.ts";
import { Netfilter, NF_ACCEPT } from "../../src/dataplane/netfilter.ts";
import { ipDaddr } from "../../src/wire/ipv4.ts";
import { ip } from "./packets.ts";

export const OUTSIDE_ADDR = ip("172.1.0.5");
const INSIDE_ADDR = ip("172.2.0.2");

export const DEMO_RULES = [
  "-t nat -A POSTROUTING -o eth1 -j MASQUERADE",
  "-P FORWARD DROP",
  "-A FORWARD -i eth2 -o eth1 -j ACCEPT",
  "-A FORWARD -i eth1 -o eth2 -m state --state RELATED,ESTABLISHED -j ACCEPT",
];

/** What became of a packet: where it went, or "drop". */
export type Fate = "eth1" | "eth2" | "local" | "drop";

export class NatBox {
  readonly clock = { now: 0 };
  readonly nf: Netfilter;

  /** `below` is the generator's answer; the default starts every search at the lowest port. */
  constructor(rules: readonly string[] = DEMO_RULES, below: (n: number) => number = () => 0) {
    this.nf = new Netfilter({
      masqueradeAddr: (dev) => (dev === "eth1" ? OUTSIDE_ADDR : dev === "eth2" ? INSIDE_ADDR : 0),
      rng: { below },
    });
    for (const rule of rules) this.iptables(rule);
  }

  iptables(line: string): string[] {
    return applyIptables(this.nf, parseIptables(line.split(" ")));
  }

  /** A packet arrives on `dev` and is translated in place. */
  receive(pkt: Uint8Array, dev: "eth1" | "eth2"): Fate {
    const { nf } = this;
    if (nf.prerouting(pkt, 0, dev, this.clock.now) !== NF_ACCEPT) return "drop";
    const to = this.route(ipDaddr(pkt, 0));
    if (to === "local") return nf.input(pkt, 0, dev) === NF_ACCEPT ? "local" : "drop";
    if (nf.forward(pkt, 0, dev, to) !== NF_ACCEPT || nf.postrouting(pkt, 0, to) !== NF_ACCEPT) return "drop";
    return to;
  }

  /** The box itself sends a packet. */
  send(pkt: Uint8Array): Fate {
    const { nf } = this;
    const first = this.route(ipDaddr(pkt, 0));
    if (nf.output(pkt, 0, first === "local" ? "lo" : first, this.clock.now) !== NF_ACCEPT) return "drop";
    const to = this.route(ipDaddr(pkt, 0));
    return nf.postrouting(pkt, 0, to === "local" ? "lo" : to) === NF_ACCEPT ? to : "drop";
  }

  private route(daddr: number): "eth1" | "eth2" | "local" {
    if (daddr === OUTSIDE_ADDR || daddr === INSIDE_ADDR) return "local";
    return daddr >>> 16 === ip("172.2.0.0") >>> 16 ? "eth2" : "eth1";
  }
}
