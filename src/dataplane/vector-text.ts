/**
 * Table rows as people write them, and back: `"tcp 1.1.1.1:4000"`, `"1/100"`, `{"local": "172.1.0.3:5000", ...}`. Packet
 * vectors, pfc_list and explain use the same spelling, of the twins and of kernel maps alike. Every value that a table can
 * hold has a spelling, and parsing it gives the same bytes.
 */
import { REASON, REASON_NAMES, type ReasonName } from "../tables/reasons.ts";
import { TABLE_NAMES, TABLES, type TableName } from "../tables/schema.ts";
import type { TableStores } from "../tables/tables.ts";
import {
  type Endpoint,
  type FlagSide,
  flagNames,
  formatEndpoint,
  formatServiceId,
  formatSession,
  parseEndpoint,
  parseFlags,
  parseServiceId,
  parseSession,
} from "../tables/text.ts";
import { fromHex, toHex } from "../wire/bytes.ts";
import { IPPROTO_UDP } from "../wire/ipv4.ts";
import { fieldsOf, type Json, type JsonObject, problem, textOf, uintOf, type Where } from "./vector-check.ts";

/** Spelling of one table. */
export interface TableText {
  readonly table: TableName;
  /** Throws VectorProblem. */
  parseKey(text: string, at: Where): Uint8Array;
  formatKey(key: Uint8Array): string;
  /** Throws VectorProblem. */
  parseValue(json: Json, at: Where): Uint8Array;
  formatValue(value: Uint8Array): Json;
}

const U32 = 0xffffffff;
const U16 = 0xffff;
/** Values whose protocol the data path does not use may be written without one: it is 0 then. */
const ANY_PROTO = 0;

function endpointOf(json: Json | undefined, at: Where, bare?: number): Endpoint {
  const text = textOf(json, at);
  const e = parseEndpoint(text, bare);
  if (e === undefined)
    problem(
      "ERR_VECTOR_VALUE",
      `'${text}' is not an endpoint`,
      at,
      `Write ${bare === IPPROTO_UDP ? '"172.1.0.3:5000"' : '"tcp 1.1.1.1:4000"'}.`,
    );
  return e;
}

function keyOf(json: Json | undefined, at: Where): Uint8Array {
  const text = textOf(json, at);
  const key = fromHex(text);
  if (key?.length !== 16) problem("ERR_VECTOR_VALUE", `'${text}' is not a key`, at, "A key is 32 hex digits.");
  return key;
}

function flagsOf(side: FlagSide, json: Json | undefined, at: Where): number {
  if (json === undefined) return 0;
  if (typeof json !== "string") return uintOf(json, U32, at);
  const names = flagNames(side).join(", ");
  return (
    parseFlags(side, json) ??
    problem("ERR_VECTOR_VALUE", `'${json}' are no ${side} flags`, at, `Write a number, or of ${names} joined by '+'.`)
  );
}

function numberKey(text: string, at: Where): number {
  if (!/^(0|[1-9]\d{0,9})$/.test(text) || Number(text) > U32)
    problem("ERR_VECTOR_VALUE", `'${text}' is not a number from 0 to ${U32}`, { ...at, key: true });
  return Number(text);
}

const numbered = (table: "CONFIG" | "TUNNEL" | "STATS"): Pick<TableText, "parseKey" | "formatKey"> => ({
  parseKey: (text, at) => TABLES[table].key.encode({ value: numberKey(text, at) }),
  formatKey: (key) => String(TABLES[table].key.decode(key).value),
});

const endpointKeyed = (
  table: "DECAP" | "ENCAP" | "DNAT" | "SNAT",
  bare?: number,
): Pick<TableText, "parseKey" | "formatKey"> => ({
  parseKey: (text, at) => TABLES[table].key.encode({ ...endpointOf(text, { ...at, key: true }, bare), pad: 0 }),
  formatKey: (key) => formatEndpoint(TABLES[table].key.decode(key), bare),
});

const nat = (table: "DNAT" | "SNAT"): TableText => ({
  table,
  ...endpointKeyed(table),
  parseValue: (json, at) => TABLES[table].value.encode({ ...endpointOf(json, at, ANY_PROTO), pad: 0 }),
  formatValue: (value) => formatEndpoint(TABLES[table].value.decode(value), ANY_PROTO),
});

