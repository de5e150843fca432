/**
 * A hook's decision told check by check, in the order of src/dataplane (SPEC sections 4 and 5). What is told comes from a run of
 * the reference: its reason says where the story stops, its lookups which way it went. Only questions and values are worded
 * here.
 */
import { formatKey } from "../control/key.ts";
import { RX_DNAT, RX_FWD, RX_GUE, TX_FWD, TX_MSS, TX_PROXY, TX_SNAT } from "../tables/schema.ts";
import { formatFlags, parseFlags } from "../tables/text.ts";
import { rd16, rd32 } from "../wire/bytes.ts";
import { etherTypeName } from "../wire/dissect.ts";
import { ETH_HLEN, ethType } from "../wire/ethernet.ts";
import {
  GUE_BASE_HLEN,
  GUE_DATA_HLEN,
  GUE_GROUP,
  GUE_HLEN_PING,
  GUE_KEY,
  GUE_KEY_LEN,
  GUE_OVERHEAD,
  GUE_TUNNEL_ID,
  gueFlags,
  gueHlen,
  gueIsControl,
  gueProto,
  gueVersion,
} from "../wire/gue.ts";
import { IP_MF, IP_OFFMASK, IPPROTO_TCP, IPPROTO_UDP, ipFragOff, ipHlen, ipProto, ipTotLen } from "../wire/ipv4.ts";
import { CheckList, type Place, place } from "./check-list.ts";
import type { HookInput, HookRun } from "./hook-run.ts";
import type { ByteRange } from "./types.ts";

const AT = {
  enter: place("reference.ts", "enter", "include/verdict.h", "enter"),
  parse: place("parse.ts", "parsePacket", "include/parse.h", "parse_packet"),
  ingress: place("ingress.ts", "tcIngress", "ingress.bpf.c", "tc_ingress"),
  dnat: place("ingress.ts", "dnatPath", "ingress.bpf.c", "dnat_path"),
  gue: place("decap.ts", "guePath", "include/decap.h", "gue_path"),
  control: place("decap.ts", "gueControl", "include/decap.h", "gue_control"),
  data: place("decap.ts", "gueData", "include/decap.h", "gue_data"),
  inner: place("decap.ts", "gueData", "include/decap.h", "parse_inner"),
  key: place("decap.ts", "keyMatches", "include/gue.h", "gue_key_equal"),
  session: place("session.ts", "learnSession", "include/session.h", "learn_session"),
  egress: place("egress.ts", "tcEgress", "egress.bpf.c", "tc_egress"),
  proxy: place("egress.ts", "proxyPath", "egress.bpf.c", "proxy_path"),
  node: place("egress.ts", "nodePath", "egress.bpf.c", "node_path"),
  find: place("session.ts", "findSession", "include/session.h", "find_session"),
  encap: place("encap.ts", "encapsulate", "include/encap.h", "encapsulate"),
  mtu: place("mtu.ts", "exceedsMtu", "include/mtu.h", "exceeds_mtu"),
  frag: place("mtu.ts", "makeFragNeeded", "include/mtu.h", "make_frag_needed"),
  mss: place("mss.ts", "clampMss", "include/mss.h", "clamp_mss"),
  fib: place("nexthop.ts", "setMacsByFib", "include/fib.h", "set_macs_by_fib"),
} as const satisfies Record<string, Place>;

/** The places that checks link to. */
export const PLACES: readonly Place[] = Object.values(AT);

/** Offsets in the frame of the packet at hand; meaningful once it was parsed. */
interface Offsets {
  ip: number;
  l4: number;
  gue: number;
  end: number;
}

const range = (start: number, length: number): ByteRange => ({ start, end: start + length });
const hex = (v: number, digits: number): string => `0x${v.toString(16).padStart(digits, "0")}`;

