// biome-ignore-all lint/suspicious/noTemplateCurlyInString: bash expansions are what is tested
import { describe, expect, it } from "vitest";
import { LabError } from "../../src/errors.ts";
import { textOf } from "../../src/scenario/cfg-lexer.ts";
import { parseCfg, parseCfgText, resolvePath } from "../../src/scenario/cfg-parser.ts";

const none = (path: string): string => {
  throw new Error(`no file ${path}`);
};

/** Variables as plain text: arrays as arrays. */
function vars(text: string, files: Record<string, string> = {}): Record<string, string | string[]> {
  const { variables } = parseCfgText("t.cfg", text, (p) => files[p] ?? none(p));
  return Object.fromEntries(
    [...variables].map(([k, v]) => {
      const values = v.elements.map((e) => textOf(e.fragments));
      return [k, v.array ? values : values[0]];
    }),
  );
}

function failure(text: string, files: Record<string, string> = {}): LabError {
  try {
    vars(text, files);
  } catch (e) {
    expect(e).toBeInstanceOf(LabError);
    return e as LabError;
  }
  return expect.unreachable(`accepted: ${text}`);
}

const at = (e: LabError): string => `${e.position?.file}:${e.position?.line}:${e.position?.column}`;

describe("values", () => {
  it.each<[string, Record<string, string | string[]>]>([
    ['A="x y"', { A: "x y" }],
    ["A='x $B `c`'", { A: "x $B `c`" }],
    ["A=x-1.2/3", { A: "x-1.2/3" }],
    ["A=", { A: "" }],
    ['A=""', { A: "" }],
    ["A=a\"b c\"'d'", { A: "ab cd" }],
    ["A=x#y # comment", { A: "x#y" }],
    ['A="1"\nB="$A-${A}"\nC=$A.2', { A: "1", B: "1-1", C: "1.2" }],
    ['A=("x" "y z" w)', { A: ["x", "y z", "w"] }],
    ['A=( # first\n  "x"\n\n  y\n)', { A: ["x", "y"] }],
    ["A=()", { A: [] }],
    ['A=("x" "y")\nB="${A[1]} $A ${A}"', { A: ["x", "y"], B: "y x x" }],
    ['A="x y"\nB=($A "$A" p${A}q)', { A: "x y", B: ["x", "y", "x y", "px", "yq"] }],
    ['A=""\nB=($A "" x)', { A: "", B: ["", "x"] }],
    ['A="x\\\ny"', { A: "xy" }],
    ["A=x\\\ny", { A: "xy" }],
    ['A="\\"\\$\\\\\\a"', { A: '"$\\\\a' }],
    ['A="x\ny"', { A: "x\ny" }],
    ["A=1\nA=2", { A: "2" }],
    ["\uFEFF#!/bin/bash\r\nA=1\r\nB=2\r\n", { A: "1", B: "2" }],
    ["  A=1  \n\t\n# end", { A: "1" }],
    ["source_dir=x", { source_dir: "x" }],
  ])("%j", (text, want) => {
    expect(vars(text)).toEqual(want);
  });
});