const below = (at: Where, ...steps: (string | number)[]): Where => ({ path: [...at.path, ...steps] });
const withPad = (e: Endpoint): Endpoint & { pad: number } => ({ ...e, pad: 0 });

const STAT_FIELDS = ["rx_packets", "rx_bytes", "tx_packets", "tx_bytes"] as const;

/** Spelling of the tables whose rows are members of an object, by the name that vectors give them. */
export const TABLE_TEXT = {
  config: {
    table: "CONFIG",
    ...numbered("CONFIG"),
    parseValue(json, at) {
      const f = fieldsOf(json, at, [], ["rx", "tx", "mtu"]);
      return TABLES.CONFIG.value.encode({
        rx: flagsOf("rx", f.rx, below(at, "rx")),
        tx: flagsOf("tx", f.tx, below(at, "tx")),
        mtu: uintOf(f.mtu ?? 0, U32, below(at, "mtu")),
      });
    },
    formatValue: (value) => TABLES.CONFIG.value.decode(value),
  },
  tunnel: {
    table: "TUNNEL",
    ...numbered("TUNNEL"),
    parseValue(json, at) {
      const f = fieldsOf(json, at, ["local", "remote"]);
      return TABLES.TUNNEL.value.encode({
        local: withPad(endpointOf(f.local, below(at, "local"), IPPROTO_UDP)),
        remote: withPad(endpointOf(f.remote, below(at, "remote"), IPPROTO_UDP)),
      });
    },
    formatValue(value) {
      const v = TABLES.TUNNEL.value.decode(value);
      return { local: formatEndpoint(v.local, IPPROTO_UDP), remote: formatEndpoint(v.remote, IPPROTO_UDP) };
    },
  },
  decap: {
    table: "DECAP",
    ...endpointKeyed("DECAP", IPPROTO_UDP),
    parseValue: (json, at) => TABLES.DECAP.value.encode({ value: uintOf(json, U32, at) }),
    formatValue: (value) => TABLES.DECAP.value.decode(value).value,
  },
  encap: {
    table: "ENCAP",
    ...endpointKeyed("ENCAP"),
    parseValue(json, at) {
      const f = fieldsOf(json, at, ["tunnel", "group", "service", "key"]);
      return TABLES.ENCAP.value.encode(serviceFields(f, at));
    },
    formatValue(value) {
      const v = TABLES.ENCAP.value.decode(value);
      return { tunnel: v.tunnel, group: v.id.group, service: v.id.service, key: toHex(v.key) };
    },
  },
  session: {
    table: "SESSION",
    parseKey(text, at) {
      const session = parseSession(text);
      if (session === undefined)
        problem(
          "ERR_VECTOR_VALUE",
          `'${text}' is not a session`,
          { ...at, key: true },
          'Write "tcp 172.1.0.2:33000 > 1.1.1.1:4000", the client first.',
        );
      const { client, backend } = session;
      return TABLES.SESSION.key.encode({ client: withPad(client), backend: withPad(backend) });
    },
    formatKey(key) {
      const k = TABLES.SESSION.key.decode(key);
      return formatSession(k.client, k.backend);
    },
    parseValue(json, at) {
      const f = fieldsOf(json, at, ["tunnel", "group", "service", "key", "proxy"], ["epoch"]);
      return TABLES.SESSION.value.encode({
        ...serviceFields(f, at),
        proxy: withPad(endpointOf(f.proxy, below(at, "proxy"), ANY_PROTO)),
        epoch: uintOf(f.epoch ?? 0, U32, below(at, "epoch")),
      });
    },
    formatValue(value) {
      const v = TABLES.SESSION.value.decode(value);
      const id = { tunnel: v.tunnel, group: v.id.group, service: v.id.service, key: toHex(v.key) };
      return { ...id, proxy: formatEndpoint(v.proxy, ANY_PROTO), epoch: v.epoch };
    },
  },
  verify: {
    table: "VERIFY",
    parseKey(text, at) {
      const id = parseServiceId(text);
      if (id === undefined)
        problem("ERR_VECTOR_VALUE", `'${text}' is not a group and service`, { ...at, key: true }, 'Write "1/100".');
      return TABLES.VERIFY.key.encode(id);
    },
    formatKey: (key) => formatServiceId(TABLES.VERIFY.key.decode(key)),
    parseValue(json, at) {
      const f = fieldsOf(json, at, ["key", "tunnel", "proxy", "backend"]);
      return TABLES.VERIFY.value.encode({
        key: keyOf(f.key, below(at, "key")),
        tunnel: uintOf(f.tunnel, U32, below(at, "tunnel")),
        proxy: withPad(endpointOf(f.proxy, below(at, "proxy"), ANY_PROTO)),
        backend: withPad(endpointOf(f.backend, below(at, "backend"), ANY_PROTO)),
      });
    },
    formatValue(value) {
      const v = TABLES.VERIFY.value.decode(value);
      const ends = { proxy: formatEndpoint(v.proxy, ANY_PROTO), backend: formatEndpoint(v.backend, ANY_PROTO) };
      return { key: toHex(v.key), tunnel: v.tunnel, ...ends };
    },
  },
  dnat: nat("DNAT"),
  snat: nat("SNAT"),
  stats: {
    table: "STATS",
    ...numbered("STATS"),
    parseValue(json, at) {
      const f = fieldsOf(json, at, [], STAT_FIELDS);
      const n = (name: (typeof STAT_FIELDS)[number]) => uintOf(f[name] ?? 0, Number.MAX_SAFE_INTEGER, below(at, name));
      const rx = { rx_packets: n("rx_packets"), rx_bytes: n("rx_bytes") };
      return TABLES.STATS.value.encode({ ...rx, tx_packets: n("tx_packets"), tx_bytes: n("tx_bytes") });
    },
    formatValue: (value) => TABLES.STATS.value.decode(value),
  },
  reasons: {
    table: "REASON",
    parseKey(text, at) {
      if (!Object.hasOwn(REASON, text))
        problem("ERR_VECTOR_VALUE", `there is no reason '${text}'`, {
          ...at,
          key: true,
          word: text,
          known: REASON_NAMES,
        });
      return TABLES.REASON.key.encode({ value: REASON[text as ReasonName] });
    },
    formatKey: (key) =>
      REASON_NAMES[TABLES.REASON.key.decode(key).value] ?? String(TABLES.REASON.key.decode(key).value),
    parseValue: (json, at) => TABLES.REASON.value.encode({ value: uintOf(json, Number.MAX_SAFE_INTEGER, at) }),
    formatValue: (value) => TABLES.REASON.value.decode(value).value,
  },
} as const satisfies Record<string, TableText>;

