import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LabError } from "../../src/errors.ts";
import { COMMANDS } from "../../src/scenario/commands.ts";
import { completions } from "../../src/scenario/complete.ts";
import { viewFrame } from "../../src/scenario/packet-view.ts";
import { parseCommand } from "../../src/scenario/parse-command.ts";
import { readScenario } from "../../src/scenario/scenario-yaml.ts";
import { topologyContext } from "../../src/scenario/topology-context.ts";
import { parseState } from "../../src/scenario/until.ts";
import { quoteWord, splitWords } from "../../src/scenario/words.ts";
import { formatFlags, parseFlags } from "../../src/tables/text.ts";
import { basicTopology } from "../support/fake-lab.ts";

const ctx = topologyContext(basicTopology());
/** Runs `fn`; true for success and for a LabError that stands inside the text. */
function onlyLabErrors(fn: () => unknown, text: string): boolean {
  try {
    fn();
    return true;
  } catch (err) {
    if (!(err instanceof LabError)) throw err;
    const column = err.position?.column ?? 1;
    return column >= 1 && column <= text.length + 1 && err.message.length > 0;
  }
}

/** Words that a mistaken user might type, next to those that mean something. */
const word = fc.oneof(
  fc.constantFrom(
    ...COMMANDS.map((c) => c.name),
    ...(ctx.hosts ?? []),
    "exec",
    "cli",
    "docker",
    "sudo",
    "--",
    "-p",
    "-c",
  ),
  fc.constantFrom(
    "eth1",
    "lo",
    "tcp",
    "1.1.1.1",
    "0",
    "4000",
    "65536",
    "5s",
    "1%",
    "all",
    "clear",
    "gue+dump",
    "5000-5010",
  ),
  fc.constantFrom(
    "tunnel",
    "session",
    "table",
    "reason",
    "ports",
    "conntrack",
    "drops",
    "TUNNEL",
    "count",
    "absent",
    "free",
    ">",
    "*",
  ),
  fc.string({ maxLength: 8 }),
  fc.string({ unit: "binary", maxLength: 4 }),
);
const line = fc.array(word, { maxLength: 14 }).map((words) => words.join(" "));

describe("the command language", () => {
  it("whatever is typed gives a command or a LabError with a column in the line", () => {
    fc.assert(
      fc.property(line, fc.boolean(), (text, known) => onlyLabErrors(() => parseCommand(text, known ? ctx : {}), text)),
      { numRuns: 3000 },
    );
  });

  it("whatever is typed as a condition gives a check or a LabError with a column in the line", () => {
    fc.assert(
      fc.property(line, (text) => onlyLabErrors(() => parseState(text, ctx), text)),
      { numRuns: 3000 },
    );
  });

  it("every example survives the removal, doubling and swapping of its words", () => {
    const example = fc.constantFrom(...COMMANDS.map((c) => c.example));
    fc.assert(
      fc.property(example, fc.nat(), fc.nat(), fc.constantFrom("drop", "double", "swap"), (text, a, b, how) => {
        const words = text.split(" ");
        const [i, j] = [a % words.length, b % words.length];
        if (how === "drop") words.splice(i, 1);
        else if (how === "double") words.splice(i, 0, words[i]);
        else [words[i], words[j]] = [words[j], words[i]];
        const changed = words.join(" ");
        return onlyLabErrors(() => parseCommand(changed, ctx), changed);
      }),
      { numRuns: 2000 },
    );
  });

  it("completion offers only words that continue what is typed, and never throws", () => {
    fc.assert(
      fc.property(line, (text) => {
        const { candidates, word: last } = completions(text, ctx);
        return text.endsWith(last) && candidates.every((c) => c.startsWith(last));
      }),
      { numRuns: 2000 },
    );
  });

  it("quoted words come back as they were", () => {
    const printable = fc.string({ unit: "grapheme", maxLength: 12 });
    fc.assert(
      fc.property(fc.array(printable, { maxLength: 6 }), (words) => {
        expect(splitWords(words.map(quoteWord).join(" ")).map((w) => w.text)).toEqual(words);
      }),
    );
  });

  it("flags written out are read back", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 0xffffffff }),
        fc.constantFrom("rx" as const, "tx" as const),
        (bits, side) => {
          expect(parseFlags(side, formatFlags(side, bits))).toBe(bits);
          expect(parseFlags(side, String(bits))).toBe(bits);
        },
      ),
    );
    for (let bits = 0; bits < 64; bits++)
      for (const side of ["rx", "tx"] as const) expect(parseFlags(side, formatFlags(side, bits))).toBe(bits);
  });
});

describe("files and frames", () => {
  const good =
    "title: T\ntopology: basic.cfg\nsteps:\n  - do: client curl 5.5.5.5\n    expect: { status: 200 }\n  - expect: { packet: { at: egw, gue: { group: 1 } }, count: 1 }\n  - until: epoch egw 1\n";

  it("a damaged scenario gives a scenario or a LabError", () => {
    fc.assert(
      fc.property(fc.nat(good.length), fc.nat(6), fc.string({ maxLength: 6 }), (at, cut, put) => {
        const text = good.slice(0, at) + put + good.slice(at + cut);
        try {
          readScenario(text, { file: "a.yaml", loadTopology: basicTopology });
        } catch (err) {
          if (!(err instanceof LabError)) throw err;
          expect(err.position?.file).toBe("a.yaml");
        }
      }),
      { numRuns: 600 },
    );
  });

  it("a frame of any bytes has a view", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.boolean(), (bytes, ipv4) => {
        if (ipv4 && bytes.length > 14) bytes.set([0x08, 0x00, 0x45], 12);
        expect(viewFrame(bytes).proto).toBeTypeOf("string");
      }),
    );
  });
});