/** The story of one run. */
export function tellChecks(input: HookInput, run: HookRun): CheckList {
  const list = new CheckList(run);
  const config = list.look("CONFIG", "The interface has a CONFIG entry", AT.enter, "PASS_NO_CONFIG");
  list.skip("STATS");
  const rx = parseFlags("rx", config?.row?.fields.rx ?? "0") ?? 0;
  const tx = parseFlags("tx", config?.row?.fields.tx ?? "0") ?? 0;
  const mtu = Number(config?.row?.fields.mtu ?? 0);
  if (!list.decided && tellParse(input, list)) {
    const ip = ETH_HLEN;
    const l4 = ip + ipHlen(input.frame, ip);
    const at: Offsets = { ip, l4, gue: l4 + 8, end: ip + ipTotLen(input.frame, ip) };
    const told = new Told(input, run, list, at, { rx, tx, mtu });
    if (input.hook === "ingress") told.ingress();
    else told.egress();
  }
  list.end(input.hook === "ingress" ? AT.ingress : AT.egress);
  return list;
}

function tellParse({ frame, vlan }: HookInput, list: CheckList): boolean {
  const len = frame.length;
  const ip = ETH_HLEN;
  const at = AT.parse;
  const bytes = `${len} bytes`;
  if (len < ETH_HLEN)
    return list.ask({ at, text: "A whole Ethernet header", value: bytes, expected: "14" }, "PASS_SHORT");
  const type = ethType(frame, 0);
  const typeText = `${hex(type, 4)} ${etherTypeName(type)}`.trim();
  const tag = vlan === 0 ? typeText : `a tag beside the frame, ${typeText}`;
  if (!list.ask({ at, text: "No VLAN tag", value: tag, bytes: range(12, 2) }, "PASS_VLAN")) return false;
  const v4 = { at, text: "The EtherType is IPv4", value: typeText, expected: "0x0800", bytes: range(12, 2) };
  if (!list.ask(v4, "PASS_NOT_IPV4")) return false;
  if (!list.ask({ at, text: "A whole IPv4 header", value: bytes, expected: "at least 34" }, "PASS_SHORT")) return false;
  const first = frame[ip];
  const head = range(ip, 1);
  const version = { at, text: "The IP version is 4", value: String(first >>> 4), expected: "4", bytes: head };
  if (!list.ask(version, "PASS_IP_VERSION")) return false;
  const ihl = { at, text: "The IPv4 header has 20 bytes or more", value: String((first & 0xf) * 4), bytes: head };
  if (!list.ask(ihl, "PASS_IP_IHL")) return false;
  const tot = ipTotLen(frame, ip);
  const total = { at, text: "The total length fits the frame", value: String(tot), bytes: range(ip + 2, 2) };
  if (!list.ask({ ...total, expected: `at most ${len - ETH_HLEN}` }, "PASS_IP_TOTLEN")) return false;
  const frag = ipFragOff(frame, ip);
  const whole = { at, text: "Not a fragment", value: hex(frag & (IP_MF | IP_OFFMASK), 4), expected: "0x0000" };
  if (!list.ask({ ...whole, bytes: range(ip + 6, 2) }, "PASS_FRAGMENT")) return false;
  const proto = ipProto(frame, ip);
  const name = proto === IPPROTO_TCP ? "TCP" : proto === IPPROTO_UDP ? "UDP" : "";
  const l4 = ip + ipHlen(frame, ip);
  const tcpUdp = { at, text: "The protocol is TCP or UDP", value: `${proto} ${name}`.trim(), bytes: range(ip + 9, 1) };
  if (!list.ask(tcpUdp, "PASS_PROTO")) return false;
  const room = { at, text: `A whole ${name} header`, value: `${tot - ipHlen(frame, ip)} bytes` };
  if (!list.ask({ ...room, expected: `at least ${proto === IPPROTO_TCP ? 20 : 8}` }, "PASS_L4_SHORT")) return false;
  if (proto !== IPPROTO_UDP) return true;
  const udp = { at, text: "The UDP length fits", value: String(rd16(frame, l4 + 4)), bytes: range(l4 + 4, 2) };
  return list.ask({ ...udp, expected: `8 to ${tot - ipHlen(frame, ip)}` }, "PASS_UDP_LENGTH");
}

