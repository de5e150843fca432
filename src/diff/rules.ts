/**
 * The rules: what the real side is free to choose. A comparison takes out what a rule names, and counts it; the text says
 * what and why. A difference that no rule names stays one.
 */
import type { RuleUse } from "./types.ts";

/** Box by box: the kernel's freedoms. */
export const BOX_RULES = {
  "arp-request":
    "When a host asks for a neighbour (RFC 826), and asks again, is its own timing. What it asks must be right: its own addresses, an address on that network.",
  "igmp-report":
    "A docker network's gateway says which multicast groups it is in (IGMPv3, RFC 3376 section 4.2), with its own addresses, to the routers' group; when is its own timing.",
  "local-packet":
    "A packet that a process of the host sent is an input: it enters the twin above IP, behind NAT of destinations. Its routing, NAT of sources, egress hook and MAC addresses are compared.",
  "raw-frame": "A frame that the scenario sends past the stack (`send`) is an input as it is.",
  "ip-id": "The IP ID of a packet that the kernel itself makes (echo reply, ICMP error) is any number (RFC 6864).",
  "nat-port":
    "Where a source port is taken, netfilter starts to look for another at a random place of its class; the port that it found is tried first, and must be free and of that class.",
  "icmp-rate-limit":
    "Linux sends ICMP errors to one destination at a rate of one a second after a burst of six (icmp_ratelimit); PMTU errors are not limited.",
  "udp-no-socket":
    "Whether a datagram finds a socket is the host's processes' matter; the port unreachable that Linux then sends is compared.",
  "egress-refusal":
    "A capture shows egress behind the hook, so a packet that the hook turns into an ICMP error is known by the error's quote alone: the rest of its payload is taken as zeros. The error is compared.",
  "processor-order":
    "Packets may overtake one another where several processors work (a process that moves to another takes its packets along); none by more than a second.",
  "held-up":
    "On a machine that is too busy a forwarded packet may be more than a second late: it is the same, byte by byte, its IP ID included.",
  "link-down": "A frame that leaves while the link is down is lost before a capture sees it.",
  "command-moment":
    "A command takes some time to change a host, and a frame meanwhile meets the state before or after: the moment within the command that fits all frames is taken.",
  "capture-edge":
    "A capture of several NICs ends at one NIC after the other: what leaves within 5 ms of its end may be missing.",
} as const;

/** Scenario: what the two runs may do in their own way. */
export const SCENARIO_RULES = {
  arp: "ARP is left out: when a host asks is its own timing.",
  igmp: "Reports of multicast groups (IGMP) are left out, as ARP is: level b compares them.",
  "ip-header":
    "MAC addresses, IP ID, DF, TOS and TTL, and how much of a packet an ICMP error quotes, are no part of a flow: level b compares them.",
  "ephemeral-port":
    "A port that the scenario does not name is the n-th of its kind on that NIC, whatever its number: clients' ports, and ports that NAT chose.",
  "icmp-id": "The identifier of an echo request is chosen at random.",
  "tcp-stream":
    "Each direction of a TCP connection is compared as one stream of bytes, with whether there was a SYN, a FIN, a RST. Initial sequence numbers and timestamps are random; segments, acknowledgements, retransmissions, windows and options are TCP's own (RFC 9293 section 3.8).",
  "http-head":
    "An HTTP request or response is compared by its first line and its body: the other header fields of curl and of Node's server are not the simulated ones.",
  unfinished: "How far a stream without a FIN came is a matter of time: it must be the other one's beginning.",
  pace: "In the simulated run 20 ms pass behind every command, as they do on a real machine: what is still under way then ends.",
  "gave-up":
    "A connection that carried no byte is tried again after a second (RFC 6298), by when the client may have given up and another step changed the network: flows that begin then, and whether a RST is among them, are a matter of time.",
  "late-segment":
    "A segment that comes after both sides' FIN meets a closed connection and gets a RST: the labs' clients keep none in TIME_WAIT.",
  "gue-ping": "GUE pings repeat by the clock: equal ones of one flow count once.",
  retry:
    "What is sent again because time passed, or as often as time allows, counts once: equal datagrams and ICMP errors in a row, and echo requests by their number.",
  "flow-order":
    "Flows that ran at the same time may begin in either order; so may a flow that began within 50 ms of another's last packet in the real run: services answer when the machine lets them, and commands do not wait for them.",
  "stats-counter":
    "STATS counts packets and bytes, of which TCP and ARP send as they like: only which interfaces count is compared.",
  "reason-counter": "REASON counts packets: only which reasons there are is compared, not how often.",
  "reason-background":
    "Whether ARP, a packet during pfc_start or a GUE ping of the daemon met a hook at all is a matter of time: PASS_NOT_IPV4, PASS_NO_CONFIG and PING_CONSUMED are left out.",
  epoch: "EPOCH, and the epoch of a session, count sweeps by the clock.",
  ifindex: "An interface has another number on each side: its place among the host's own is compared.",
} as const;

export type BoxRule = keyof typeof BOX_RULES;
export type ScenarioRule = keyof typeof SCENARIO_RULES;

/** Counts the uses of rules, in the order in which they stand in their list. */
export class RuleCounter<N extends string> {
  private readonly texts: Readonly<Record<N, string>>;
  private readonly counts = new Map<N, number>();

  constructor(texts: Readonly<Record<N, string>>) {
    this.texts = texts;
  }

  use(name: N, times = 1): void {
    if (times > 0) this.counts.set(name, (this.counts.get(name) ?? 0) + times);
  }

  report(): RuleUse[] {
    return (Object.keys(this.texts) as N[]).flatMap((name) => {
      const count = this.counts.get(name);
      return count === undefined ? [] : [{ name, text: this.texts[name], count }];
    });
  }
}
