/** Reads one word of a command by its parameter's type. */
import { parseKey } from "../control/key.ts";
import { LabError } from "../errors.ts";
import { didYouMean } from "../suggest.ts";
import { flagNames, parseFlags } from "../tables/text.ts";
import { fromHex } from "../wire/bytes.ts";
import { IPPROTO_TCP, IPPROTO_UDP, parseIpv4 } from "../wire/ipv4.ts";
import type { ArgValue, EndpointArg, LinkChange, OptionSpec, ParamSpec, ParamType } from "./command.ts";
import type { LinkProps } from "./topology.ts";
import * as units from "./units.ts";

/** Why a word was not accepted. `word` is the index of the wrong word among those that were given. */
export class BadArgument {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly word: number;
  constructor(message: string, hint?: string, code = "ERR_BAD_ARGUMENT", word = 0) {
    this.message = message;
    this.hint = hint;
    this.code = code;
    this.word = word;
  }
}

/** What the reader may know of the topology; what it does not know is not checked. */
export interface ArgContext {
  hosts?: readonly string[];
  /** NICs of a host. */
  nics?: (host: string) => readonly string[] | undefined;
  /** The host on which the command runs. */
  host?: string;
}

/** A reader of units.ts, which throws, as one that gives undefined: the message here names the parameter as well. */
const quiet =
  (parse: (text: string) => number) =>
  (text: string): number | undefined => {
    try {
      return parse(text);
    } catch {
      return undefined;
    }
  };
const parseDuration = quiet(units.parseDuration);
const parseSize = quiet(units.parseSize);
const parseRate = quiet(units.parseRate);
const parseProbability = quiet(units.parsePercent);
const parseSeconds = (text: string): number | undefined =>
  parseDuration(/^\d+(\.\d+)?$/.test(text) ? `${text}s` : text);

/** A non-negative decimal (or 0x hexadecimal) integer of at most `max`. */
export function parseUint(text: string, max: number): number | undefined {
  if (!/^(\d{1,16}|0[xX][0-9a-fA-F]{1,13})$/.test(text)) return undefined;
  const v = Number(text);
  return v <= max ? v : undefined;
}

/** `IP:PORT`. */
export function parseEndpointArg(text: string): EndpointArg | undefined {
  const i = text.lastIndexOf(":");
  const ip = parseIpv4(text.slice(0, i));
  const port = parseUint(text.slice(i + 1), 0xffff);
  return i < 0 || ip === undefined || port === undefined ? undefined : { ip, port };
}

/** How a value of each type is written, for messages and docs. */
export const EXPECTED: Record<ParamType, string> = {
  host: "a host",
  hosts: "hosts",
  nic: "an interface name such as eth1",
  link: "HOST/NIC, HOST or all",
  "link-change": "clear, down, up, or pairs such as `loss 1% delay 5ms`",
  ip: "an IPv4 address such as 172.1.0.3",
  endpoint: "an endpoint such as 172.1.0.3:5000",
  port: "a port from 0 to 65535",
  u16: "a number from 0 to 65535",
  u32: "a number from 0 to 4294967295",
  count: "a whole number",
  seconds: "a number of seconds such as 10 or 0.5",
  duration: "a duration with its unit such as 200ms, 5s or 2m",
  size: "a size in bytes such as 1400, 10K or 10M",
  proto: "tcp or udp",
  key: "a key of 16 bytes",
  "rx-flags": `a number or names joined by +: ${flagNames("rx").join(", ")}`,
  "tx-flags": `a number or names joined by +: ${flagNames("tx").join(", ")}`,
  url: "a URL such as http://5.5.5.5:3100/hello",
  hex: "hex bytes",
  word: "a word",
  rest: "words",
};