/** The hooks behind the parser. */
class Told {
  private readonly b: Uint8Array;
  private readonly run: HookRun;
  private readonly list: CheckList;
  private readonly at: Offsets;
  private readonly rx: number;
  private readonly tx: number;
  private readonly mtu: number;
  private readonly gso: number;
  private readonly ifindex: number;

  constructor(
    input: HookInput,
    run: HookRun,
    list: CheckList,
    at: Offsets,
    config: { rx: number; tx: number; mtu: number },
  ) {
    this.b = input.frame;
    this.gso = input.gso;
    this.ifindex = input.ifindex;
    this.run = run;
    this.list = list;
    this.at = at;
    this.rx = config.rx;
    this.tx = config.tx;
    this.mtu = config.mtu;
  }

  ingress(): void {
    const { list, b, at } = this;
    if (this.flag(AT.ingress, "The interface takes GUE", "rx", RX_GUE, "gue")) {
      const proto = ipProto(b, at.ip);
      const udp = { at: AT.gue, text: "UDP, as tunnels are", value: String(proto), expected: "17" };
      if (list.fork({ ...udp, bytes: range(at.ip + 9, 1) }, proto === IPPROTO_UDP))
        if (list.look("DECAP", "The destination is a tunnel's endpoint", AT.gue)) {
          this.gue();
          return;
        }
    }
    if (!this.flag(AT.ingress, "The interface translates destinations", "rx", RX_DNAT, "dnat")) return;
    const entry = list.look("DNAT", "The destination is a proxy endpoint", AT.dnat, "PASS_NO_MATCH");
    if (entry) this.translates(entry.row?.fields.backend ?? "", AT.dnat);
  }

  private gue(): void {
    const { list, b, at } = this;
    const g = at.gue;
    const len = rd16(b, at.l4 + 4) - 8;
    const short = { at: AT.gue, text: "A whole GUE base header", value: `${len} bytes`, expected: "at least 4" };
    if (len < GUE_BASE_HLEN) {
      list.ask(short, "DROP_GUE_SHORT");
      return;
    }
    const version = { at: AT.gue, text: "The GUE version is 0", value: String(gueVersion(b, g)), expected: "0" };
    if (!list.ask({ ...version, bytes: range(g, 1) }, "DROP_GUE_VERSION")) return;
    const hlen = gueHlen(b, g);
    const words = { at: AT.gue, text: "The datagram holds the words that Hlen promises", value: `${len} bytes` };
    if (!list.ask({ ...words, expected: `at least ${4 + hlen * 4}`, bytes: range(g, 1) }, "DROP_GUE_SHORT")) return;
    const control = gueIsControl(b, g);
    const kind = { at: AT.gue, text: "A control message", value: control ? "C bit 1: a ping" : "C bit 0: data" };
    if (list.fork({ ...kind, bytes: range(g, 1) }, control)) this.control(g, hlen);
    else this.data(g, hlen, len);
  }

  private control(g: number, hlen: number): void {
    const { list, b } = this;
    const at = AT.control;
    const size = { at, text: "Hlen is a ping's", value: String(hlen), expected: "5 or 6", bytes: range(g, 1) };
    if (!list.ask(size, "DROP_CTRL_HLEN")) return;
    const type = { at, text: "The control type is ping", value: String(gueProto(b, g)), expected: "1" };
    if (!list.ask({ ...type, bytes: range(g + 1, 1) }, "DROP_CTRL_TYPE")) return;
    if (!this.flags(g, at, "DROP_CTRL_FLAGS")) return;
    const verify = this.verified(g, at);
    if (verify === undefined) return;
    const from = hlen === GUE_HLEN_PING ? GUE_TUNNEL_ID : GUE_GROUP;
    const id = rd32(b, g + from);
    const own = { at, text: "The ping names the service's own tunnel", value: String(id), expected: verify.tunnel };
    if (!list.ask({ ...own, bytes: range(g + from, 4) }, "DROP_PING_TUNNEL")) return;
    list.look("TUNNEL", "There is that tunnel", at, "DROP_PING_NO_TUNNEL");
  }

