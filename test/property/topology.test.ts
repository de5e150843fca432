// biome-ignore-all lint/suspicious/noTemplateCurlyInString: bash expansions are what is tested
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, it } from "vitest";
import { LabError } from "../../src/errors.ts";
import { cfgTopology } from "../../src/scenario/cfg.ts";
import { findOverlap, inSubnet, type Subnet } from "../../src/scenario/subnet.ts";
import type { Topology } from "../../src/scenario/topology.ts";
import { parseInlineTopology } from "../../src/scenario/topology-inline.ts";
import { macOf } from "../../src/sim/nic.ts";
import { formatIpv4 } from "../../src/wire/ipv4.ts";

const folder = new URL("../../scenarios/topologies/", import.meta.url);
const BASES = ["basic.cfg", "2gw.cfg"].map((f) => readFileSync(new URL(f, folder), "utf8"));

/** What holds for every topology that was built. */
function expectSound(t: Topology): void {
  const addrs = t.hosts
    .flatMap((h) => h.nics.map((n) => n.addr))
    .concat(
      t.networks.map((n) => n.gateway),
      [...t.proxyIps.values()],
    );
  expect(new Set(addrs).size).toBe(addrs.length);
  expect(new Set(addrs.map(macOf)).size).toBe(addrs.length);
  const nets = new Map(t.networks.map((n): [string, Subnet] => [n.name, { base: n.subnet, prefix: n.prefix }]));
  expect(findOverlap([...nets.values()])).toBeUndefined();
  const names = new Set(t.hosts.map((h) => h.name));
  expect(names.size).toBe(t.hosts.length);
  for (const h of t.hosts) {
    expect(h.name).toMatch(/^[a-z0-9][a-z0-9-]*$/);
    expect(h.nics.map((n) => n.name)).toEqual(h.nics.map((_, i) => `eth${i + 1}`));
    for (const n of h.nics) expect(inSubnet(n.addr, nets.get(n.network)!)).toBe(true);
    for (const r of h.routes) expect(h.nics.some((n) => inSubnet(r.via, nets.get(n.network)!))).toBe(true);
    for (const [proxy, ip] of t.proxyIps) expect(proxy === h.name || h.routes.some((r) => r.dst === ip)).toBe(true);
  }
}

/** Builds, or fails as it should: by a LabError with a place in the text. */
function buildsOrExplains(text: string): void {
  let t: Topology;
  try {
    t = cfgTopology("t.cfg", text, (path) => {
      throw new Error(`no file ${path}`);
    });
  } catch (e) {
    if (!(e instanceof LabError)) throw e;
    expect(e.code).toMatch(/^ERR_TOPOLOGY_/);
    expect(e.position?.file).toBe("t.cfg");
    const lines = text.replaceAll("\r\n", "\n").split("\n");
    expect(e.position!.line).toBeGreaterThanOrEqual(1);
    expect(e.position!.line).toBeLessThanOrEqual(lines.length);
    expect(e.position!.column).toBeGreaterThanOrEqual(1);
    expect(e.position!.column).toBeLessThanOrEqual(lines[e.position!.line - 1].length + 1);
    return;
  }
  expectSound(t);
}

it("random text never throws anything but a LabError with a position", () => {
  fc.assert(fc.property(fc.string({ unit: "binary", maxLength: 60 }), buildsOrExplains), { numRuns: 300 });
});

it("random bash-like text never throws anything but a LabError with a position", () => {
  const token = fc.constantFrom(
    "A",
    "=",
    '"',
    "'",
    "(",
    ")",
    "$",
    "{",
    "}",
    "[",
    "]",
    "1",
    "foo",
    " ",
    "\n",
    "\\",
    "#",
    ". ",
    "source ",
    ";",
    "`",
    "\r\n",
    "\t",
    "*",
    "NODES",
  );
  fc.assert(
    fc.property(fc.array(token, { maxLength: 40 }), (tokens) => buildsOrExplains(tokens.join(""))),
    { numRuns: 2000 },
  );
});

it("a damaged file is refused with a position, or still gives a sound topology", () => {
  const edit = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    remove: fc.nat(12),
    insert: fc.oneof(
      fc.constant(""),
      fc.constantFrom('"', "$", "(", ")", " ", "\n", "node2 ", "nat", "foo", "/8", "${", "}", "\\", "#", "1", "."),
      fc.string({ unit: "binary", maxLength: 3 }),
    ),
  });
  fc.assert(
    fc.property(fc.constantFrom(...BASES), fc.array(edit, { minLength: 1, maxLength: 4 }), (base, edits) => {
      let text = base;
      for (const { at, remove, insert } of edits) {
        const i = Math.floor(at * text.length);
        text = text.slice(0, i) + insert + text.slice(i + remove);
      }
      buildsOrExplains(text);
    }),
    { numRuns: 2000 },
  );
});

it("every generated topology is sound", () => {
  const small = fc.nat({ max: 5 });
  const counts = fc.record({ clients: small, proxies: small, nodes: small, nats: small, nodes_per_nat: small });
  const ctx = { positionOf: () => ({ file: "t.yaml", line: 1, column: 1 }), load: () => expect.unreachable() };
  fc.assert(fc.property(counts, (generate) => expectSound(parseInlineTopology({ generate }, ctx))));
});

it("overlaps are found exactly when two subnets overlap", () => {
  const subnet = fc.tuple(fc.nat({ max: 15 }), fc.integer({ min: 8, max: 14 })).map(([n, prefix]): Subnet => {
    const base = ((10 * 2 ** 24 + n * 2 ** 18) & (0xffffffff << (32 - prefix))) >>> 0;
    return { base, prefix };
  });
  fc.assert(
    fc.property(fc.array(subnet, { maxLength: 5 }), (nets) => {
      const clash = nets.some((a, i) => nets.some((b, j) => i !== j && inSubnet(b.base, a)));
      const found = findOverlap(nets);
      expect(found !== undefined).toBe(clash);
      if (!found) return;
      const [a, b] = found.map((i) => nets[i]);
      expect(found[0]).toBeLessThan(found[1]);
      expect(inSubnet(a.base, b) || inSubnet(b.base, a), `${formatIpv4(a.base)} ${formatIpv4(b.base)}`).toBe(true);
    }),
  );
});
