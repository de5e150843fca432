/** From what a zod schema found wrong to a LabError with a place, words for people, and a hint. */
import type * as z from "zod";
import { LabError, type Position } from "../errors.ts";
import { didYouMean } from "./suggest.ts";

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
  if (path.length > 0 && issue.message.endsWith("received undefined"))
    return new LabError(code, `${path.join(".")} is missing`, {
      position: positionOf([...root, ...path]),
      hint: `See ${doc}.`,
    });
  const name = path.length === 0 ? "" : `${path.join(".")}: `;
  return new LabError(code, `${name}${issue.message.replace(/^Invalid input: /, "")}`, {
    position: positionOf([...root, ...path]),
    hint: issue.code === "invalid_type" || issue.code === "invalid_union" ? `See ${doc}.` : undefined,
  });
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