  private data(g: number, hlen: number, len: number): void {
    const { list, b } = this;
    const at = AT.data;
    const size = { at, text: "Hlen is this dialect's", value: String(hlen), expected: "5", bytes: range(g, 1) };
    if (!list.ask(size, "PASS_GUE_PLAIN", "DROP_DATA_HLEN")) return;
    const carries = { at, text: "IPv4 is inside", value: String(gueProto(b, g)), expected: "4" };
    if (!list.ask({ ...carries, bytes: range(g + 1, 1) }, "DROP_DATA_PROTO")) return;
    if (!this.flags(g, at, "DROP_DATA_FLAGS")) return;
    if (this.verified(g, at) === undefined || !this.inner(g + GUE_DATA_HLEN, len - GUE_DATA_HLEN)) return;
    const proxy = (this.tx & TX_PROXY) !== 0;
    const who = { at, text: "A node: the way back is learned", value: this.flagText("tx"), expected: "no proxy" };
    if (list.fork(who, !proxy)) {
      const learned = this.run.notes.includes("SESSION_LEARNED");
      const value = learned ? "TCP or UDP, whole" : "neither TCP nor UDP, or a fragment";
      list.fork({ at: AT.session, text: "A session can be learned from the inner packet", value }, learned);
    }
    if (this.flag(at, "Decapsulated packets are forwarded at once", "rx", RX_FWD, "fwd")) this.fib();
  }

  private inner(ip: number, room: number): boolean {
    const { list, b } = this;
    const at = AT.inner;
    const whole = { at, text: "A whole inner IPv4 header", value: `${room} bytes`, expected: "at least 20" };
    if (!list.ask(whole, "DROP_INNER_SHORT")) return false;
    const head = range(ip, 1);
    const version = { at, text: "The inner IP version is 4", value: String(b[ip] >>> 4), expected: "4", bytes: head };
    if (!list.ask(version, "DROP_INNER_VERSION")) return false;
    const hlen = (b[ip] & 0xf) * 4;
    const ihl = { at, text: "The inner header has 20 bytes or more", value: String(hlen), bytes: head };
    if (!list.ask(ihl, "DROP_INNER_IHL")) return false;
    const total = { at, text: "The inner total length fits the datagram", value: String(rd16(b, ip + 2)) };
    return list.ask({ ...total, expected: `${hlen} to ${room}`, bytes: range(ip + 2, 2) }, "DROP_INNER_TOTLEN");
  }

  private flags(g: number, at: Place, reason: "DROP_CTRL_FLAGS" | "DROP_DATA_FLAGS"): boolean {
    const value = hex(gueFlags(this.b, g), 4);
    const text = "The flags say group id and 128-bit key";
    return this.list.ask({ at, text, value, expected: "0xa000", bytes: range(g + 2, 2) }, reason);
  }

  /** The fields of VERIFY's entry, where there is one and its key is the packet's. */
  private verified(g: number, at: Place): Record<string, string> | undefined {
    const fields = this.list.look("VERIFY", "The group and service are known", at, "DROP_NO_SERVICE")?.row?.fields;
    if (fields === undefined) return undefined;
    const key = formatKey(this.b.slice(g + GUE_KEY, g + GUE_KEY + GUE_KEY_LEN));
    const bytes = range(g + GUE_KEY, GUE_KEY_LEN);
    const text = "The key is the service's";
    return this.list.ask({ at: AT.key, text, value: key, expected: fields.key, bytes }, "DROP_WRONG_KEY")
      ? fields
      : undefined;
  }

