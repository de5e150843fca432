/**
 * Packet vectors: one JSON object a line that fills the tables, sends frames through the hooks and says what must come
 * out. Reading and checking them; vector-run.ts runs them. Format: docs/vectors.md.
 */
import { LabError } from "../errors.ts";
import { MapError } from "../tables/map.ts";
import { REASON_NAMES, REASONS } from "../tables/reasons.ts";
import { TABLES } from "../tables/schema.ts";
import type { TableStores } from "../tables/tables.ts";
import { fromHex, toHex } from "../wire/bytes.ts";
import { type Mac, parseMac } from "../wire/ethernet.ts";
import { parseIpv4 } from "../wire/ipv4.ts";
import {
  arrayOf,
  fieldsOf,
  type Json,
  type JsonObject,
  objectOf,
  problem,
  textOf,
  uintOf,
  VectorProblem,
  type Where,
} from "./vector-check.ts";
import { jsonDuplicate, jsonOffset, jsonSyntaxError } from "./vector-json.ts";
import { TABLE_TEXT, TEXT_TABLE_NAMES, type TextTableName } from "./vector-text.ts";

/** What bpf_fib_lookup answers for one destination address. */
export interface FibRow {
  daddr: number;
  rc: number;
  ifindex: number;
  smac: Mac;
  dmac: Mac;
}

/** One row of a table, in the kernel's bytes; `value` undefined means that the row must be absent. */
export interface VectorRow {
  name: TextTableName;
  keyText: string;
  key: Uint8Array;
  value: Uint8Array | undefined;
}

/** One frame and where it arrives. */
export interface VectorPacket {
  hook: "ingress" | "egress";
  ifindex: number;
  frame: Uint8Array;
  gsoSize: number;
  /** The skb's own VLAN tag (TCI), -1 = none. */
  vlan: number;
  /** Members that must be equal; those not there are not judged. */
  want: JsonObject;
}

export interface Vector {
  /** The object as it was read; results are this and more. */
  json: JsonObject;
  name: string;
  /** In the order of the file, which is the order of filling: it decides the LRU order of sessions. */
  rows: VectorRow[];
  fib: FibRow[];
  packets: VectorPacket[];
  wantAfter: VectorRow[];
  file: string;
  line: number;
}

const HOOKS = ["ingress", "egress"];
const VERDICT_NAMES = ["pass", "drop", "redirect"] as const;
const WANT_FIELDS = ["verdict", "reason", "out", "redirect"];
const REASONS_OF_PACKETS = REASON_NAMES.filter((name) => REASONS[name].outcome !== "note");
const U32 = 0xffffffff;
const I32 = 0x7fffffff;

