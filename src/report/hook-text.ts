/** A hook's decision in words: which hook, what verdict, why, and which table entry decided. */
import type { HookNote } from "../scenario/lab.ts";
import { REASON_NAMES, REASONS, type ReasonDef, type ReasonName } from "../tables/reasons.ts";
import type { TableName } from "../tables/schema.ts";
import { ETH_HLEN } from "../wire/ethernet.ts";
import { ipHlen } from "../wire/ipv4.ts";

/** Table whose entry, or lack of one, decided; "way" is ENCAP on a proxy and SESSION on a node. */
const DECIDED_BY: Partial<Record<ReasonName, TableName | "way">> = {
  PASS_NO_CONFIG: "CONFIG",
  PASS_NO_TRANSLATION: "DNAT",
  PASS_DECAP: "VERIFY",
  REDIRECT_DECAP: "VERIFY",
  PASS_DNAT: "DNAT",
  PING_CONSUMED: "TUNNEL",
  DROP_NO_SERVICE: "VERIFY",
  DROP_WRONG_KEY: "VERIFY",
  DROP_PING_TUNNEL: "VERIFY",
  DROP_PING_NO_TUNNEL: "TUNNEL",
  PASS_ENCAP: "way",
  REDIRECT_ENCAP: "way",
  REDIRECT_FRAG_NEEDED: "way",
  PASS_SNAT: "SNAT",
  PASS_DSO: "SESSION",
  DROP_NO_TUNNEL: "TUNNEL",
  DROP_UNRESOLVED: "TUNNEL",
};

/** Name and definition of a slot of REASONS; undefined for a number that is none. */
export function reasonOf(slot: number): { name: ReasonName; def: ReasonDef } | undefined {
  const name = REASON_NAMES[slot];
  return name === undefined ? undefined : { name, def: REASONS[name] };
}

/** `ENCAP -> tunnel 65736 group 1 service 200`; empty where no table had a say. */
export function entryText(note: HookNote, isProxy: boolean): string {
  const name = reasonOf(note.reason)?.name;
  const decided = name && DECIDED_BY[name];
  if (!decided) return "";
  let table: string = decided === "way" ? (isProxy ? "ENCAP" : "SESSION") : decided;
  if (name === "PASS_NO_TRANSLATION" && note.hook === "egress") table = isProxy ? "SNAT" : "SESSION";
  const parts: string[] = [];
  if (note.tunnel >= 0) parts.push(`tunnel ${note.tunnel}`);
  if (note.group >= 0) parts.push(`group ${note.group}`);
  if (note.service >= 0) parts.push(`service ${note.service}`);
  return parts.length === 0 ? table : `${table} -> ${parts.join(" ")}`;
}

/** Bytes that the hook added to the recorded frame, or took from it: ingress is recorded before the hook, egress after. */
function lengthChange(note: HookNote, frame: Uint8Array): number {
  if (note.hook === "egress") return note.lenBefore > 0 ? frame.length - note.lenBefore : 0;
  const name = reasonOf(note.reason)?.name;
  if (name !== "PASS_DECAP" && name !== "REDIRECT_DECAP") return 0;
  return frame.length > ETH_HLEN ? -(ipHlen(frame, ETH_HLEN) + 32) : 0;
}

/** `egress: pass PASS_ENCAP (encapsulated) ENCAP -> tunnel 65736 group 1 service 200, +52 bytes` */
export function hookText(note: HookNote, frame: Uint8Array, isProxy: boolean): string {
  const reason = reasonOf(note.reason);
  if (!reason) return `${note.hook}: reason ${note.reason}`;
  const entry = entryText(note, isProxy);
  const change = lengthChange(note, frame);
  return [
    `${note.hook}: ${reason.def.outcome} ${reason.name} (${reason.def.text})`,
    entry && ` ${entry}`,
    change !== 0 && `, ${change > 0 ? "+" : ""}${change} bytes`,
  ]
    .filter((part) => part !== false && part !== "")
    .join("");
}
