/**
 * Packet filters as pktdump takes them: the useful part of pcap-filter(7).
 *
 *   expression = unit { ("and" | "&&" | "or" | "||") unit }      left to right, equal precedence as in libpcap
 *   unit       = ("not" | "!") unit | "(" expression ")" | primitive
 *   primitive  = [ip|arp|tcp|udp] [src|dst] host ADDR | net ADDR[/LEN] | port N | portrange N-M
 *              | ether [src|dst] host MAC | ip | ip6 | arp | tcp | udp | icmp | vlan | gue | less N | greater N
 *
 * Behind `or` and `and` the qualifiers may be left out: `port 80 or 443`. `gue` is an extension.
 */
import { LabError } from "../errors.ts";
import { arpSpa, arpTpa } from "./arp.ts";
import { rd16 } from "./bytes.ts";
import { looksLikeGue } from "./dissect-l4.ts";
import type { Dissection, DissectOptions } from "./dissect-types.ts";
import { ETH_HLEN, ETH_P_ARP, ETH_P_IP, ETH_P_IPV6, ethDst, ethSrc, ethType, parseMac } from "./ethernet.ts";
import {
  IP_OFFMASK,
  IPPROTO_ICMP,
  IPPROTO_TCP,
  IPPROTO_UDP,
  ipDaddr,
  ipFragOff,
  ipHlen,
  ipProto,
  ipSaddr,
  parseIpv4,
} from "./ipv4.ts";
import { isVlanType } from "./repr-link.ts";

/** True for the frames (MAC header first) that the filter lets through. */
export type PacketFilter = (frame: Uint8Array) => boolean;
type Test = (d: Dissection) => boolean;

interface Token {
  text: string;
  column: number;
}

/** Words in front of a value; they hold until others are given. */
interface Qualifiers {
  proto: string;
  dir: "src" | "dst" | "";
  type: string;
}

const PROTOS = ["ip", "ip6", "arp", "tcp", "udp", "icmp", "ether"];
const TYPES = ["host", "net", "port", "portrange"];
const HINT = 'For example "udp and port 5000" or "not arp and (host 172.1.0.3 or net 172.2.0.0/16)".';

/** Compiles a filter; an empty one lets everything through. Throws LabError ERR_FILTER_SYNTAX with the column. */
export function parseFilter(text: string, options: DissectOptions = {}): PacketFilter {
  const test = new FilterParser(text).parse();
  const tunnelPorts = new Set(options.tunnelPorts);
  return (frame) => test({ b: frame, tunnelPorts });
}

class FilterParser {
  private readonly tokens: Token[];
  private readonly end: number;
  private pos = 0;
  private last: Qualifiers | undefined;

  constructor(text: string) {
    this.tokens = [...text.matchAll(/[()]|&&|\|\||!|[^\s()!&|]+|[&|]/g)].map((m) => ({
      text: m[0],
      column: m.index + 1,
    }));
    this.end = text.length + 1;
  }

  parse(): Test {
    if (this.tokens.length === 0) return () => true;
    const test = this.expression();
    const rest = this.tokens[this.pos];
    if (rest) this.fail(rest.text === ")" ? '")" without "("' : `"${rest.text}" where and, or or the end is expected`);
    return test;
  }

  private expression(): Test {
    let left = this.unit();
    for (;;) {
      const op = this.peek();
      if (op !== "and" && op !== "&&" && op !== "or" && op !== "||") return left;
      this.pos++;
      const [a, b] = [left, this.unit()];
      left = op === "and" || op === "&&" ? (d) => a(d) && b(d) : (d) => a(d) || b(d);
    }
  }

  private unit(): Test {
    const word = this.peek();
    if (word === "not" || word === "!") {
      this.pos++;
      const inner = this.unit();
      return (d) => !inner(d);
    }
    if (word === "(") {
      this.pos++;
      const inner = this.expression();
      if (this.peek() !== ")") this.fail('")" is missing');
      this.pos++;
      return inner;
    }
    return this.primitive();
  }

  private primitive(): Test {
    const q: Qualifiers = { proto: "", dir: "", type: "" };
    const word = this.peek();
    if (word === "less" || word === "greater") {
      this.pos++;
      const n = this.number(0xffffffff, "a length in bytes");
      return word === "less" ? (d) => d.b.length <= n : (d) => d.b.length >= n;
    }
    if (word === "gue" || word === "vlan") {
      this.pos++;
      return word === "gue" ? isGue : (d) => d.b.length >= ETH_HLEN && isVlanType(ethType(d.b, 0));
    }
    let qualified = false;
    if (PROTOS.includes(this.peek())) {
      q.proto = this.next();
      qualified = true;
    }
    if (this.peek() === "src" || this.peek() === "dst") {
      q.dir = this.next() as "src" | "dst";
      qualified = true;
      if (!TYPES.includes(this.peek())) q.type = "host";
    }
    if (TYPES.includes(this.peek())) {
      q.type = this.next();
      qualified = true;
    }
    if (qualified && q.type === "") {
      if (q.proto === "ether") this.fail('"host" and a MAC address must follow "ether"');
      return protoTest(q.proto);
    }
    if (!qualified && (!this.last || !/^[0-9]/.test(this.peek()))) this.fail(this.unknown());
    const used = qualified ? q : (this.last as Qualifiers);
    this.last = used;
    const test = this.value(used);
    if (used.proto === "" || used.proto === "ether") return test;
    const proto = protoTest(used.proto);
    return (d) => proto(d) && test(d);
  }

  private unknown(): string {
    return this.pos < this.tokens.length ? `"${this.peek()}" is no filter word` : "a condition is expected here";
  }