/** Reads the words of one parameter (one word, except for the types that take the rest). */
export function readArg(
  spec: ParamSpec | (OptionSpec & { type: ParamType; name: string }),
  words: readonly string[],
  ctx: ArgContext,
): ArgValue | BadArgument {
  const text = words[0];
  if (spec.choices && !spec.choices.includes(text))
    return new BadArgument(`${spec.name} is ${spec.choices.join(" or ")}, not "${text}"`);
  const value = READERS[spec.type](words, ctx);
  if (value === undefined) {
    const more = spec.min !== undefined && spec.type === "port" ? "a port from 1 to 65535" : EXPECTED[spec.type];
    return new BadArgument(`${spec.name}: expected ${more}, got "${text}"`);
  }
  if (spec.min !== undefined && typeof value === "number" && value < spec.min)
    return new BadArgument(
      `${spec.name} must not be ${text}`,
      spec.type === "port" ? "A port here is 1 to 65535." : "It must be above 0.",
    );
  return value;
}

type Reader = (words: readonly string[], ctx: ArgContext) => ArgValue | BadArgument | undefined;
/** A reader of the first word alone. */
const one =
  (read: (text: string, ctx: ArgContext) => ArgValue | BadArgument | undefined): Reader =>
  (words, ctx) =>
    read(words[0], ctx);

const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/;

const READERS: Record<ParamType, Reader> = {
  host: one((text, ctx) => readHost(text, ctx, 0)),
  hosts: (words, ctx) => {
    const hosts: string[] = [];
    for (const [i, word] of words.entries())
      for (const name of word.split(/[\s,]+/).filter(Boolean)) {
        const host = readHost(name, ctx, i);
        if (typeof host !== "string") return host;
        hosts.push(host);
      }
    return hosts;
  },
  nic: one((text, ctx) => readNic(text, ctx.host === undefined ? undefined : ctx.nics?.(ctx.host))),
  link: one(readLink),
  "link-change": readLinkChange,
  ip: one((text) => (text === "0" ? 0 : parseIpv4(text))),
  endpoint: one(parseEndpointArg),
  port: one((text) => parseUint(text, 0xffff)),
  u16: one((text) => parseUint(text, 0xffff)),
  u32: one((text) => parseUint(text, 0xffffffff)),
  count: one((text) => parseUint(text, Number.MAX_SAFE_INTEGER)),
  seconds: one(parseSeconds),
  duration: one((text) => {
    const v = parseDuration(text);
    return v === undefined && /^\d+(\.\d+)?$/.test(text)
      ? new BadArgument(`"${text}" has no unit`, `Write ${text}s for seconds or ${text}ms for milliseconds.`)
      : v;
  }),
  size: one(parseSize),
  proto: one((text) => {
    const t = text.toLowerCase();
    return t === "tcp" || t === "6" ? IPPROTO_TCP : t === "udp" || t === "17" ? IPPROTO_UDP : undefined;
  }),
  key: one(readKey),
  "rx-flags": one((text) => readFlags(text, "rx")),
  "tx-flags": one((text) => readFlags(text, "tx")),
  url: one(readUrl),
  hex: one((text) => {
    const bytes = fromHex(text);
    return bytes && bytes.length > 0 ? bytes : undefined;
  }),
  word: one((text) => text),
  rest: (words) => [...words],
};

export function readHost(text: string, ctx: ArgContext, word: number): string | BadArgument {
  if (ctx.hosts ? ctx.hosts.includes(text) : NAME.test(text)) return text;
  const known = ctx.hosts ?? [];
  return new BadArgument(
    `there is no host "${text}"`,
    didYouMean(
      text,
      known,
      known.length ? `The hosts are ${known.join(", ")}.` : "A host's name has no special characters.",
    ),
    "ERR_HOST_UNKNOWN",
    word,
  );
}

function readNic(text: string, known: readonly string[] | undefined): string | BadArgument | undefined {
  // Besides a topology's own there are lo and the tunnel devices of egw_setup and pfc_setup.
  if (!known || text === "lo" || /^gue\d+$/.test(text) || known.includes(text))
    return NAME.test(text) && text.length < 16 ? text : undefined;
  return new BadArgument(
    `there is no interface "${text}" here`,
    didYouMean(text, known, `There is ${known.join(", ")}.`),
    "ERR_NIC_UNKNOWN",
  );
}

function readLink(text: string, ctx: ArgContext): string | BadArgument | undefined {
  if (text === "all") return text;
  const [hostName, nicName, ...more] = text.split("/");
  if (more.length > 0 || nicName === "") return undefined;
  const host = readHost(hostName, ctx, 0);
  if (typeof host !== "string" || nicName === undefined) return host;
  const nic = readNic(nicName, ctx.nics?.(host));
  return typeof nic === "string" ? text : nic;
}

