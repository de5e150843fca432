/**
 * Why a hook passed, dropped or redirected a packet: every packet that enters a hook counts exactly one *reason*.
 * *Notes* are counted beside it (what the FIB lookup said, what was learned).
 *
 * The numbers are slots of the REASON table and the same in C (bpf/gen/tables.h). Append; never renumber.
 */

/** What a hook returns to the kernel (linux/pkt_cls.h). */
export const TC_ACT_UNSPEC = -1;
export const TC_ACT_SHOT = 2;
export const TC_ACT_REDIRECT = 7;

export type Outcome = "pass" | "drop" | "redirect" | "note";
export type HookSide = "ingress" | "egress" | "both";

export interface ReasonDef {
  readonly outcome: Outcome;
  readonly hook: HookSide;
  /** What happened, for people; completes "the packet was passed/dropped/redirected: ...". */
  readonly text: string;
}

const r = (outcome: Outcome, hook: HookSide, text: string): ReasonDef => ({ outcome, hook, text });

/** In slot order, starting with slot 0. */
export const REASONS = {
  // Passed untouched: not a packet for this data path (SPEC section 4, points 1 and 2).
  PASS_NO_CONFIG: r("pass", "both", "the interface has no CONFIG entry"),
  PASS_SHORT: r("pass", "both", "the frame is shorter than its Ethernet and IPv4 headers"),
  PASS_VLAN: r("pass", "both", "the frame carries a VLAN tag"),
  PASS_NOT_IPV4: r("pass", "both", "the EtherType is not IPv4"),
  PASS_IP_VERSION: r("pass", "both", "the IP version is not 4"),
  PASS_IP_IHL: r("pass", "both", "the IPv4 header length is below 20 bytes"),
  PASS_IP_TOTLEN: r("pass", "both", "the IPv4 total length is beyond the frame or below its header"),
  PASS_FRAGMENT: r("pass", "both", "the packet is a fragment"),
  PASS_PROTO: r("pass", "both", "the protocol is neither TCP nor UDP"),
  PASS_L4_SHORT: r("pass", "both", "the L4 header is not complete within the IPv4 total length"),
  PASS_UDP_LENGTH: r("pass", "both", "the UDP length is below 8 or beyond the IPv4 total length"),
  PASS_NO_MATCH: r("pass", "both", "no table entry matches"),
  PASS_NO_TRANSLATION: r("pass", "both", "the entry that matches says 0.0.0.0:0, no translation"),
  // Ingress.
  PASS_GUE_PLAIN: r("pass", "ingress", "plain GUE (Hlen 0), left to the kernel's own tunnel"),
  PASS_DECAP: r("pass", "ingress", "decapsulated"),
  PASS_DNAT: r("pass", "ingress", "destination translated from proxy to backend endpoint"),
  PING_CONSUMED: r("drop", "ingress", "GUE ping consumed, the tunnel's remote endpoint is set"),
  DROP_GUE_SHORT: r("drop", "ingress", "truncated GUE header"),
  DROP_GUE_VERSION: r("drop", "ingress", "the GUE version is not 0"),
  DROP_CTRL_HLEN: r("drop", "ingress", "GUE control packet whose Hlen is neither 5 nor 6"),
  DROP_CTRL_TYPE: r("drop", "ingress", "GUE control packet of another type than 1"),
  DROP_CTRL_FLAGS: r("drop", "ingress", "GUE control packet whose flags are not 0xa000"),
  DROP_DATA_HLEN: r("drop", "ingress", "GUE data packet whose Hlen is neither 0 nor 5"),
  DROP_DATA_PROTO: r("drop", "ingress", "GUE data packet that does not carry IPv4"),
  DROP_DATA_FLAGS: r("drop", "ingress", "GUE data packet whose flags are not 0xa000"),
  DROP_NO_SERVICE: r("drop", "ingress", "VERIFY knows no such group and service"),
  DROP_WRONG_KEY: r("drop", "ingress", "the security field is not the service's key"),
  DROP_PING_TUNNEL: r("drop", "ingress", "the ping names a tunnel that is not the service's own"),
  DROP_PING_NO_TUNNEL: r("drop", "ingress", "the ping names a tunnel that does not exist"),
  DROP_INNER_SHORT: r("drop", "ingress", "the datagram holds no whole inner IPv4 header"),
  DROP_INNER_VERSION: r("drop", "ingress", "the inner IP version is not 4"),
  DROP_INNER_IHL: r("drop", "ingress", "the inner IPv4 header length is below 20 bytes"),
  DROP_INNER_TOTLEN: r("drop", "ingress", "the inner total length is below its header or beyond the datagram"),
  REDIRECT_DECAP: r("redirect", "ingress", "decapsulated and forwarded to the interface that the FIB names"),
  // Egress.
  PASS_ENCAP: r("pass", "egress", "encapsulated"),
  PASS_SNAT: r("pass", "egress", "source translated from backend to proxy endpoint"),
  PASS_DSO: r("pass", "egress", "direct return: source translated to the session's proxy endpoint"),
  DROP_NO_TUNNEL: r("drop", "egress", "the entry names a tunnel that does not exist"),
  DROP_UNRESOLVED: r("drop", "egress", "the tunnel's remote endpoint is not resolved yet"),
  REDIRECT_FRAG_NEEDED: r("redirect", "egress", "too big for the tunnel: turned into ICMP fragmentation needed"),
  REDIRECT_ENCAP: r("redirect", "egress", "encapsulated and redirected to the interface that the FIB names"),
  // The kernel could not resize or write the packet (out of memory); the reference never does this.
  DROP_HELPER: r("drop", "both", "a kernel helper failed"),
  // Notes.
  FIB_SUCCESS: r("note", "both", "FIB lookup: success"),
  FIB_BLACKHOLE: r("note", "both", "FIB lookup: blackhole route"),
  FIB_UNREACHABLE: r("note", "both", "FIB lookup: unreachable"),
  FIB_PROHIBIT: r("note", "both", "FIB lookup: prohibited"),
  FIB_NOT_FWDED: r("note", "both", "FIB lookup: the packet is not forwarded"),
  FIB_FWD_DISABLED: r("note", "both", "FIB lookup: forwarding is disabled"),
  FIB_UNSUPP_LWT: r("note", "both", "FIB lookup: the route needs a lightweight tunnel"),
  FIB_NO_NEIGH: r("note", "both", "FIB lookup: the next hop's MAC address is not resolved"),
  FIB_FRAG_NEEDED: r("note", "both", "FIB lookup: fragmentation needed"),
  FIB_NO_SRC_ADDR: r("note", "both", "FIB lookup: no source address"),
  FIB_ERROR: r("note", "both", "FIB lookup: the call failed"),
  SESSION_LEARNED: r("note", "ingress", "a session was learned or refreshed"),
  SESSION_UNTRACKED: r("note", "ingress", "decapsulated, but not a packet that a session can be learned from"),
  MSS_CLAMPED: r("note", "egress", "the TCP MSS option was lowered"),
} as const satisfies Record<string, ReasonDef>;

export type ReasonName = keyof typeof REASONS;
export const REASON_NAMES = Object.keys(REASONS) as ReasonName[];

/** Slot number of every reason: `REASON.DROP_WRONG_KEY`. */
export const REASON = Object.fromEntries(REASON_NAMES.map((name, i) => [name, i])) as Record<ReasonName, number>;

/** The hook's return value for a reason. Notes are never returned. */
export const VERDICT: Int8Array = Int8Array.from(REASON_NAMES, (name) => {
  const outcome: Outcome = REASONS[name].outcome;
  return outcome === "drop" ? TC_ACT_SHOT : outcome === "redirect" ? TC_ACT_REDIRECT : TC_ACT_UNSPEC;
});

/** The note that counts a result of bpf_fib_lookup (0..9); anything else is an error. */
export function fibNote(rc: number): number {
  return rc >= 0 && rc <= 9 ? REASON.FIB_SUCCESS + rc : REASON.FIB_ERROR;
}
