/** Every example of docs/topologies.md is parsed; those that show an error must give that error's text. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { isNode, LineCounter, parseDocument } from "yaml";
import { LabError, type Position } from "../../src/errors.ts";
import { cfgTopology, loadCfgTopology } from "../../src/scenario/cfg.ts";
import type { Path } from "../../src/scenario/schema-error.ts";
import { DEFAULT_LINK, type Topology } from "../../src/scenario/topology.ts";
import { formatTopology } from "../../src/scenario/topology-format.ts";
import { parseInlineTopology } from "../../src/scenario/topology-inline.ts";
import { generateSchema, linkSchema } from "../../src/scenario/topology-schema.ts";
import { parseDuration } from "../../src/scenario/units.ts";

const doc = readFileSync(new URL("../../docs/topologies.md", import.meta.url), "utf8");
const folder = new URL("../../scenarios/topologies/", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, folder), "utf8");
const load = (name: string): Topology => loadCfgTopology(name, read);

interface Block {
  info: string;
  text: string;
  line: number;
}

const blocks: Block[] = [...doc.matchAll(/^```(\S.*)\n([\s\S]*?)^```$/gm)].map((m) => ({
  info: m[1],
  text: m[2],
  line: doc.slice(0, m.index).split("\n").length,
}));

function fromYaml(text: string): Topology {
  const lines = new LineCounter();
  const yaml = parseDocument(text, { lineCounter: lines });
  const positionOf = (path: Path): Position => {
    // The key's own place; a list's item has no key.
    const parent = yaml.getIn(path.slice(0, -1), true) as { items?: { key?: unknown }[] } | undefined;
    const key = parent?.items?.find((i) => isNode(i.key) && String(i.key) === path.at(-1))?.key;
    const node = isNode(key) ? key : yaml.getIn(path, true);
    const { line, col } = lines.linePos(isNode(node) && node.range ? node.range[0] : 0);
    return { file: "example.yaml", line, column: col };
  };
  return parseInlineTopology(yaml.toJS().topology, { positionOf, root: ["topology"], load });
}

const build = (b: Block): Topology =>
  b.info.startsWith("cfg") ? cfgTopology("example.cfg", b.text, read) : fromYaml(b.text);

describe("docs/topologies.md", () => {
  const examples = blocks.filter((b) => b.info === "cfg" || b.info === "yaml");
  const errors = blocks.filter((b) => /^(cfg|yaml) error$/.test(b.info));

  it("has examples of all forms, and nothing that is not tested", () => {
    expect(examples.length).toBeGreaterThanOrEqual(8);
    expect(errors.length).toBeGreaterThanOrEqual(4);
    expect([...new Set(blocks.map((b) => b.info))].sort()).toEqual([
      "cfg",
      "cfg error",
      "text basic.cfg",
      "text error",
      "yaml",
      "yaml error",
    ]);
  });

  it.each(examples)("line $line: the example is a topology", (block) => {
    const t = build(block);
    expect(t.hosts.length).toBeGreaterThan(1);
    for (const host of t.hosts) expect(host.nics.length).toBeGreaterThan(0);
  });

  it.each(errors)("line $line: the example gives the error shown", (block) => {
    const shown = blocks[blocks.indexOf(block) + 1];
    expect(shown.info).toBe("text error");
    try {
      build(block);
    } catch (e) {
      expect(e).toBeInstanceOf(LabError);
      expect((e as LabError).format()).toBe(shown.text.trimEnd());
      return;
    }
    expect.unreachable("accepted");
  });

  it("shows basic.cfg as it is", () => {
    expect(blocks.find((b) => b.info === "text basic.cfg")?.text.trimEnd()).toBe(
      formatTopology(load("basic.cfg")).join("\n"),
    );
  });

  it("names every link property and its default", () => {
    const row = (key: string): string[] | undefined =>
      new RegExp(`^\\| \`${key}\` \\| .* \\| \`?([^|\`]*)\`? \\|$`, "m").exec(doc)?.slice(1);
    for (const key of Object.keys(linkSchema.shape)) expect(row(key), key).toBeDefined();
    expect(parseDuration(row("delay")![0])).toBe(DEFAULT_LINK.delayNs);
    expect(parseDuration(row("reorder_delay")![0])).toBe(DEFAULT_LINK.reorderDelayNs);
    expect(Number(row("queue")![0])).toBe(DEFAULT_LINK.queue);
  });

  it("names the largest counts of a generated topology as they are checked", () => {
    for (const key of Object.keys(generateSchema.shape)) {
      const limits = new RegExp(`^\\| \`${key}\` \\| .* \\| (\\d+), (\\d+) \\|$`, "m").exec(doc);
      expect(limits, key).not.toBeNull();
      expect(generateSchema.safeParse({ [key]: Number(limits![2]) }).success).toBe(true);
      expect(generateSchema.safeParse({ [key]: Number(limits![2]) + 1 }).success).toBe(false);
    }
  });

  it("names every error code that the sources use", () => {
    const files = [
      "cfg-lexer",
      "cfg-parser",
      "cfg",
      "subnet",
      "topology-build",
      "topology-check",
      "topology-inline",
      "units",
    ];
    const used = new Set<string>();
    for (const f of files) {
      const source = readFileSync(new URL(`../../src/scenario/${f}.ts`, import.meta.url), "utf8");
      for (const m of source.matchAll(/"(ERR_[A-Z_]+)"/g)) used.add(m[1]);
      for (const m of source.matchAll(/topologyError\(\s*"([A-Z_]+)"/g)) used.add(`ERR_TOPOLOGY_${m[1]}`);
    }
    const documented = new Set([...doc.matchAll(/^\| `(ERR_[A-Z_]+)` \|/gm)].map((m) => m[1]));
    expect([...documented].sort()).toEqual([...used].sort());
  });
});