  egress(): void {
    const { list } = this;
    if (this.flag(AT.egress, "The interface is a proxy's", "tx", TX_PROXY, "proxy")) {
      if (list.look("ENCAP", "The destination is a backend behind a tunnel", AT.proxy)) {
        this.encap();
        return;
      }
      if (!this.flag(AT.proxy, "The interface translates sources", "tx", TX_SNAT, "snat")) return;
      const entry = list.look("SNAT", "The source is a backend endpoint", AT.proxy, "PASS_NO_MATCH");
      if (entry) this.translates(entry.row?.fields.proxy ?? "", AT.proxy);
      return;
    }
    const session = list.look("SESSION", "The packet answers a session", AT.find, "PASS_NO_MATCH");
    if (!session) return;
    if (!this.flag(AT.node, "Direct return: past the tunnel, as the proxy", "tx", TX_SNAT, "snat")) {
      this.encap();
      return;
    }
    if (!this.translates(session.row?.fields.proxy ?? "", AT.node)) return;
    this.mss();
  }

  private encap(): void {
    const { list, at } = this;
    const tunnel = list.look("TUNNEL", "There is the entry's tunnel", AT.encap, "DROP_NO_TUNNEL")?.row?.fields;
    if (tunnel === undefined) return;
    const resolved = { at: AT.encap, text: "The tunnel's remote endpoint is known", value: tunnel.remote };
    if (!list.ask({ ...resolved, expected: "not 0.0.0.0:0" }, "DROP_UNRESOLVED")) return;
    const total = at.end - at.ip + GUE_OVERHEAD;
    const value = this.gso === 0 ? `${total} bytes` : `${total} bytes in segments of ${this.gso}`;
    const limit = this.mtu === 0 ? "at most 65535" : `at most ${this.mtu}`;
    const fits = { at: AT.mtu, text: "With 52 bytes more it fits the MTU", value, expected: limit };
    if (!list.ask({ ...fits, bytes: range(at.ip + 2, 2) }, "REDIRECT_FRAG_NEEDED")) {
      // The error quotes the packet as its sender sent it.
      list.skip("SNAT");
      return;
    }
    this.mss();
    this.fib();
    if (this.run.result.fib !== 0 || !this.flag(AT.encap, "Redirected at once", "tx", TX_FWD, "fwd")) return;
    const out = this.run.reason === "REDIRECT_ENCAP";
    const where = out ? `interface ${this.run.result.redirectIfindex}` : `interface ${this.ifindex}, this one`;
    list.fork({ at: AT.encap, text: "The way leads out of another interface", value: where }, out);
  }

  private mss(): void {
    if (!this.flag(AT.mss, "The MSS of TCP SYNs is clamped", "tx", TX_MSS, "mss")) return;
    const clamped = this.run.notes.includes("MSS_CLAMPED");
    const value = clamped ? `lowered to ${this.mtu - 92}` : "no TCP SYN, or a low MSS already";
    this.list.fork({ at: AT.mss, text: "A TCP SYN with too large an MSS", value }, clamped);
  }

  private fib(): void {
    const { fib } = this.run.result;
    const note = this.run.notes.find((name) => name.startsWith("FIB_")) ?? "FIB_ERROR";
    const text = "The FIB knows the next hop, the MAC addresses are set";
    this.list.fork({ at: AT.fib, text, value: note, expected: "FIB_SUCCESS" }, fib === 0);
  }

  /** An entry of 0.0.0.0:0 says: no translation. */
  private translates(to: string, at: Place): boolean {
    const text = "The entry names an endpoint";
    return this.list.ask({ at, text, value: to, expected: "not 0.0.0.0:0" }, "PASS_NO_TRANSLATION");
  }

  /** Whether a flag of CONFIG is set; where the packet stops for lack of it, that decides. */
  private flag(at: Place, text: string, side: "rx" | "tx", bit: number, name: string): boolean {
    const q = { at, text, value: this.flagText(side), expected: name };
    if (((side === "rx" ? this.rx : this.tx) & bit) !== 0) return this.list.fork(q, true);
    const last = this.run.reason === "PASS_NO_MATCH" && this.list.untold === 0 && name !== "gue" && name !== "proxy";
    if (last) this.list.ask(q, "PASS_NO_MATCH");
    else this.list.fork(q, false);
    return false;
  }

  private flagText(side: "rx" | "tx"): string {
    return formatFlags(side, side === "rx" ? this.rx : this.tx);
  }
}
