/**
 * Matchers: what may stand where a scenario says what a value must be, and the checks on a command's result.
 *
 *   200   "text"   "/regex/i"   ">=1"   "!=0"   "1..5"   10M   [all, of, these]
 *
 * A number also matches a size (`10M`) or a duration (`5s`, in ns). Everything is compiled when the scenario is read, so
 * that a wrong regular expression is found before anything runs.
 */
import { LabError, type Position } from "../errors.ts";
import type { CommandResult } from "./lab.ts";
import type { CheckReport } from "./report-types.ts";
import { parseDuration, parseSize } from "./units.ts";

export interface Matcher {
  /** As written. */
  readonly text: string;
  test(actual: unknown): boolean;
}

export type MatcherSpec = string | number | boolean | readonly (string | number | boolean)[];

/** A number as written: plain, a size, or a duration. */
function numberOf(text: string): number | undefined {
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  for (const parse of [parseSize, parseDuration])
    try {
      return parse(text);
    } catch {
      // not of this unit
    }
  return undefined;
}

const COMPARE: Record<string, (a: number, b: number) => boolean> = {
  ">=": (a, b) => a >= b,
  "<=": (a, b) => a <= b,
  "!=": (a, b) => a !== b,
  ">": (a, b) => a > b,
  "<": (a, b) => a < b,
};

/** Compiles a matcher. Throws LabError ERR_EXPECT_SYNTAX. */
export function compileMatcher(spec: MatcherSpec, position?: Position): Matcher {
  if (Array.isArray(spec)) {
    if (spec.length === 0) throw bad("the list of expected values is empty", position, "List at least one value.");
    const all = spec.map((one: string | number | boolean) => compileMatcher(one, position));
    return { text: all.map((m) => m.text).join(" and "), test: (actual) => all.every((m) => m.test(actual)) };
  }
  const text = String(spec);
  const regex = /^\/(.+)\/([imsu]*)$/s.exec(text);
  if (regex) return regexMatcher(text, regex[1], regex[2], position);
  const compare = /^(>=|<=|!=|>|<)\s*(\S+)$/.exec(text);
  if (compare) return compareMatcher(text, compare[1], compare[2], position);
  const range = /^(\d+)\.\.(\d+)$/.exec(text);
  if (range) {
    const [low, high] = [Number(range[1]), Number(range[2])];
    if (low > high) throw bad(`the range ${text} is empty`, position, `Write ${high}..${low}.`);
    return { text, test: (actual) => isNumeric(actual) && Number(actual) >= low && Number(actual) <= high };
  }
  const wanted = numberOf(text);
  return { text, test: (actual) => equals(actual, text, wanted) };
}

function equals(actual: unknown, text: string, wanted: number | undefined): boolean {
  if (actual === undefined || actual === null) return false;
  if (typeof actual === "number") return actual === wanted;
  if (Array.isArray(actual)) return actual.map(String).join(",") === text.replace(/,\s+/g, ",");
  return String(actual).replace(/\r?\n$/, "") === text;
}

function regexMatcher(text: string, source: string, flags: string, position?: Position): Matcher {
  let re: RegExp;
  try {
    re = new RegExp(source, flags);
  } catch (err) {
    throw bad(
      `${text} is no regular expression: ${(err as Error).message}`,
      position,
      "A text in slashes is a pattern.",
    );
  }
  return { text, test: (actual) => actual !== undefined && actual !== null && re.test(String(actual)) };
}

function compareMatcher(text: string, op: string, operand: string, position?: Position): Matcher {
  const wanted = numberOf(operand);
  const compare = COMPARE[op];
  if (wanted !== undefined) return { text, test: (actual) => isNumeric(actual) && compare(Number(actual), wanted) };
  if (op !== "!=")
    throw bad(`${text}: ${operand} is not a number`, position, "Compare with a number, a size or a duration.");
  return { text, test: (actual) => actual !== undefined && !equals(actual, operand, undefined) };
}

const isNumeric = (v: unknown): boolean =>
  typeof v === "number" || (typeof v === "string" && /^-?\d+(\.\d+)?$/.test(v));

/** A matcher for a number of things. One that accepts every number checks nothing and is refused. */
export function compileCount(spec: MatcherSpec, position?: Position): Matcher {
  const matcher = compileMatcher(spec, position);
  if ([0, 1, 2, 7, 1000, 1e9].every((n) => matcher.test(n)))
    throw bad(`the count ${matcher.text} always holds`, position, "Write a count that can fail, such as >=1 or 0.");
  if (!/^(\d|>=|<=|!=|>|<)/.test(matcher.text))
    throw bad(`the count ${matcher.text} is no number`, position, "Write a number, >=1, or a range such as 1..3.");
  return matcher;
}

function bad(message: string, position: Position | undefined, hint: string): LabError {
  return new LabError("ERR_EXPECT_SYNTAX", message, { position, hint });
}

/** A check on a command's result. */
export interface ResultCheck {
  /** Name in CommandResult.data, or output, fails, time. */
  readonly name: string;
  readonly matcher: Matcher;
  readonly position?: Position;
}

/** Names that every command's result has. */
export const COMMON_RESULTS: Readonly<Record<string, string>> = {
  output: "a line that is printed: the whole line, a part of it, or a pattern",
  fails: "the command runs but fails so: ETIMEDOUT, ECONNREFUSED, EHOSTUNREACH, EMSGSIZE",
  time: "how long it took",
};

/** Checks one value of a result; `tookNs` is the command's duration. */
export function checkResult(check: ResultCheck, result: CommandResult, tookNs: number): CheckReport {
  const { name, matcher, position } = check;
  const text = `${name} is ${matcher.text}`;
  if (name === "output") {
    const found = (line: string): boolean =>
      matcher.test(line) || (!isPattern(matcher.text) && line.includes(matcher.text));
    const ok = result.output.some(found);
    const actual = `${result.output.length} lines without it`;
    return {
      ok,
      text: `output has ${matcher.text}`,
      expected: matcher.text,
      actual,
      detail: ok ? [] : result.output.slice(0, 20),
      position,
    };
  }
  const value = name === "fails" ? result.data.error : name === "time" ? tookNs : result.data[name];
  const ok = matcher.test(value);
  const detail: string[] = [];
  if (!ok && name !== "fails" && result.data.error !== undefined)
    detail.push(`the command failed: ${show(result.data.error)}`);
  return {
    ok,
    text,
    expected: matcher.text,
    actual: value === undefined ? absent(name, result) : show(value),
    detail,
    position,
  };
}

function absent(name: string, result: CommandResult): string {
  if (name === "fails") return "it succeeded";
  const names = Object.keys(result.data);
  return `nothing by that name${names.length > 0 ? ` (there is ${names.join(", ")})` : ""}`;
}

const isPattern = (text: string): boolean => /^\/.+\/[imsu]*$/s.test(text);

/** A value in one line of reasonable length. */
export function show(value: unknown): string {
  const text =
    typeof value === "string"
      ? JSON.stringify(value)
      : Array.isArray(value)
        ? value.join(",") || "none"
        : String(value);
  return text.length > 200 ? `${text.slice(0, 200)}... (${text.length} characters)` : text;
}
