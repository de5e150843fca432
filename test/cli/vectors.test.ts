import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { vectorsCommand } from "../../src/cli/vectors.ts";
import { LabError } from "../../src/errors.ts";

let dir: string;
let out: string;
let err: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "guelab-vectors-"));
  out = err = "";
  vi.spyOn(process.stdout, "write").mockImplementation((s) => {
    out += s;
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((s) => {
    err += s;
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  process.exitCode = undefined;
  rmSync(dir, { recursive: true });
});

const file = (name: string, text: string): string => {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
};
const run = (...files: string[]) => vectorsCommand().parseAsync(["run", ...files], { from: "user" });
const packet = (want: object) => ({ hook: "ingress", ifindex: 7, in: "00", want });

describe("vectors run", () => {
  it("prints one result a line, of all files in order", async () => {
    const a = file("a.jsonl", `// a comment\n${JSON.stringify({ name: "one", packets: [packet({})] })}\n`);
    const b = file("b.jsonl", JSON.stringify({ name: "two", packets: [packet({ reason: "PASS_NO_CONFIG" })] }));
    await run(a, b);
    const results = out
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(results.map((r) => r.name)).toEqual(["one", "two"]);
    expect(results[1].packets[0]).toEqual({
      ...packet({ reason: "PASS_NO_CONFIG" }),
      verdict: "pass",
      reason: "PASS_NO_CONFIG",
      out: "00",
    });
    expect(results[1].after.reasons).toEqual({ PASS_NO_CONFIG: 1 });
    expect([err, process.exitCode]).toEqual(["", undefined]);
  });

  it("names the first difference and exits with 1", async () => {
    const text = JSON.stringify({ name: "one", packets: [packet({ verdict: "drop", out: null })] });
    const a = file("a.jsonl", `\n${text}\n${JSON.stringify({ packets: [] })}`);
    await run(a);
    expect(err).toBe(
      `${a}:2: one: packet 1 verdict: want "drop", got "pass" (and 1 more)\n1 of 2 vectors differ from what they want\n`,
    );
    expect(out.trim().split("\n").length).toBe(2);
    expect(process.exitCode).toBe(1);
  });

  it("runs nothing when a later file is bad", async () => {
    const a = file("a.jsonl", JSON.stringify({ packets: [] }));
    const b = file("b.jsonl", '\n{"packets":[}');
    const error = await run(a, b).catch((e) => e);
    expect(error).toBeInstanceOf(LabError);
    expect(error.format()).toContain(`${b}:2:13: expected a JSON value (ERR_VECTOR_SYNTAX)`);
    expect(out).toBe("");
  });

  it.each([
    ["missing.jsonl", "there is no such file"],
    [".", "it is a directory"],
  ])("says that %s cannot be read", async (name, why) => {
    const error = await run(join(dir, name)).catch((e) => e);
    expect(error).toMatchObject({ code: "ERR_VECTOR_FILE" });
    expect(error.message).toContain(why);
  });
});
