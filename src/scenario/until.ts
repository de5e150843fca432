/**
 * State in words: the one-line form of expectations, shared by `until` and `expect`.
 *
 *   tunnel HOST ID [resolved | unresolved | absent | local EP | remote EP ...]
 *   session HOST PROTO CLIENT > BACKEND [FIELD VALUE ...]        session HOST count N
 *   service HOST GROUP/SERVICE ...     encap | dnat | snat HOST PROTO EP ...     decap HOST EP ...
 *   table HOST NAME [KEY | *] [FIELD VALUE ...] [absent | count N]
 *   reason HOST NAME N                 epoch HOST N
 *   ports HOST free 5000-5010,5003     ports HOST count N
 *   conntrack HOST [WORD ...] [absent | count N]
 *   drops [HOST[/NIC]] [REASON] N
 *
 * N and VALUE are matchers (expect.ts).
 */
import { LabError, type Position } from "../errors.ts";
import { didYouMean } from "../suggest.ts";
import { REASON_NAMES } from "../tables/reasons.ts";
import { TABLE_NAMES, type TableName } from "../tables/schema.ts";
import { type BadArgument, parseEndpointArg, parseUint, readHost } from "./arg-types.ts";
import { dropCheck } from "./drops.ts";
import { compileCount, compileMatcher, type Matcher } from "./expect.ts";
import type { ParseContext } from "./parse-command.ts";
import { listCheck, type StateCheck, type TableQuery, tableCheck } from "./state.ts";
import { fieldNames, keyForm, keyWords, normaliseField, parseKeyText } from "./table-rows.ts";
import { columnAt, splitWords, type Word } from "./words.ts";

const BY_TABLE: Record<string, TableName> = {
  tunnel: "TUNNEL",
  session: "SESSION",
  service: "VERIFY",
  encap: "ENCAP",
  decap: "DECAP",
  dnat: "DNAT",
  snat: "SNAT",
};
/** First words of a line of state. */
export const STATE_SUBJECTS: readonly string[] = [
  ...Object.keys(BY_TABLE),
  "table",
  "reason",
  "epoch",
  "ports",
  "conntrack",
  "drops",
];
const UNRESOLVED = "0.0.0.0:0";

/** Compiles a line. Throws LabError ERR_EXPECT_SYNTAX or ERR_HOST_UNKNOWN with the column of the wrong word. */
export function parseState(text: string, ctx: ParseContext = {}): StateCheck {
  return new StateParser(text, ctx).parse();
}

class StateParser {
  private readonly text: string;
  private readonly ctx: ParseContext;
  private readonly words: Word[];
  private next = 0;

  constructor(text: string, ctx: ParseContext) {
    this.text = text.trim();
    this.ctx = ctx;
    this.words = splitWords(text, ctx.position);
  }

  parse(): StateCheck {
    const subject = this.take("what to look at", `One of ${STATE_SUBJECTS.join(", ")}.`);
    const table = Object.hasOwn(BY_TABLE, subject) ? BY_TABLE[subject] : undefined;
    if (table) return this.table(this.host(), table);
    if (subject === "table") {
      const host = this.host();
      return this.table(host, this.tableName(this.take("a table", `One of ${TABLE_NAMES.join(", ")}.`)));
    }
    if (subject === "reason") return this.reason(this.host());
    if (subject === "epoch") return this.value(this.host(), "EPOCH", "0", "epoch");
    if (subject === "ports") return this.ports(this.host());
    if (subject === "conntrack") return this.conntrack(this.host());
    if (subject === "drops") return this.drops();
    return this.fail(
      `nothing is called "${subject}"`,
      didYouMean(subject, STATE_SUBJECTS, `It is one of ${STATE_SUBJECTS.join(", ")}.`),
    );
  }

  private table(host: string, table: TableName): StateCheck {
    const query: TableQuery = { host, table, key: this.key(table), fields: [] };
    const only = query.key !== undefined;
    while (this.more()) {
      const word = this.take("a field", "");
      if (word === "absent") query.count = compileMatcher(0);
      else if (word === "count") query.count = this.count();
      else if (table === "TUNNEL" && word === "unresolved") query.fields.push(this.field(table, "remote", UNRESOLVED));
      else if (table === "TUNNEL" && word === "resolved")
        query.fields.push(this.field(table, "remote", `!=${UNRESOLVED}`));
      else if (!fieldNames(table).includes(word)) {
        const known = [...fieldNames(table), "absent", "count"];
        this.fail(`${table} has no field "${word}"`, didYouMean(word, known, `Known here: ${known.join(", ")}.`));
      } else query.fields.push(this.field(table, word, this.value1(table, word)));
    }
    if (!only && query.fields.length === 0 && query.count === undefined && this.words.at(-1)?.text !== "*")
      this.missing("a key, or count and a number", `A key is ${keyForm(table)}.`);
    return tableCheck(this.text, query, this.ctx.position);
  }