function readFlags(text: string, side: "rx" | "tx"): number | BadArgument | undefined {
  const bits = parseFlags(side, text);
  if (bits !== undefined || !/^[a-z+]+$/i.test(text)) return bits;
  const wrong = text.split("+").find((name) => parseFlags(side, name) === undefined) ?? text;
  return new BadArgument(
    `"${wrong}" is no ${side === "rx" ? "ingress" : "egress"} flag`,
    didYouMean(wrong, flagNames(side), `The flags are ${flagNames(side).join(", ")}.`),
  );
}

function readKey(text: string): Uint8Array | BadArgument {
  try {
    return parseKey(text);
  } catch (err) {
    if (err instanceof LabError) return new BadArgument(err.message, err.hint, err.code);
    throw err;
  }
}

function readUrl(text: string): string | BadArgument | undefined {
  const m = /^(?:(https?):\/\/)?([^/:]+)(?::(\d{1,5}))?(\/\S*)?$/i.exec(text);
  if (!m) return undefined;
  if (m[1]?.toLowerCase() === "https")
    return new BadArgument("https is not supported", "Services speak plain HTTP: write http://.");
  if (parseIpv4(m[2]) === undefined)
    return new BadArgument(`"${m[2]}" is not an IPv4 address`, "Labs have no name server: write the address.");
  if (m[3] !== undefined && !(Number(m[3]) >= 1 && Number(m[3]) <= 0xffff)) return undefined;
  return `http://${m[2]}${m[3] ? `:${m[3]}` : ""}${m[4] ?? "/"}`;
}

/** Spelling in a command or a file -> property, and how its value is read. */
export const LINK_PROPS: Record<
  string,
  { prop: keyof LinkProps; read: (text: string) => number | undefined; expected: string }
> = {
  delay: { prop: "delayNs", read: parseDuration, expected: EXPECTED.duration },
  rate: { prop: "rateBps", read: parseRate, expected: "a bit rate such as 10mbit" },
  queue: { prop: "queue", read: (t) => parseUint(t, 1_000_000), expected: "a number of frames" },
  loss: { prop: "loss", read: parseProbability, expected: "a probability such as 1% or 0.01" },
  duplicate: { prop: "duplicate", read: parseProbability, expected: "a probability such as 1% or 0.01" },
  reorder: { prop: "reorder", read: parseProbability, expected: "a probability such as 1% or 0.01" },
  corrupt: { prop: "corrupt", read: parseProbability, expected: "a probability such as 1% or 0.01" },
  jitter: { prop: "jitterNs", read: parseDuration, expected: EXPECTED.duration },
  reorder_delay: { prop: "reorderDelayNs", read: parseDuration, expected: EXPECTED.duration },
};

function readLinkChange(words: readonly string[]): LinkChange | BadArgument {
  const first = words[0];
  if (first === "clear" || first === "up" || first === "down")
    return words.length === 1
      ? { action: first }
      : new BadArgument(`nothing follows ${first}`, undefined, "ERR_TOO_MANY_ARGUMENTS", 1);
  const props: Partial<LinkProps> = {};
  for (let i = 0; i < words.length; i += 2) {
    const def = Object.hasOwn(LINK_PROPS, words[i]) ? LINK_PROPS[words[i]] : undefined;
    if (!def) {
      const known = Object.keys(LINK_PROPS);
      const hint = didYouMean(words[i], [...known, "clear", "down", "up"], `Links have ${known.join(", ")}.`);
      return new BadArgument(`a link has no "${words[i]}"`, hint, "ERR_BAD_ARGUMENT", i);
    }
    if (i + 1 >= words.length)
      return new BadArgument(`${words[i]} needs a value`, `Give ${def.expected}.`, "ERR_MISSING_ARGUMENT", i);
    const value = def.read(words[i + 1]);
    if (value === undefined)
      return new BadArgument(
        `${words[i]}: expected ${def.expected}, got "${words[i + 1]}"`,
        undefined,
        "ERR_BAD_ARGUMENT",
        i + 1,
      );
    props[def.prop] = value;
  }
  return { action: "set", props };
}
