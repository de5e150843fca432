/** Expectations on recorded packets: which frames passed a NIC, how many, and what was in them. */
import type { Position } from "../errors.ts";
import { REASON_NAMES } from "../tables/reasons.ts";
import { summary } from "../wire/summary.ts";
import { compileMatcher, type Matcher, type MatcherSpec } from "./expect.ts";
import type { PacketRecord } from "./lab.ts";
import { joinTcpFlags, viewFrame } from "./packet-view.ts";
import { clip, type StateCheck } from "./state.ts";

/** The `packet:` of a scenario, as its schema lets it through. */
export interface PacketSpec {
  [field: string]: MatcherSpec | PacketSpec | undefined;
}

/** One compared field: the way to it in the packet's view, and what it must be. */
interface FieldTest {
  path: readonly string[];
  matcher: Matcher;
}

export interface PacketQuery {
  /** `HOST` or `HOST/NIC`; undefined: anywhere. */
  at?: string;
  host?: string;
  nic?: string;
  direction?: "in" | "out";
  /** The hook's reason, by name. */
  reason?: Matcher;
  fields: FieldTest[];
  count: Matcher;
  since: string;
}

/** Fields that belong to the record, not to the frame's own bytes. */
const RECORD_FIELDS = new Set(["at", "direction", "reason"]);

/** Compiles the fields of a `packet:`. `positionOf` gives the place of a field. */
export function compilePacket(
  spec: PacketSpec,
  count: Matcher,
  since: string,
  positionOf: (path: string[]) => Position | undefined,
): PacketQuery {
  const query: PacketQuery = { fields: [], count, since };
  if (typeof spec.at === "string") {
    query.at = spec.at;
    [query.host, query.nic] = spec.at.split("/");
  }
  if (spec.direction === "in" || spec.direction === "out") query.direction = spec.direction;
  if (spec.reason !== undefined) query.reason = compileMatcher(spec.reason as MatcherSpec, positionOf(["reason"]));
  const walk = (part: PacketSpec, path: string[]): void => {
    for (const [name, value] of Object.entries(part)) {
      if (value === undefined || (path.length === 0 && RECORD_FIELDS.has(name))) continue;
      const here = [...path, name];
      if (typeof value === "object" && !Array.isArray(value)) walk(value as PacketSpec, here);
      else query.fields.push(fieldTest(here, value as MatcherSpec, positionOf(here)));
    }
  };
  walk(spec, []);
  return query;
}

function fieldTest(path: string[], spec: MatcherSpec, position?: Position): FieldTest {
  const name = path[path.length - 1];
  const value =
    name === "flags" && typeof spec === "string" && !spec.startsWith("/")
      ? joinTcpFlags(spec.toUpperCase().split("+"))
      : spec;
  return { path, matcher: compileMatcher(value, position) };
}

function valueAt(view: Record<string, unknown>, path: readonly string[]): unknown {
  let at: unknown = view;
  for (const name of path) {
    if (typeof at !== "object" || at === null) return undefined;
    at = (at as Record<string, unknown>)[name];
  }
  return at;
}

/** `src: 1.1.1.1:4000` compares address and port in one text; `src: "!=1.1.1.1"` must hold for both spellings. */
function fieldOk(view: Record<string, unknown>, test: FieldTest): boolean {
  const value = valueAt(view, test.path);
  const ok = test.matcher.test(value);
  const negated = test.matcher.text.startsWith("!=");
  const name = test.path[test.path.length - 1];
  if (ok !== negated || (name !== "src" && name !== "dst") || value === undefined) return ok;
  const port = valueAt(view, [...test.path.slice(0, -1), name === "src" ? "sport" : "dport"]);
  return port === undefined ? ok : test.matcher.test(`${value}:${port}`);
}

type View = Record<string, unknown>;

/** Views of the frames of a lab's list of records, which only grows: a scenario looks at the same packets again and again. */
const cache = new WeakMap<readonly PacketRecord[], View[]>();

function viewsOf(records: readonly PacketRecord[]): View[] {
  const known = cache.get(records);
  if (known !== undefined) return known;
  const views: View[] = [];
  cache.set(records, views);
  return views;
}

function recordOk(query: PacketQuery, p: PacketRecord): boolean {
  return (
    (query.host === undefined || query.host === p.host) &&
    (query.nic === undefined || query.nic === p.nic) &&
    (query.direction === undefined || query.direction === p.direction) &&
    (query.reason === undefined || (p.hook !== undefined && query.reason.test(REASON_NAMES[p.hook.reason])))
  );
}

/** A check on how many recorded packets match. Needs a lab that records. */
export function packetCheck(text: string, query: PacketQuery, position?: Position): StateCheck {
  return {
    text,
    position,
    since: query.since,
    evaluate({ lab, mark }) {
      const all = lab.packets();
      const views = viewsOf(all);
      const near: PacketRecord[] = [];
      let found = 0;
      for (let i = mark(query.since).packets; i < all.length; i++) {
        if (!recordOk(query, all[i])) continue;
        const view = (views[i] ??= viewFrame(all[i].frame) as unknown as View);
        if (query.fields.every((test) => fieldOk(view, test))) found++;
        else near.push(all[i]);
      }
      if (query.count.test(found)) return { ok: true, text, expected: "", actual: "", detail: [], position };
      const place = `${query.at ?? "anywhere"}${query.direction ? ` ${query.direction}` : ""}`;
      const detail =
        near.length > 0 ? [`other packets (${place}):`, ...clip(distinct(near))] : [`no other packet (${place})`];
      return { ok: false, text, expected: `${query.count.text} packets`, actual: `${found} packets`, detail, position };
    },
  };
}

/** One line for each kind of packet, most frequent first. */
function distinct(packets: readonly PacketRecord[]): string[] {
  const counts = new Map<string, number>();
  for (const p of packets) {
    const line = `${p.host}/${p.nic} ${p.direction} ${summary(p.frame)}`;
    counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1]).map(([line, n]) => (n > 1 ? `${line} (${n} times)` : line));
}