function serviceFields(f: JsonObject, at: Where) {
  return {
    tunnel: uintOf(f.tunnel, U32, below(at, "tunnel")),
    id: {
      group: uintOf(f.group, U16, below(at, "group")),
      service: uintOf(f.service, U16, below(at, "service")),
    },
    key: keyOf(f.key, below(at, "key")),
  };
}

/** Table names as vectors write them, in schema order; `epoch` is a number, not an object of rows. */
export type TextTableName = keyof typeof TABLE_TEXT | "epoch";
const TEXT_NAME = Object.fromEntries(Object.entries(TABLE_TEXT).map(([name, t]) => [t.table, name]));
export const TEXT_TABLE_NAMES = TABLE_NAMES.map((t) => TEXT_NAME[t] ?? t.toLowerCase()) as TextTableName[];

/** The rows of one table, sorted by key; counters that are 0 are left out. */
export function tableToText(stores: TableStores, name: TextTableName): Json {
  if (name === "epoch") return epochOf(stores);
  const text: TableText = TABLE_TEXT[name];
  const rows: [string, Json][] = [];
  for (const [key, value] of stores[text.table].entries()) {
    const json = text.formatValue(value);
    if (name !== "reasons" || json !== 0) rows.push([text.formatKey(key), json]);
  }
  if (name !== "reasons") rows.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return Object.fromEntries(rows);
}

function epochOf(stores: TableStores): number {
  const value = stores.EPOCH.lookup(TABLES.EPOCH.key.encode({ value: 0 }));
  return value === undefined ? 0 : TABLES.EPOCH.value.decode(value).value;
}

/** All tables of a host. */
export function tablesToText(stores: TableStores): JsonObject {
  return Object.fromEntries(TEXT_TABLE_NAMES.map((name) => [name, tableToText(stores, name)]));
}
