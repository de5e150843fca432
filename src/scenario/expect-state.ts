/** Compiles one item of `expect:` or `until:`: a line of text or an object that names a packet, a drop or a table. */
import { LabError, type Position } from "../errors.ts";
import { readHost } from "./arg-types.ts";
import { dropCheck } from "./drops.ts";
import { compileCount, compileMatcher, type MatcherSpec } from "./expect.ts";
import { compilePacket, type PacketSpec, packetCheck } from "./expect-packet.ts";
import type { ParseContext } from "./parse-command.ts";
import { dropExpectSchema, packetExpectSchema, tableExpectSchema } from "./scenario-schema.ts";
import { type Path, schemaError } from "./schema-error.ts";
import type { StateCheck } from "./state.ts";
import { parseState } from "./until.ts";
import { quoteWord } from "./words.ts";
import type { YamlSource } from "./yaml-source.ts";

const FORMS = { packet: packetExpectSchema, drop: dropExpectSchema, table: tableExpectSchema } as const;
export const STATE_KEYS = Object.keys(FORMS);

/** True for an object that says something about the lab's state, not about a command's result. */
export function isStateObject(item: unknown): boolean {
  return typeof item === "object" && item !== null && STATE_KEYS.some((key) => Object.hasOwn(item, key));
}

/** Throws LabError: ERR_EXPECT_SYNTAX, ERR_SCENARIO_SYNTAX, ERR_HOST_UNKNOWN. */
export function compileState(item: unknown, source: YamlSource, path: Path, ctx: ParseContext): StateCheck {
  if (typeof item === "string") return parseState(item, { ...ctx, position: source.valuePosition(path) });
  const form = STATE_KEYS.find((key) => Object.hasOwn(item as object, key)) as keyof typeof FORMS;
  const schema = FORMS[form];
  const parsed = schema.safeParse(item);
  if (!parsed.success)
    throw schemaError("ERR_SCENARIO_SYNTAX", schema, parsed.error, source.positionOf, path, "docs/scenarios.md");
  const at = (...more: Path): Position => source.positionOf([...path, ...more]);
  const value = parsed.data as {
    packet?: PacketSpec;
    drop?: { at?: string; where?: MatcherSpec; reason?: MatcherSpec };
    table?: string;
    has?: Record<string, MatcherSpec>;
    absent?: true;
    count?: MatcherSpec;
    since?: string;
  };
  const since = value.since ?? "start";
  const count = value.count === undefined ? undefined : compileCount(value.count, at("count"));
  if (value.packet) {
    checkPlace(value.packet.at as string | undefined, ctx, at("packet", "at"));
    const wanted = count ?? compileMatcher(">=1");
    const query = compilePacket(value.packet, wanted, since, (p) => at("packet", ...p));
    return packetCheck(describe("packet", value.packet, wanted.text, since), query, at());
  }
  if (value.drop) {
    checkPlace(value.drop.at, ctx, at("drop", "at"));
    const wanted = count ?? compileMatcher(">=1");
    const reason =
      value.drop.reason === undefined ? undefined : compileMatcher(value.drop.reason, at("drop", "reason"));
    const where = value.drop.where === undefined ? undefined : compileMatcher(value.drop.where, at("drop", "where"));
    const query = { at: value.drop.at, reason, where, count: wanted, since };
    return dropCheck(describe("drop", value.drop, wanted.text, since), query, at());
  }
  return tableState(value as { table: string }, source, path, ctx);
}

/** The object form says the same as a line, with values that need not be one word. */
function tableState(
  value: { table: string; has?: Record<string, MatcherSpec>; absent?: true; count?: MatcherSpec },
  source: YamlSource,
  path: Path,
  ctx: ParseContext,
): StateCheck {
  const words: string[] = [];
  for (const [name, spec] of Object.entries(value.has ?? {}))
    for (const one of Array.isArray(spec) ? spec : [spec]) words.push(name, quoteWord(String(one)));
  if (value.absent) words.push("absent");
  if (value.count !== undefined) words.push("count", quoteWord(String(value.count)));
  if (value.has && Object.keys(value.has).length === 0)
    throw new LabError("ERR_EXPECT_SYNTAX", "has is empty", {
      position: source.positionOf([...path, "has"]),
      hint: "Name at least one field, or leave it out.",
    });
  const position = source.valuePosition([...path, "table"]);
  const prefix = "table ";
  // Fields without a key are those of any entry.
  const anyKey = value.has && value.table.trim().split(/\s+/).length === 2 ? ["*"] : [];
  return parseState(`${prefix}${[value.table, ...anyKey, ...words].join(" ")}`, {
    ...ctx,
    position: { ...position, column: position.column - prefix.length },
  });
}

function checkPlace(place: string | undefined, ctx: ParseContext, position: Position): void {
  if (place === undefined) return;
  const [hostName, nic] = place.split("/");
  const host = readHost(hostName, ctx, 0);
  if (typeof host !== "string") throw new LabError(host.code, host.message, { position, hint: host.hint });
  const nics = ctx.nics?.(host);
  if (nic !== undefined && nics && !nics.includes(nic))
    throw new LabError("ERR_NIC_UNKNOWN", `${host} has no interface "${nic}"`, {
      position,
      hint: `It has ${nics.join(", ")}.`,
    });
}

/** `packet at egw/eth1, direction out, gue.group 1, count >=1` */
function describe(form: string, spec: object, count: string, since: string): string {
  const parts: string[] = [];
  const walk = (part: object, prefix: string): void => {
    for (const [name, value] of Object.entries(part)) {
      if (typeof value === "object" && value !== null && !Array.isArray(value)) walk(value, `${prefix}${name}.`);
      else parts.push(`${prefix}${name} ${value}`);
    }
  };
  walk(spec, "");
  parts.push(`count ${count}`);
  if (since !== "start") parts.push(`since ${since}`);
  return `${form} ${parts.join(", ")}`;
}