  /** A key in front of fields; undefined for `*`, and where fields or a count follow at once. */
  private key(table: TableName): TableQuery["key"] {
    const word = this.words[this.next];
    if (!word || [...fieldNames(table), "count", "absent"].includes(word.text)) return undefined;
    if (word.text === "*") {
      this.next++;
      return undefined;
    }
    const many = keyWords(table);
    const quotedWhole = word.quoted && /\s/.test(word.text);
    const words = this.words.slice(this.next, this.next + (quotedWhole ? 1 : many));
    const text = words.map((w) => w.text).join(" ");
    const bytes = parseKeyText(table, text);
    if (!bytes) {
      const hint = table === "REASON" ? didYouMean(text, REASON_NAMES, "See docs/reasons.md.") : "Or * for any entry.";
      this.failAt(word, `"${text}" is no key of ${table}: it is ${keyForm(table)}`, hint);
      return undefined;
    }
    this.next += words.length;
    return { text, bytes };
  }

  /** A field's value: one word, or two where it is a protocol and an endpoint. */
  private value1(table: TableName, field: string): string {
    const first = this.take(`what ${field} is`, "A value or a pattern follows.");
    const second = this.words[this.next]?.text;
    return (first === "tcp" || first === "udp") && table !== "TUNNEL" && second !== undefined
      ? `${first} ${this.take("", "")}`
      : first;
  }

  private field(table: TableName, name: string, value: string): { name: string; matcher: Matcher } {
    const wrong = endpointMistake(name, value);
    if (wrong) this.fail(`${name} is ${wrong}, not "${value}"`, "Or a pattern, such as /^172[.]1[.]0[.]5:/.");
    return { name, matcher: compileMatcher(normaliseField(table, name, value), this.here()) };
  }

  private reason(host: string): StateCheck {
    const name = this.take("a reason", "Such as DROP_WRONG_KEY.");
    if (!parseKeyText("REASON", name))
      this.fail(`there is no reason "${name}"`, didYouMean(name, REASON_NAMES, "The tables' counters show them all."));
    return this.value(host, "REASON", name, "count");
  }

  /** One number of a table with a fixed key; a table that is not there counts as 0. */
  private value(host: string, table: TableName, key: string, field: string): StateCheck {
    const matcher = this.count();
    this.end();
    const bytes = parseKeyText(table, key) as Uint8Array;
    const read = (stores: { lookup(k: Uint8Array): Uint8Array | undefined } | undefined): number => {
      const value = stores?.lookup(bytes);
      return value ? value.reduceRight((sum, byte) => sum * 256 + byte, 0) : 0;
    };
    return listCheck(
      this.text,
      (lab) => {
        const n = read(lab.tables(host)?.[table]);
        return { ok: matcher.test(n), actual: `${field} ${n}`, lines: [] };
      },
      `${field} ${matcher.text}`,
      this.ctx.position,
    );
  }

  private ports(host: string): StateCheck {
    const what = this.take("free or count", "free 5000-5010, or count 11.");
    if (what !== "free" && what !== "count")
      this.fail(`expected free or count, got "${what}"`, "free 5000-5010, or count 11.");
    const spec = what === "free" ? this.take("ports", "A list such as 5001-5010,5000, or none.") : "";
    const wanted = what === "free" ? this.portList(spec) : undefined;
    const count = wanted ? undefined : this.count();
    this.end();
    const same = (ports: readonly number[]): boolean =>
      wanted
        ? ports.length === wanted.length && ports.every((p, i) => p === wanted[i])
        : (count as Matcher).test(ports.length);
    return listCheck(
      this.text,
      (lab) => {
        const ports = lab.ports(host) ?? [];
        return { ok: same(ports), actual: wanted ? formatPorts(ports) : `${ports.length} free ports`, lines: [] };
      },
      wanted ? formatPorts(wanted) : `${(count as Matcher).text} free ports`,
      this.ctx.position,
    );
  }

  private portList(spec: string): number[] {
    if (spec === "none") return [];
    return spec.split(",").flatMap((part) => {
      const [low, high = low] = part.split("-").map((p) => parseUint(p, 0xffff));
      if (low === undefined || high === undefined || low > high || part.split("-").length > 2) {
        this.fail(`"${part}" is no port and no range of ports`, "A list such as 5001-5010,5000, or none.");
        return [];
      }
      return Array.from({ length: high - low + 1 }, (_, i) => low + i);
    });
  }

