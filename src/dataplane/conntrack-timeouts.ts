/**
 * Timeouts of connection tracking and their sysctl names (Documentation/networking/nf_conntrack-sysctl.rst).
 */
import { LabError } from "../errors.ts";
import {
  TCP_CONNTRACK_CLOSE,
  TCP_CONNTRACK_CLOSE_WAIT,
  TCP_CONNTRACK_ESTABLISHED,
  TCP_CONNTRACK_FIN_WAIT,
  TCP_CONNTRACK_LAST_ACK,
  TCP_CONNTRACK_SYN_RECV,
  TCP_CONNTRACK_SYN_SENT,
  TCP_CONNTRACK_SYN_SENT2,
  TCP_CONNTRACK_TIME_WAIT,
} from "./conntrack-tcp.ts";

const SEC = 1_000_000_000;

/** Slots 0-9 are TCP's states; these follow. */
export const CT_TCP_UNACK = 10;
export const CT_UDP = 11;
export const CT_UDP_STREAM = 12;
export const CT_ICMP = 13;
export const CT_GENERIC = 14;

interface Setting {
  name: string;
  slot: number;
  seconds: number;
}

const SETTINGS: readonly Setting[] = [
  { name: "nf_conntrack_generic_timeout", slot: CT_GENERIC, seconds: 600 },
  { name: "nf_conntrack_icmp_timeout", slot: CT_ICMP, seconds: 30 },
  { name: "nf_conntrack_tcp_timeout_close", slot: TCP_CONNTRACK_CLOSE, seconds: 10 },
  { name: "nf_conntrack_tcp_timeout_close_wait", slot: TCP_CONNTRACK_CLOSE_WAIT, seconds: 60 },
  { name: "nf_conntrack_tcp_timeout_established", slot: TCP_CONNTRACK_ESTABLISHED, seconds: 432_000 },
  { name: "nf_conntrack_tcp_timeout_fin_wait", slot: TCP_CONNTRACK_FIN_WAIT, seconds: 120 },
  { name: "nf_conntrack_tcp_timeout_last_ack", slot: TCP_CONNTRACK_LAST_ACK, seconds: 30 },
  { name: "nf_conntrack_tcp_timeout_syn_recv", slot: TCP_CONNTRACK_SYN_RECV, seconds: 60 },
  { name: "nf_conntrack_tcp_timeout_syn_sent", slot: TCP_CONNTRACK_SYN_SENT, seconds: 120 },
  { name: "nf_conntrack_tcp_timeout_time_wait", slot: TCP_CONNTRACK_TIME_WAIT, seconds: 120 },
  { name: "nf_conntrack_tcp_timeout_unacknowledged", slot: CT_TCP_UNACK, seconds: 300 },
  { name: "nf_conntrack_udp_timeout", slot: CT_UDP, seconds: 30 },
  { name: "nf_conntrack_udp_timeout_stream", slot: CT_UDP_STREAM, seconds: 120 },
];
/** A simultaneous open has no sysctl of its own. */
const SYN_SENT2_SECONDS = 120;

/** Sysctl names, all below `net.netfilter.`. */
export const CONNTRACK_SYSCTLS: readonly string[] = SETTINGS.map((s) => `net.netfilter.${s.name}`);

/** A fresh set of timeouts in ns, by slot. */
export function defaultTimeouts(): Float64Array {
  const out = new Float64Array(CT_GENERIC + 1);
  out[TCP_CONNTRACK_SYN_SENT2] = SYN_SENT2_SECONDS * SEC;
  for (const s of SETTINGS) out[s.slot] = s.seconds * SEC;
  return out;
}

function setting(name: string): Setting {
  const bare = name.replace(/^net[./]netfilter[./]/, "");
  const found = SETTINGS.find((s) => s.name === bare);
  if (found) return found;
  throw new LabError("ERR_SYSCTL_NAME", `unknown connection tracking setting "${name}"`, {
    hint: `Known: ${CONNTRACK_SYSCTLS.join(", ")}.`,
  });
}

/** Value of a sysctl in seconds; throws LabError ERR_SYSCTL_NAME. */
export function timeoutSeconds(timeouts: Float64Array, name: string): number {
  return timeouts[setting(name).slot] / SEC;
}

/** Sets a sysctl, in seconds; throws LabError ERR_SYSCTL_NAME or ERR_SYSCTL_VALUE. Flows take it on with their next packet. */
export function setTimeoutSeconds(timeouts: Float64Array, name: string, seconds: number): void {
  const { slot } = setting(name);
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > 0x7fffffff)
    throw new LabError("ERR_SYSCTL_VALUE", `${name}: expected a whole number of seconds, got ${seconds}`);
  timeouts[slot] = seconds * SEC;
}
