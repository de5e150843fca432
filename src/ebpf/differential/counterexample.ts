/**
 * A case that differs, as a packet vector that reproduces it (`guelab vectors run --datapath ebpf FILE`) and as a capture.
 * What it wants is what the reference says.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BPF_FIB_LKUP_RET_FWD_DISABLED, BPF_FIB_LKUP_RET_SUCCESS } from "../../dataplane/datapath.ts";
import { parseVector } from "../../dataplane/vector.ts";
import type { JsonObject } from "../../dataplane/vector-check.ts";
import { runVector } from "../../dataplane/vector-run.ts";
import { TABLE_TEXT } from "../../dataplane/vector-text.ts";
import { TABLES } from "../../tables/schema.ts";
import { fromHex, toHex } from "../../wire/bytes.ts";
import { formatMac } from "../../wire/ethernet.ts";
import { formatIpv4 } from "../../wire/ipv4.ts";
import { PcapngWriter, pcapngBuffer } from "../../wire/pcapng.ts";
import type { Difference } from "./machine.ts";
import type { Case } from "./sequence.ts";
import { IF_NOFWD, ROUTES } from "./universe.ts";

/** Table names as vectors write them. */
const TEXT_NAMES = Object.fromEntries(Object.entries(TABLE_TEXT).map(([name, t]) => [t.table, name]));

export const differenceText = (d: Difference): string =>
  `${d.packet < 0 ? "after the last packet" : `packet ${d.packet + 1}`}: ${d.what}: reference ${d.reference}, kernel ${d.kernel}`;

/** The case as a vector; the reference's results stand under `want` and `want_after`. */
export function caseToVector(c: Case, name: string, comment: string): JsonObject {
  const tables: Record<string, JsonObject | number> = {};
  for (const row of c.rows) {
    if (row.table === "EPOCH") {
      tables.epoch = TABLES.EPOCH.value.decode(row.value).value;
      continue;
    }
    const textName = TEXT_NAMES[row.table] as keyof typeof TABLE_TEXT;
    const rows = (tables[textName] ??= {}) as JsonObject;
    rows[TABLE_TEXT[textName].formatKey(row.key)] = TABLE_TEXT[textName].formatValue(row.value);
  }
  const fib = fibOf(c);
  if (Object.keys(fib).length > 0) tables.fib = fib;
  const packets = c.packets.map((p) => ({
    hook: p.ingress ? "ingress" : "egress",
    ifindex: p.ifindex,
    in: toHex(p.frame),
    ...(p.gsoSize === 0 ? {} : { gso_size: p.gsoSize }),
  }));
  const vector: JsonObject = { name, comment, tables, packets };
  const { json } = runVector(parseVector(JSON.stringify(vector)));
  const results = json.packets as JsonObject[];
  vector.packets = packets.map((p, i) => {
    const { verdict, reason, out, redirect } = results[i];
    return { ...p, want: { verdict, reason, out, ...(redirect === undefined ? {} : { redirect }) } };
  });
  vector.want_after = json.after;
  return vector;
}

/** The routes whose address occurs in the case. */
function fibOf(c: Case): JsonObject {
  const bytes = [...c.rows.map((r) => toHex(r.key) + toHex(r.value)), ...c.packets.map((p) => toHex(p.frame))].join(
    " ",
  );
  const noForwarding = c.packets.some((p) => p.ifindex === IF_NOFWD);
  const fib: JsonObject = {};
  for (const row of ROUTES) {
    if (!bytes.includes(row.daddr.toString(16).padStart(8, "0"))) continue;
    const rc = noForwarding ? BPF_FIB_LKUP_RET_FWD_DISABLED : row.rc;
    fib[formatIpv4(row.daddr)] =
      rc === BPF_FIB_LKUP_RET_SUCCESS
        ? { rc, ifindex: row.ifindex, smac: formatMac(row.smac), dmac: formatMac(row.dmac) }
        : { rc };
  }
  return fib;
}

/** Each packet as it goes in, and as the reference sends it on. */
function vectorCapture(vector: JsonObject): Uint8Array {
  const out = pcapngBuffer();
  const writer = new PcapngWriter(out.sink, { comment: String(vector.name) });
  const interfaces = new Map<number, number>();
  const packets = vector.packets as JsonObject[];
  for (const [i, p] of packets.entries()) {
    const ifindex = p.ifindex as number;
    const number = interfaces.get(ifindex) ?? writer.addInterface({ name: `if${ifindex}` });
    interfaces.set(ifindex, number);
    const want = p.want as JsonObject;
    const direction = p.hook === "ingress" ? "in" : "out";
    writer.packet(number, i * 2000, fromHex(String(p.in)) as Uint8Array, {
      direction,
      comment: `packet ${i + 1} into the ${p.hook} hook: ${want.verdict} ${want.reason}`,
    });
    if (typeof want.out === "string")
      writer.packet(number, i * 2000 + 1000, fromHex(want.out) as Uint8Array, {
        direction,
        comment: `packet ${i + 1} as the reference leaves it`,
      });
  }
  return out.bytes();
}

/** Writes NAME.jsonl and NAME.pcapng into a directory; gives their paths. */
export function writeCounterexample(dir: string, name: string, c: Case, difference: Difference): [string, string] {
  const vector = caseToVector(c, name, differenceText(difference));
  mkdirSync(dir, { recursive: true });
  const jsonl = join(dir, `${name}.jsonl`);
  const pcapng = join(dir, `${name}.pcapng`);
  writeFileSync(jsonl, `${JSON.stringify(vector)}\n`);
  writeFileSync(pcapng, vectorCapture(vector));
  return [jsonl, pcapng];
}