  private conntrack(host: string): StateCheck {
    const wanted: string[] = [];
    let count: Matcher | undefined;
    while (this.more() && !count) {
      const word = this.take("", "");
      if (word === "absent") count = compileMatcher(0);
      else if (word === "count") count = this.count();
      else wanted.push(word);
    }
    this.end();
    if (wanted.length === 0 && !count)
      this.missing("words of an entry, or count and a number", "Such as udp sport=6000.");
    const has = (line: string): boolean => {
      const words = line.split(/\s+/);
      return wanted.every((w) => words.includes(w));
    };
    const matcher = count ?? compileMatcher(">=1");
    return listCheck(
      this.text,
      (lab) => {
        const lines = lab.conntrack(host);
        const n = lines.filter(has).length;
        return { ok: matcher.test(n), actual: `${n} entries`, lines };
      },
      `${matcher.text} entries${wanted.length > 0 ? ` with ${wanted.join(" ")}` : ""}`,
      this.ctx.position,
    );
  }

  private drops(): StateCheck {
    let at: string | undefined;
    let reason: Matcher | undefined;
    while (this.more() && this.next < this.words.length - 1) {
      const word = this.take("", "");
      if (
        at === undefined &&
        reason === undefined &&
        (this.ctx.hosts ?? [word.split("/")[0]]).includes(word.split("/")[0])
      )
        at = word;
      else if (reason === undefined) reason = word === "*" ? compileMatcher("/./s") : compileMatcher(word, this.here());
      else this.fail(`"${word}" is one word too many`, "drops [HOST[/NIC]] [REASON] N");
    }
    const count = this.count();
    return dropCheck(this.text, { at, reason, count, since: "start" }, this.ctx.position);
  }

  private tableName(text: string): TableName {
    const name = TABLE_NAMES.find((t) => t === text.toUpperCase());
    return (
      name ??
      this.fail(
        `there is no table "${text}"`,
        didYouMean(text.toUpperCase(), TABLE_NAMES, `They are ${TABLE_NAMES.join(", ")}.`),
      )
    );
  }

  private host(): string {
    const text = this.take("a host", "Which host's state?");
    const host = readHost(text, this.ctx, 0);
    if (typeof host === "string") return host;
    throw this.error(this.words[this.next - 1].offset, (host as BadArgument).message, host.hint ?? "", host.code);
  }

  private count(): Matcher {
    const text = this.take("a count", "A number, >=1, or a range such as 1..3.");
    return compileCount(text, this.here());
  }

  private more(): boolean {
    return this.next < this.words.length;
  }

  private take(what: string, hint: string): string {
    const word = this.words[this.next++];
    return word ? word.text : this.missing(what, hint);
  }

  private end(): void {
    const word = this.words[this.next];
    if (word) this.failAt(word, `"${word.text}" is one word too many`, "");
  }

  /** Place of the word taken last. */
  private here(): Position {
    return columnAt(this.ctx.position, this.words[Math.max(0, this.next - 1)]?.offset ?? 0);
  }

  private missing(what: string, hint: string): never {
    throw this.error(this.words.at(-1)?.end ?? 0, `expected ${what} here`, hint);
  }

  private fail(message: string, hint: string): never {
    throw this.error(this.words[this.next - 1].offset, message, hint);
  }

  private failAt(word: Word, message: string, hint: string): never {
    throw this.error(word.offset, message, hint);
  }

  private error(offset: number, message: string, hint: string, code = "ERR_EXPECT_SYNTAX"): LabError {
    return new LabError(code, message, { position: columnAt(this.ctx.position, offset), hint: hint || undefined });
  }
}

/** What an endpoint's value should look like where it does not; undefined for patterns, comparisons and other fields. */
function endpointMistake(field: string, value: string): string | undefined {
  if (/^[/<>!]/.test(value)) return undefined;
  if (field === "local" || field === "remote")
    return parseEndpointArg(value) ? undefined : "an address and a port such as 172.1.0.5:6000";
  if (field !== "proxy" && field !== "backend") return undefined;
  const [, endpoint = ""] = /^(?:tcp|udp) (.*)$/.exec(value) ?? [];
  return parseEndpointArg(endpoint) ? undefined : "a protocol and an endpoint such as tcp 5.5.5.5:3100";
}

/** `5001-5010,5000`; `none` for no ports. */
export function formatPorts(ports: readonly number[]): string {
  const parts: string[] = [];
  for (let i = 0; i < ports.length; ) {
    let j = i;
    while (j + 1 < ports.length && ports[j + 1] === ports[j] + 1) j++;
    parts.push(j > i ? `${ports[i]}-${ports[j]}` : String(ports[i]));
    i = j + 1;
  }
  return parts.join(",") || "none";
}
