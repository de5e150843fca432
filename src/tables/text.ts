/**
 * How people write what stands in the tables: endpoints, flags, services, sessions. Vectors, listings, expectations and
 * commands share these spellings; each that is printed reads back to the same value.
 */
import { formatIpv4, IPPROTO_TCP, IPPROTO_UDP, parseIpv4 } from "../wire/ipv4.ts";
import { RX_FLAGS, TX_FLAGS } from "./schema.ts";

/** An endpoint in host order. */
export interface Endpoint {
  ip: number;
  port: number;
  proto: number;
}

const PROTO_NAMES: Readonly<Record<number, string>> = { [IPPROTO_TCP]: "tcp", [IPPROTO_UDP]: "udp" };

/** `tcp`, `udp` or the number. */
const formatProto = (proto: number): string => PROTO_NAMES[proto] ?? String(proto);

/** The reverse; a number from 0 to 255 for other protocols. */
function parseProto(text: string): number | undefined {
  if (text === "tcp") return IPPROTO_TCP;
  if (text === "udp") return IPPROTO_UDP;
  return /^(0|[1-9]\d{0,2})$/.test(text) && Number(text) <= 255 ? Number(text) : undefined;
}

/** `tcp 1.1.1.1:4000`; without the protocol where it is `bare`, the one that goes without saying. */
export function formatEndpoint(e: Endpoint, bare?: number): string {
  const text = `${formatIpv4(e.ip)}:${e.port}`;
  return e.proto === bare ? text : `${formatProto(e.proto)} ${text}`;
}

/** The reverse; undefined when it is no endpoint. Without `bare`, the protocol must be there. */
export function parseEndpoint(text: string, bare?: number): Endpoint | undefined {
  const m = /^(?:(\S+) )?([0-9.]+):(0|[1-9]\d{0,4})$/.exec(text);
  if (m === null) return undefined;
  const proto = m[1] === undefined ? bare : parseProto(m[1]);
  const ip = parseIpv4(m[2]);
  const port = Number(m[3]);
  if (proto === undefined || ip === undefined || port > 0xffff) return undefined;
  return { ip, port, proto };
}

/** `tcp 172.1.0.2:33000 > 1.1.1.1:4000`: client, backend. */
export function formatSession(client: Endpoint, backend: Endpoint): string {
  return `${formatEndpoint(client)} > ${formatEndpoint(backend, client.proto)}`;
}

export function parseSession(text: string): { client: Endpoint; backend: Endpoint } | undefined {
  const m = /^(\S+ \S+) > (.+)$/.exec(text);
  const client = m === null ? undefined : parseEndpoint(m[1]);
  const backend = m === null || client === undefined ? undefined : parseEndpoint(m[2], client.proto);
  return client === undefined || backend === undefined ? undefined : { client, backend };
}

/** `1/200`: group, service. */
export function formatServiceId(id: { group: number; service: number }): string {
  return `${id.group}/${id.service}`;
}

export function parseServiceId(text: string): { group: number; service: number } | undefined {
  const m = /^(0|[1-9]\d{0,4})\/(0|[1-9]\d{0,4})$/.exec(text);
  if (m === null || Number(m[1]) > 0xffff || Number(m[2]) > 0xffff) return undefined;
  return { group: Number(m[1]), service: Number(m[2]) };
}

/** Ingress or egress flags of CONFIG. */
export type FlagSide = "rx" | "tx";
const FLAGS: Readonly<Record<FlagSide, Readonly<Record<string, number>>>> = { rx: RX_FLAGS, tx: TX_FLAGS };

/** The names of one side's flags. */
export const flagNames = (side: FlagSide): string[] => Object.keys(FLAGS[side]);

/** Flag names joined by `+`, `0` for none, with the bits that have no name as a number: `gue+dump`, `proxy+64`. */
export function formatFlags(side: FlagSide, value: number): string {
  const names: string[] = [];
  let rest = value;
  for (const [name, bit] of Object.entries(FLAGS[side])) {
    if ((value & bit) === 0) continue;
    names.push(name);
    rest -= bit;
  }
  if (rest > 0 || names.length === 0) names.push(String(rest));
  return names.join("+");
}

/** Flags from a number in text, names joined by `+`, or both; undefined when a word is neither. */
export function parseFlags(side: FlagSide, text: string): number | undefined {
  const known = FLAGS[side];
  let value = 0;
  for (const word of text.toLowerCase().split("+")) {
    const bit = Object.hasOwn(known, word) ? known[word] : /^(0|[1-9]\d{0,9})$/.test(word) ? Number(word) : undefined;
    if (bit === undefined || bit > 0xffffffff) return undefined;
    value = (value | bit) >>> 0;
  }
  return value;
}
