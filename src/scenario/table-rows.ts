/**
 * Table entries as text, and keys from text: one spelling for expectations, reports and listings.
 *
 * | table | key |
 * | --- | --- |
 * | TUNNEL | `65736` |
 * | DECAP | `172.1.0.3:5000` |
 * | ENCAP, DNAT, SNAT | `tcp 1.1.1.1:4000` |
 * | SESSION | `tcp 172.1.0.2:33000 > 1.1.1.1:4000` (client > backend) |
 * | VERIFY | `1/200` (group/service) |
 * | CONFIG, STATS | interface index |
 * | REASON | `DROP_WRONG_KEY` |
 * | EPOCH | `0` |
 */
import { formatKey, parseKey } from "../control/key.ts";
import type { TableStore } from "../tables/map.ts";
import { REASON, REASON_NAMES, type ReasonName } from "../tables/reasons.ts";
import { TABLES, type TableName } from "../tables/schema.ts";
import {
  type Endpoint,
  formatEndpoint,
  formatFlags,
  formatServiceId,
  formatSession,
  parseEndpoint,
  parseFlags,
  parseServiceId,
  parseSession,
} from "../tables/text.ts";
import { IPPROTO_UDP } from "../wire/ipv4.ts";
import { parseUint } from "./arg-types.ts";

/** One entry as text. */
export interface TableRow {
  key: string;
  fields: Record<string, string>;
}

// biome-ignore lint/suspicious/noExplicitAny: a decoded struct of whichever table
type Decoded = any;

/** `172.1.0.3:5000`, an endpoint of a tunnel. */
const bare = (e: Endpoint): string => formatEndpoint(e, IPPROTO_UDP);
/** `tcp 1.1.1.1:4000` */
const full = (e: Endpoint): string => formatEndpoint(e);
const num = (v: number): string => String(v);

interface TableText {
  /** What a key looks like, for messages. */
  keyForm: string;
  /** Words that a key takes in a line. */
  keyWords: number;
  key(k: Decoded): string;
  parse(text: string): Record<string, unknown> | undefined;
  fields: Record<string, (v: Decoded) => string>;
}

const one = { value: (v: Decoded) => num(v.value) };
const service = {
  group: (v: Decoded) => num(v.id.group),
  service: (v: Decoded) => num(v.id.service),
  key: (v: Decoded) => formatKey(v.key),
};
const byNumber = (max: number, keyForm: string) => ({
  keyForm,
  keyWords: 1,
  key: (k: Decoded) => num(k.value),
  parse: (text: string) => {
    const value = parseUint(text, max);
    return value === undefined ? undefined : { value };
  },
});
const byEndpoint = {
  keyForm: "a protocol and an endpoint such as tcp 1.1.1.1:4000",
  keyWords: 2,
  key: full,
  parse: padded,
};

