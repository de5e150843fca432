/** From what a zod schema found wrong to a LabError with a place, words for people, and a hint. */
import type * as z from "zod";
import { LabError, type Position } from "../errors.ts";
import { didYouMean } from "../suggest.ts";

export type Path = (string | number)[];
/** The place of a key or item in the file; of the nearest one around it where the path itself is not there. */
export type PositionOf = (path: Path) => Position;

type Issue = z.core.$ZodIssue;

/** The most telling issue as a LabError with the given code. `root` is the path of the checked value within the file. */
export function schemaError(
  code: string,
  schema: z.ZodType,
  error: z.ZodError,
  positionOf: PositionOf,
  root: Path = [],
  doc = "docs/topologies.md",
): LabError {
  const { issue, path } = innermost(telling(error.issues), []);
  if (issue.code === "unrecognized_keys") {
    const at = [...path, issue.keys[0]];
    const known = keysAt(schema, path);
    const hint = didYouMean(issue.keys[0], known, `Known here: ${known.join(", ")}.`);
    return new LabError(code, `unknown key '${issue.keys[0]}'`, { position: positionOf([...root, ...at]), hint });
  }
  const name = spelled([...root, ...path]);
  if (path.length > 0 && issue.message.endsWith("received undefined"))
    return new LabError(code, `${name} is missing`, {
      position: positionOf([...root, ...path]),
      hint: `See ${doc}.`,
    });
  if (path.length + root.length === 0 && issue.message.endsWith("received null"))
    return new LabError(code, "the file is empty", { position: positionOf([]), hint: `See ${doc}.` });
  return new LabError(code, `${name === "" ? "" : `${name}: `}${inWords(issue.message)}`, {
    position: positionOf([...root, ...path]),
    hint: issue.code === "invalid_type" || issue.code === "invalid_union" ? `See ${doc}.` : undefined,
  });
}

/** `steps[0].within` */
const spelled = (path: Path): string =>
  path.map((key, i) => (typeof key === "number" ? `[${key}]` : i > 0 ? `.${key}` : key)).join("");

const TYPES: Record<string, string> = {
  object: "keys with values",
  record: "keys with values",
  array: "a list",
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  null: "nothing",
};

/** "Invalid input: expected string, received null" for people who write YAML. */
function inWords(message: string): string {
  const m = /^Invalid input: expected (\w+), received (\w+)$/.exec(message);
  if (m) return `expected ${TYPES[m[1]] ?? m[1]}, found ${TYPES[m[2]] ?? m[2]}`;
  return message.replace(/^Invalid input: /, "").replace(/^Invalid input$/, "this is not what belongs here");
}

/** Descends into the branch of a union that fits best: one that does not fail at its root. */
function innermost(issue: Issue, outer: Path): { issue: Issue; path: Path } {
  const path = [...outer, ...(issue.path as Path)];
  if (issue.code !== "invalid_union") return { issue, path };
  const branch = issue.errors.find(
    (issues) => issues.length > 0 && (issues[0].path.length > 0 || issues[0].code === "unrecognized_keys"),
  );
  return branch ? innermost(telling(branch), path) : { issue, path };
}

/** An unknown key explains a missing one: it is the first thing to mend. */
function telling(issues: readonly Issue[]): Issue {
  return issues.find((i) => i.code === "unrecognized_keys") ?? issues[0];
}

interface Def {
  type: string;
  shape?: Record<string, z.ZodType>;
  innerType?: z.ZodType;
  valueType?: z.ZodType;
  element?: z.ZodType;
  options?: z.ZodType[];
}

/** Keys that the object schema at `path` knows; of all branches where there is a union. */
function keysAt(schema: z.ZodType, path: Path): string[] {
  const def = schema.def as unknown as Def;
  if (def.innerType) return keysAt(def.innerType, path);
  if (def.options) return def.options.flatMap((o) => keysAt(o, path));
  if (path.length === 0) return Object.keys(def.shape ?? {});
  const [head, ...tail] = path;
  const next = def.element ?? def.valueType ?? def.shape?.[head];
  return next ? keysAt(next, tail) : [];
}