  private value(q: Qualifiers): Test {
    switch (q.type) {
      case "host":
        return q.proto === "ether" ? this.macValue(q.dir) : this.hostValue(q.dir);
      case "net":
        return this.netValue(q.dir);
      case "port":
      case "portrange": {
        if (["ip6", "arp", "icmp", "ether"].includes(q.proto)) this.fail(`${q.proto} has no ports`);
        if (q.type === "portrange") return this.portRange(q.dir);
        const port = this.number(0xffff, "a port");
        return portTest(q.dir, port, port);
      }
      default:
        return this.fail(this.unknown());
    }
  }

  private hostValue(dir: Qualifiers["dir"]): Test {
    const addr = parseIpv4(this.peek());
    if (addr === undefined) this.fail(`an IPv4 address is expected, found "${this.peek()}"`);
    this.pos++;
    return addressTest(dir, addr, 32);
  }

  private macValue(dir: Qualifiers["dir"]): Test {
    const mac = parseMac(this.peek());
    if (mac === undefined) this.fail(`a MAC address is expected, found "${this.peek()}"`);
    this.pos++;
    return ({ b }) =>
      b.length >= ETH_HLEN && ((dir !== "dst" && ethSrc(b, 0) === mac) || (dir !== "src" && ethDst(b, 0) === mac));
  }

  private netValue(dir: Qualifiers["dir"]): Test {
    const m = /^([0-9.]+)(?:\/(\d{1,2}))?$/.exec(this.peek());
    const parts = m ? m[1].split(".").length : 0;
    // `net 172.1` means 172.1.0.0/16, as in pcap-filter(7).
    const addr = m && parts <= 4 ? parseIpv4(m[1] + ".0".repeat(4 - parts)) : undefined;
    const prefix = m?.[2] === undefined ? parts * 8 : Number(m[2]);
    if (addr === undefined || prefix > 32)
      this.fail(`a network such as 172.1.0.0/16 is expected, found "${this.peek()}"`);
    this.pos++;
    return addressTest(dir, addr, prefix);
  }

  private portRange(dir: Qualifiers["dir"]): Test {
    const m = /^(\d{1,5})-(\d{1,5})$/.exec(this.peek());
    if (!m || Number(m[2]) > 0xffff || Number(m[1]) > Number(m[2]))
      return this.fail(`a range such as 5000-5010 is expected, found "${this.peek()}"`);
    this.pos++;
    return portTest(dir, Number(m[1]), Number(m[2]));
  }

  private number(max: number, what: string): number {
    const word = this.peek();
    if (!/^\d{1,10}$/.test(word) || Number(word) > max) this.fail(`${what} is expected, found "${word}"`);
    this.pos++;
    return Number(word);
  }

  private peek(): string {
    return this.tokens[this.pos]?.text ?? "";
  }

  private next(): string {
    return this.tokens[this.pos++].text;
  }

  private fail(message: string): never {
    const column = this.tokens[this.pos]?.column ?? this.end;
    throw new LabError("ERR_FILTER_SYNTAX", message.replace('found ""', "found the end"), {
      position: { file: "filter", line: 1, column },
      hint: HINT,
    });
  }
}

const L4_PROTO: Record<string, number> = { tcp: IPPROTO_TCP, udp: IPPROTO_UDP, icmp: IPPROTO_ICMP };

function protoTest(proto: string): Test {
  const type = { ip: ETH_P_IP, ip6: ETH_P_IPV6, arp: ETH_P_ARP }[proto];
  if (type !== undefined) return ({ b }) => b.length >= ETH_HLEN && ethType(b, 0) === type;
  const number = L4_PROTO[proto];
  return ({ b }) => isIp(b) && ipProto(b, ETH_HLEN) === number;
}

const isIp = (b: Uint8Array): boolean => b.length >= ETH_HLEN + 20 && ethType(b, 0) === ETH_P_IP;
const isArp = (b: Uint8Array): boolean => b.length >= ETH_HLEN + 28 && ethType(b, 0) === ETH_P_ARP;

function addressTest(dir: Qualifiers["dir"], addr: number, prefix: number): Test {
  const mask = prefix === 0 ? 0 : (0xffffffff << (32 - prefix)) >>> 0;
  const want = (addr & mask) >>> 0;
  const matches = (a: number): boolean => (a & mask) >>> 0 === want;
  return ({ b }) => {
    if (isIp(b))
      return (dir !== "dst" && matches(ipSaddr(b, ETH_HLEN))) || (dir !== "src" && matches(ipDaddr(b, ETH_HLEN)));
    if (isArp(b))
      return (dir !== "dst" && matches(arpSpa(b, ETH_HLEN))) || (dir !== "src" && matches(arpTpa(b, ETH_HLEN)));
    return false;
  };
}

/** Offset of the L4 header of a TCP or UDP packet that shows its ports; -1 for every other frame. */
function portsAt(b: Uint8Array): number {
  if (!isIp(b) || (ipFragOff(b, ETH_HLEN) & IP_OFFMASK) !== 0) return -1;
  const proto = ipProto(b, ETH_HLEN);
  const l4 = ETH_HLEN + ipHlen(b, ETH_HLEN);
  return (proto === IPPROTO_TCP || proto === IPPROTO_UDP) && b.length - l4 >= 4 ? l4 : -1;
}

function portTest(dir: Qualifiers["dir"], min: number, max: number): Test {
  const matches = (p: number): boolean => p >= min && p <= max;
  return ({ b }) => {
    const l4 = portsAt(b);
    return l4 >= 0 && ((dir !== "dst" && matches(rd16(b, l4))) || (dir !== "src" && matches(rd16(b, l4 + 2))));
  };
}

const isGue: Test = (d) => {
  const l4 = portsAt(d.b);
  return l4 >= 0 && ipProto(d.b, ETH_HLEN) === IPPROTO_UDP && looksLikeGue(d, l4, d.b.length);
};