/** Reads a whole file: a vector a line; blank lines and lines that start with `//` or `#` are comments. Throws LabError. */
export function parseVectors(text: string, file: string): Vector[] {
  const out: Vector[] = [];
  for (const [i, raw] of text.split("\n").entries()) {
    // A byte order mark, and the carriage return of files from Windows.
    const line = (i === 0 ? raw.replace(/^\ufeff/, "") : raw).replace(/\r$/, "");
    if (!/^\s*($|#|\/\/)/.test(line)) out.push(parseVector(line, file, i + 1));
  }
  return out;
}

/** Reads one line. Throws LabError ERR_VECTOR_* with file, line and column. */
export function parseVector(text: string, file = "vector", line = 1): Vector {
  const fail = (code: string, message: string, offset: number, hint?: string): never => {
    throw new LabError(code, message, { position: { file, line, column: offset + 1 }, hint });
  };
  let json: Json;
  try {
    json = JSON.parse(text);
  } catch {
    const err = jsonSyntaxError(text);
    return fail("ERR_VECTOR_SYNTAX", err?.message ?? "not JSON", err?.offset ?? 0, "Each line holds one JSON object.");
  }
  const twice = jsonDuplicate(text);
  if (twice) return fail("ERR_VECTOR_KEY", `the member '${twice.name}' stands twice in one object`, twice.offset);
  try {
    return readVector(json, file, line);
  } catch (err) {
    if (!(err instanceof VectorProblem)) throw err;
    return fail(err.code, err.message, jsonOffset(text, err.at.path, err.at.key), err.hint);
  }
}

function readVector(json: Json, file: string, line: number): Vector {
  const at: Where = { path: [] };
  const f = fieldsOf(json, at, ["packets"], ["name", "comment", "tables", "want_after"]);
  if (f.comment !== undefined) textOf(f.comment, { path: ["comment"] });
  const tables = f.tables === undefined ? {} : objectOf(f.tables, { path: ["tables"] });
  const { fib = {}, ...rest } = tables;
  return {
    json: f,
    name: f.name === undefined ? `line ${line}` : textOf(f.name, { path: ["name"] }),
    rows: readRows(rest, "tables", ["fib"]),
    fib: readFib(fib),
    packets: arrayOf(f.packets, { path: ["packets"] }).map((p, i) => readPacket(p, { path: ["packets", i] })),
    wantAfter: f.want_after === undefined ? [] : readRows(f.want_after, "want_after", []),
    file,
    line,
  };
}

/** Rows of several tables. Under `want_after` a row may be null. */
function readRows(json: Json, member: "tables" | "want_after", otherNames: readonly string[]): VectorRow[] {
  const rows: VectorRow[] = [];
  const known = [...TEXT_TABLE_NAMES, ...otherNames];
  const seen = new Map<string, string>();
  for (const [name, content] of Object.entries(objectOf(json, { path: [member] }))) {
    const path = [member, name];
    if (!(TEXT_TABLE_NAMES as string[]).includes(name))
      problem("ERR_VECTOR_KEY", `there is no table '${name}'`, { path, key: true, word: name, known });
    if (name === "epoch") {
      const value = TABLES.EPOCH.value.encode({ value: uintOf(content, U32, { path }) });
      rows.push({ name, keyText: "", key: TABLES.EPOCH.key.encode({ value: 0 }), value });
      continue;
    }
    const text = TABLE_TEXT[name as keyof typeof TABLE_TEXT];
    for (const [keyText, row] of Object.entries(objectOf(content, { path }))) {
      const at: Where = { path: [...path, keyText] };
      const key = text.parseKey(keyText, at);
      const canonical = `${name} ${text.formatKey(key)}`;
      const before = seen.get(canonical);
      if (before !== undefined)
        problem("ERR_VECTOR_KEY", `'${keyText}' is the same row as '${before}'`, { ...at, key: true });
      seen.set(canonical, keyText);
      const value = row === null && member === "want_after" ? undefined : text.parseValue(row, at);
      rows.push({ name: name as TextTableName, keyText, key, value });
    }
  }
  return rows;
}

function readFib(json: Json): FibRow[] {
  const path = ["tables", "fib"];
  return Object.entries(objectOf(json, { path })).map(([key, row]) => {
    const at: Where = { path: [...path, key] };
    const daddr =
      parseIpv4(key) ?? problem("ERR_VECTOR_VALUE", `'${key}' is not an IPv4 address`, { ...at, key: true });
    const f = fieldsOf(row, at, [], ["rc", "ifindex", "smac", "dmac"]);
    const rc = f.rc ?? 0;
    if (typeof rc !== "number" || !Number.isInteger(rc) || Math.abs(rc) > I32)
      problem("ERR_VECTOR_VALUE", "rc is a 32-bit number: 0 for success, else BPF_FIB_LKUP_RET_*", sub(at, "rc"));
    if (rc === 0) fieldsOf(row, at, ["ifindex", "smac", "dmac"], ["rc"]);
    return {
      daddr,
      rc,
      ifindex: uintOf(f.ifindex ?? 0, U32, sub(at, "ifindex")),
      smac: macOf(f.smac ?? "00:00:00:00:00:00", sub(at, "smac")),
      dmac: macOf(f.dmac ?? "00:00:00:00:00:00", sub(at, "dmac")),
    };
  });
}

function readPacket(json: Json, at: Where): VectorPacket {
  const f = fieldsOf(json, at, ["hook", "ifindex", "in"], ["gso_size", "vlan", "want", "comment"]);
  const hook = choiceOf(f.hook, HOOKS, "hook", sub(at, "hook")) as VectorPacket["hook"];
  if (f.comment !== undefined) textOf(f.comment, sub(at, "comment"));
  return {
    hook,
    ifindex: uintOf(f.ifindex, I32, sub(at, "ifindex")),
    frame: hexOf(f.in, sub(at, "in")),
    gsoSize: uintOf(f.gso_size ?? 0, 0xffff, sub(at, "gso_size")),
    vlan: f.vlan === undefined ? -1 : uintOf(f.vlan, 0xffff, sub(at, "vlan")),
    want: f.want === undefined ? {} : readWant(f.want, sub(at, "want")),
  };
}

/** The expectation in the spelling of the results, so that the two compare member by member. */
function readWant(json: Json, at: Where): JsonObject {
  const f = fieldsOf(json, at, [], WANT_FIELDS);
  const want: JsonObject = {};
  if (f.verdict !== undefined) want.verdict = choiceOf(f.verdict, VERDICT_NAMES, "verdict", sub(at, "verdict"));
  if (f.reason !== undefined) want.reason = choiceOf(f.reason, REASONS_OF_PACKETS, "reason", sub(at, "reason"));
  if (f.out !== undefined) want.out = f.out === null ? null : toHex(hexOf(f.out, sub(at, "out")));
  if (f.redirect !== undefined)
    want.redirect = f.redirect === null ? null : readRedirect(f.redirect, sub(at, "redirect"));
  return want;
}

function readRedirect(json: Json, at: Where): JsonObject {
  const f = fieldsOf(json, at, ["ifindex"], ["ingress"]);
  const ingress = f.ingress ?? false;
  if (typeof ingress !== "boolean") problem("ERR_VECTOR_TYPE", "expected true or false", sub(at, "ingress"));
  return { ifindex: uintOf(f.ifindex, I32, sub(at, "ifindex")), ingress };
}

const sub = (at: Where, ...steps: (string | number)[]): Where => ({ path: [...at.path, ...steps] });

function choiceOf(json: Json | undefined, known: readonly string[], what: string, at: Where): string {
  const word = textOf(json, at);
  if (!known.includes(word)) problem("ERR_VECTOR_VALUE", `there is no ${what} '${word}'`, { ...at, word, known });
  return word;
}

function hexOf(json: Json | undefined, at: Where): Uint8Array {
  return (
    fromHex(textOf(json, at)) ??
    problem("ERR_VECTOR_VALUE", "the frame is not hex", at, "Write two hex digits for each byte.")
  );
}

function macOf(json: Json, at: Where): Mac {
  const text = textOf(json, at);
  return parseMac(text) ?? problem("ERR_VECTOR_VALUE", `'${text}' is not a MAC address`, at);
}

/** Writes a vector's rows into empty tables. Throws LabError ERR_VECTOR_TABLE_FULL. */
export function fillTables(stores: TableStores, vector: Vector): void {
  for (const row of vector.rows) {
    const table = row.name === "epoch" ? "EPOCH" : TABLE_TEXT[row.name].table;
    try {
      stores[table].update(row.key, row.value as Uint8Array);
    } catch (err) {
      if (!(err instanceof MapError)) throw err;
      throw new LabError(
        "ERR_VECTOR_TABLE_FULL",
        `'${vector.name}' has more rows than ${table} can hold (${err.errno})`,
        {
          position: { file: vector.file, line: vector.line, column: 1 },
          cause: err,
        },
      );
    }
  }
}
