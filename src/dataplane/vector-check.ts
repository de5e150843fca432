/** Checks on the JSON of packet vectors; what is wrong is thrown with its place in the document. */
import { didYouMean } from "../suggest.ts";
import type { JsonPath } from "./vector-json.ts";

export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [name: string]: Json;
}

/** A place in a vector: a value, or with `key` the name of the member that holds it. */
export interface Where {
  readonly path: JsonPath;
  readonly key?: boolean;
  /** A word that is none of `known`: gives "did you mean". */
  readonly word?: string;
  readonly known?: readonly string[];
}

/** Something wrong with a vector; the reader of the file turns it into a LabError with file, line and column. */
export class VectorProblem extends Error {
  readonly code: string;
  readonly at: Where;
  readonly hint?: string;
  constructor(code: string, message: string, at: Where, hint?: string) {
    super(message);
    this.code = code;
    this.at = at;
    this.hint = hint;
  }
}

/** Throws a VectorProblem. */
export function problem(code: string, message: string, at: Where, hint?: string): never {
  const known =
    at.known === undefined ? undefined : didYouMean(at.word ?? "", at.known, `Known: ${at.known.join(", ")}.`);
  throw new VectorProblem(code, message, at, hint ?? known);
}

const KIND = (v: Json | undefined): string =>
  v === undefined
    ? "nothing"
    : v === null
      ? "null"
      : Array.isArray(v)
        ? "an array"
        : typeof v === "object"
          ? "an object"
          : `${typeof v} ${JSON.stringify(v)}`;

export function objectOf(v: Json | undefined, at: Where): JsonObject {
  if (v === undefined || v === null || typeof v !== "object" || Array.isArray(v))
    problem("ERR_VECTOR_TYPE", `expected an object, found ${KIND(v)}`, at);
  return v;
}

export function arrayOf(v: Json | undefined, at: Where): Json[] {
  if (!Array.isArray(v)) problem("ERR_VECTOR_TYPE", `expected an array, found ${KIND(v)}`, at);
  return v;
}

export function textOf(v: Json | undefined, at: Where): string {
  if (typeof v !== "string") problem("ERR_VECTOR_TYPE", `expected text, found ${KIND(v)}`, at);
  return v;
}

/** An integer from 0 to `max`. */
export function uintOf(v: Json | undefined, max: number, at: Where): number {
  if (typeof v !== "number") problem("ERR_VECTOR_TYPE", `expected a number, found ${KIND(v)}`, at);
  if (!Number.isInteger(v) || v < 0 || v > max)
    problem("ERR_VECTOR_VALUE", `${v} is not an integer from 0 to ${max}`, at);
  return v;
}

/** An object with all of `required` and any of `optional` as members, and no others. */
export function fieldsOf(
  v: Json | undefined,
  at: Where,
  required: readonly string[],
  optional: readonly string[] = [],
): JsonObject {
  const o = objectOf(v, at);
  const known = [...required, ...optional];
  for (const name of Object.keys(o))
    if (!known.includes(name))
      problem("ERR_VECTOR_KEY", `unknown member '${name}'`, { path: [...at.path, name], key: true, word: name, known });
  for (const name of required)
    if (!Object.hasOwn(o, name)) problem("ERR_VECTOR_KEY", `the member '${name}' is missing`, at);
  return o;
}
