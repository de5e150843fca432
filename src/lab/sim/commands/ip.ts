/** The part of iproute2 that scenarios need: routes, addresses on lo, neighbours, links. */
import { LabError } from "../../../errors.ts";
import type { Link } from "../../../sim/link.ts";
import { formatMac } from "../../../wire/ethernet.ts";
import { formatIpv4, parseIpv4 } from "../../../wire/ipv4.ts";
import { unknownNic } from "../../common/host.ts";
import type { SimHost } from "../world.ts";
import { neighbourLines } from "./host.ts";

const HINT =
  "Known: ip route [add|del PREFIX via IP|dev NIC], ip addr [add|del IP/LEN dev lo], ip neigh, ip link [set NIC mtu N|up|down].";

const bad = (what: string): LabError => new LabError("ERR_IP_SYNTAX", `ip: ${what}`, { hint: HINT });

/** Carries out `ip WORDS` on a host and returns what it prints. */
export function ipCommand(node: SimHost, links: Map<string, Link>, given: string[]): string[] {
  const words = given.filter((w) => !w.startsWith("-"));
  const [object = "", verb = "show", ...rest] = words;
  if ("route".startsWith(object) && object !== "") return route(node, verb, rest);
  if ("address".startsWith(object) && object !== "") return address(node, verb, rest);
  if ("neighbour".startsWith(object) && object !== "") return neighbourLines(node);
  if ("link".startsWith(object) && object !== "") return link(node, links, verb, rest);
  throw bad(object === "" ? "nothing to do" : `'${object}' is not known`);
}

/** `10.0.0.0/8`, `default` or a lone address. */
function prefixOf(text: string | undefined): { addr: number; len: number } {
  if (text === "default") return { addr: 0, len: 0 };
  const [ip, len] = (text ?? "").split("/");
  const addr = parseIpv4(ip);
  if (addr === undefined || (len !== undefined && !/^([0-9]|[12]\d|3[0-2])$/.test(len)))
    throw bad(`expected an address or prefix, got '${text ?? ""}'`);
  return { addr, len: len === undefined ? 32 : Number(len) };
}

function route(node: SimHost, verb: string, words: string[]): string[] {
  const { host } = node;
  if (verb === "show" || verb === "list")
    return host.routes().map((r) => {
      const dst = r.len === 0 ? "default" : `${formatIpv4(r.prefix)}${r.len < 32 ? `/${r.len}` : ""}`;
      const via = r.via !== 0 ? ` via ${formatIpv4(r.via)}` : "";
      const src = r.src !== 0 ? ` src ${formatIpv4(r.src)}` : "";
      return `${r.type === "unicast" ? "" : `${r.type} `}${dst}${via} dev ${host.device(r.ifindex)?.name ?? "?"}${src}`;
    });
  const { addr, len } = prefixOf(words[0]);
  const via = words[1] === "via" ? parseIpv4(words[2] ?? "") : undefined;
  const dev = words[1] === "dev" ? host.nic(words[2] ?? "") : undefined;
  if (verb === "add") {
    if (via === undefined && dev === undefined) throw bad("expected 'via IP' or 'dev NIC' behind the prefix");
    const ok = via !== undefined ? host.addRoute(addr, len, via) : host.addDeviceRoute(addr, len, dev!);
    if (!ok) throw new LabError("ERR_ROUTE", "the route exists already, or its next hop is on no network of the host");
    return [];
  }
  if (verb === "del") {
    if (!host.delRoute(addr, len, via)) throw new LabError("ERR_ROUTE", "there is no such route");
    return [];
  }
  throw bad(`'route ${verb}' is not known`);
}

function address(node: SimHost, verb: string, words: string[]): string[] {
  const { host } = node;
  if (verb === "show" || verb === "list")
    return host
      .allDevices()
      .flatMap((d) => host.fib.addressesOf(d.ifindex).map((a) => `${d.name}: ${formatIpv4(a.addr)}/${a.len}`));
  const { addr, len } = prefixOf(words[0]);
  if (words[1] !== "dev" || words[2] !== "lo") throw bad("addresses can be changed on lo only: expected 'dev lo'");
  if (verb === "add") {
    if (host.fib.isLocal(addr)) throw new LabError("ERR_ADDRESS_IN_USE", `${formatIpv4(addr)} is there already`);
    host.addAddress(host.lo, addr, len);
    return [];
  }
  if (verb === "del") {
    if (!host.removeAddress(host.lo, addr)) throw new LabError("ERR_ADDRESS_UNKNOWN", `lo has no ${formatIpv4(addr)}`);
    return [];
  }
  throw bad(`'addr ${verb}' is not known`);
}

function link(node: SimHost, links: Map<string, Link>, verb: string, words: string[]): string[] {
  const { host } = node;
  if (verb === "show" || verb === "list")
    return host.nics.map((n) => {
      const up = links.get(n.label)?.up ? "UP" : "DOWN";
      const counts = `RX ${n.rxPackets} packets, TX ${n.txPackets} packets, ${n.txOversize} dropped as oversized`;
      return `${n.ifindex}: ${n.name}: ${up} mtu ${n.mtu} ${formatMac(n.mac)}; ${counts}`;
    });
  if (verb !== "set") throw bad(`'link ${verb}' is not known`);
  const [name, what, value] = words[0] === "dev" ? words.slice(1) : words;
  const nic = host.nic(name ?? "");
  if (nic === undefined) throw unknownNic(node.def, name ?? "");
  if (what === "up" || what === "down") {
    links.get(nic.label)?.setUp(what === "up");
    return [];
  }
  const mtu = Number(value);
  if (what !== "mtu" || !Number.isInteger(mtu) || mtu < 68 || mtu > 65_535)
    throw bad("expected 'mtu N' (68 to 65535), 'up' or 'down' behind the interface");
  nic.mtu = mtu;
  return [];
}