const TEXT: Record<TableName, TableText> = {
  CONFIG: {
    ...byNumber(0xffffffff, "an interface index"),
    fields: { rx: (v) => formatFlags("rx", v.rx), tx: (v) => formatFlags("tx", v.tx), mtu: (v) => num(v.mtu) },
  },
  TUNNEL: {
    ...byNumber(0xffffffff, "a tunnel id such as 65736 (group * 65536 + service)"),
    fields: { local: (v) => bare(v.local), remote: (v) => bare(v.remote) },
  },
  DECAP: {
    keyForm: "an endpoint such as 172.1.0.3:5000",
    keyWords: 1,
    key: bare,
    parse: (text) => padded(text, IPPROTO_UDP),
    fields: { tunnel: one.value },
  },
  ENCAP: { ...byEndpoint, fields: { tunnel: (v) => num(v.tunnel), ...service } },
  SESSION: {
    keyForm: "a session such as tcp 172.1.0.2:33000 > 1.1.1.1:4000",
    keyWords: 4,
    key: (k) => formatSession(k.client, k.backend),
    parse: (text) => {
      const session = parseSession(oneBlank(text));
      return session && { client: { ...session.client, pad: 0 }, backend: { ...session.backend, pad: 0 } };
    },
    fields: { tunnel: (v) => num(v.tunnel), ...service, proxy: (v) => full(v.proxy), epoch: (v) => num(v.epoch) },
  },
  VERIFY: {
    keyForm: "group/service such as 1/200",
    keyWords: 1,
    key: formatServiceId,
    parse: parseServiceId,
    fields: {
      key: service.key,
      tunnel: (v) => num(v.tunnel),
      proxy: (v) => full(v.proxy),
      backend: (v) => full(v.backend),
    },
  },
  DNAT: { ...byEndpoint, fields: { backend: full } },
  SNAT: { ...byEndpoint, fields: { proxy: full } },
  EPOCH: { ...byNumber(0, "0"), fields: { epoch: one.value } },
  STATS: {
    ...byNumber(0xffffffff, "an interface index"),
    fields: Object.fromEntries(
      ["rx_packets", "rx_bytes", "tx_packets", "tx_bytes"].map((f) => [f, (v: Decoded) => num(v[f])]),
    ),
  },
  REASON: {
    keyForm: "a reason such as DROP_WRONG_KEY",
    keyWords: 1,
    key: (k) => REASON_NAMES[k.value] ?? num(k.value),
    parse: (text) => (Object.hasOwn(REASON, text) ? { value: REASON[text as ReasonName] } : undefined),
    fields: { count: one.value },
  },
};

const oneBlank = (text: string): string => text.replace(/\s+/g, " ");

function padded(text: string, bareProto?: number): Record<string, unknown> | undefined {
  const e = parseEndpoint(oneBlank(text), bareProto);
  return e && { ...e, pad: 0 };
}

export const keyForm = (name: TableName): string => TEXT[name].keyForm;
export const keyWords = (name: TableName): number => TEXT[name].keyWords;
export const fieldNames = (name: TableName): string[] => Object.keys(TEXT[name].fields);

/** The bytes of a key as written; undefined when it is none. */
export function parseKeyText(name: TableName, text: string): Uint8Array | undefined {
  const value = TEXT[name].parse(text.trim());
  return value && TABLES[name].key.encode(value as never);
}

/** One entry as text. */
export function tableRow(name: TableName, key: Uint8Array, value: Uint8Array): TableRow {
  const text = TEXT[name];
  const decoded = TABLES[name].value.decode(value);
  const fields: Record<string, string> = {};
  for (const [field, format] of Object.entries(text.fields)) fields[field] = format(decoded);
  return { key: text.key(TABLES[name].key.decode(key)), fields };
}

/** Made when first needed; localeCompare with options takes twenty times as long (65 ms for 1,000 keys). */
let byKey: ((a: string, b: string) => number) | undefined;

/** All entries as text, sorted by key; reasons keep their order and leave out what was never counted. */
export function tableRows(store: TableStore): TableRow[] {
  const name = store.def.name as TableName;
  const rows = store.entries().map(([k, v]) => tableRow(name, k, v));
  if (name === "REASON") return rows.filter((row) => row.fields.count !== "0");
  byKey ??= new Intl.Collator("en", { numeric: true }).compare;
  const compare = byKey;
  return rows.sort((a, b) => compare(a.key, b.key));
}

/** `172.1.0.3:5000  tunnel 65736` */
export function rowLine(row: TableRow): string {
  const fields = Object.entries(row.fields).map(([name, value]) => `${name} ${value}`);
  return `${row.key}  ${fields.join("  ")}`;
}

/** A field's value as someone may write it, in the spelling of `tableRow`: flags by number, keys in hex or base64. */
export function normaliseField(table: TableName, field: string, text: string): string {
  if (field === "key")
    try {
      return formatKey(parseKey(text));
    } catch {
      return text; // A pattern, or not a key: compared as it stands.
    }
  if (table !== "CONFIG" || (field !== "rx" && field !== "tx")) return text;
  const bits = parseFlags(field, text);
  return bits === undefined ? text : formatFlags(field, bits);
}