describe("what bash would run is refused", () => {
  it.each([
    ["A=$(date)", "t.cfg:1:3", "command substitution"],
    ['A="x $(date)"', "t.cfg:1:6", "command substitution"],
    ['A="`date`"', "t.cfg:1:4", "command substitution"],
    ["A=`date`", "t.cfg:1:3", "'`' is not accepted"],
    ["A=$((1+2))", "t.cfg:1:3", "command substitution"],
    ["A=1\nB=${A:-y}", "t.cfg:2:3", "expected '}' after ${A, found ':'"],
    ["A=1; B=2", "t.cfg:1:4", "';' is not accepted"],
    ["A=1 && B=2", "t.cfg:1:5", "expected the end of the line, found '&'"],
    ["A=1 B=2", "t.cfg:1:5", "expected the end of the line, found 'B'"],
    ['A="1" > file', "t.cfg:1:7", "found '>'"],
    ["rm -rf x", "t.cfg:1:1", "'rm' is not an assignment"],
    ["if true", "t.cfg:1:1", "'if' is not an assignment"],
    ["A = 1", "t.cfg:1:1", "bash takes no blanks around '='"],
    ["A+=1", "t.cfg:1:1", "A+= is not accepted"],
    ["A[1]=x", "t.cfg:1:1", "A[...]= is not accepted"],
    ["export A=1", "t.cfg:1:1", "'export' is not accepted"],
    ["A=$B", "t.cfg:1:3", "$B is not set"],
    ['A=("x")\nB="${A[1]}"', "t.cfg:2:4", "A has no element 1"],
    ['A=("x")\nB="${A[@]}"', "t.cfg:2:4", "takes one number"],
    ['A="x', "t.cfg:1:3", "this quote is never closed"],
    ["A=('x'\n'y'\n", "t.cfg:1:3", "this '(' is never closed"],
    ["A=(x))", "t.cfg:1:6", "expected the end of the line, found ')'"],
    ["A=~/x", "t.cfg:1:3", "'~' is not accepted"],
    ["A=*", "t.cfg:1:3", "'*' is not accepted"],
    ["A={1,2}", "t.cfg:1:3", "'{' is not accepted"],
    ["A=\\x", "t.cfg:1:3", "'\\' is not accepted"],
    ["A='*'\nB=($A)", "t.cfg:2:4", "file name pattern"],
    ['A="$"', "t.cfg:1:4", "expected a variable's name after '$'"],
    ['A="x\0"', "t.cfg:1:5", "NUL is not accepted"],
    ["A=\u201cx\u201d", "t.cfg:1:3", "is not accepted"],
    [".\n", "t.cfg:1:1", "expected an assignment or an include, found '.'"],
    ["/bin/sh", "t.cfg:1:1", "found '/'"],
  ])("%j", (text, position, message) => {
    const e = failure(text);
    expect(e.code).toBe("ERR_TOPOLOGY_SYNTAX");
    expect(at(e)).toBe(position);
    expect(e.message).toContain(message);
    expect(e.hint).toBeTruthy();
  });

  it("suggests the variable that was meant", () => {
    expect(failure('CLIENTS="a"\nB="${CLEINTS}"').hint).toBe("Did you mean CLIENTS?");
  });

  it("refuses expansions that grow without bound", () => {
    const lines = ['A0="0123456789"', ...Array.from({ length: 60 }, (_, i) => `A${i + 1}="$A${i}$A${i}"`)];
    const e = failure(lines.join("\n"));
    expect(e.code).toBe("ERR_TOPOLOGY_SYNTAX");
    expect(e.message).toContain("characters");
  });
});

describe("includes", () => {
  it("reads a file relative to the including one, and shares the variables", () => {
    const files: Record<string, string> = {
      "top/main.cfg": 'A="1"\n. sub/b.cfg\nsource "sub/../c.cfg" # last\nD="$B $C"',
      "top/sub/b.cfg": 'B="$A.b"',
      "top/c.cfg": "C=c",
    };
    const { variables } = parseCfg("top/main.cfg", (p) => files[p] ?? none(p));
    expect(textOf(variables.get("D")?.elements[0].fragments ?? [])).toBe("1.b c");
    expect(variables.get("B")?.position).toEqual({ file: "top/sub/b.cfg", line: 1, column: 1 });
  });

  it("names the place inside the included file", () => {
    const e = failure(". b.cfg", { "b.cfg": "\nA=$X" });
    expect(at(e)).toBe("b.cfg:2:3");
  });

  it("names a cycle", () => {
    const e = failure(". a.cfg", { "a.cfg": "\n. ./b.cfg", "b.cfg": ". a.cfg" });
    expect(e.code).toBe("ERR_TOPOLOGY_INCLUDE");
    expect(e.message).toBe("a.cfg includes itself: t.cfg -> a.cfg -> b.cfg -> a.cfg");
    expect(at(e)).toBe("b.cfg:1:1");
    expect(failure(". t.cfg").code).toBe("ERR_TOPOLOGY_INCLUDE");
  });

  it("says which file is missing, and where it was asked for", () => {
    const e = failure("A=1\n. none.cfg");
    expect(e.code).toBe("ERR_TOPOLOGY_INCLUDE");
    expect(e.message).toBe("cannot include none.cfg: no file none.cfg");
    expect(at(e)).toBe("t.cfg:2:1");
    expect(e.cause).toBeInstanceOf(Error);
  });

  it("bounds their number", () => {
    const twice = (i: number): string => `. f${i + 1}.cfg\n. f${i + 1}.cfg`;
    const files = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`f${i}.cfg`, i === 39 ? "A=1" : twice(i)]));
    expect(failure(". f0.cfg", files).message).toBe("more than 100 includes");
  });

  it.each([
    ["a/b.cfg", "c.cfg", "a/c.cfg"],
    ["a/b.cfg", "../c.cfg", "c.cfg"],
    ["b.cfg", "../c.cfg", "../c.cfg"],
    ["../a/b.cfg", "../c.cfg", "../c.cfg"],
    ["/x/y/b.cfg", "../c.cfg", "/x/c.cfg"],
    ["a/b.cfg", "/c.cfg", "/c.cfg"],
    ["", "./b.cfg", "b.cfg"],
    ["/a.cfg", "../c.cfg", "/c.cfg"],
  ])("in %s, %s is %s", (base, target, want) => {
    expect(resolvePath(base, target)).toBe(want);
  });
});
