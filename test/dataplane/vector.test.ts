import { describe, expect, it } from "vitest";
import { fillTables, parseVector, parseVectors } from "../../src/dataplane/vector.ts";
import { formatMismatch, referenceTarget, runVector } from "../../src/dataplane/vector-run.ts";
import { tablesToText } from "../../src/dataplane/vector-text.ts";
import { LabError } from "../../src/errors.ts";
import { createTables } from "../../src/tables/tables.ts";

/** The error's own text. */
function errorOf(fn: () => unknown): string {
  try {
    fn();
  } catch (err) {
    if (err instanceof LabError) return err.format();
    throw err;
  }
  return "no error";
}

const refusals: [why: string, line: string, message: string][] = [
  ["not JSON", '{"packets":[}', "f.jsonl:1:13: expected a JSON value (ERR_VECTOR_SYNTAX)"],
  ["an unfinished line", '{"packets":', "f.jsonl:1:12: the line ends where a value is expected (ERR_VECTOR_SYNTAX)"],
  ["text behind the object", '{"packets":[]} x', "f.jsonl:1:16: something follows the value (ERR_VECTOR_SYNTAX)"],
  ["not an object", "[]", "f.jsonl:1:1: expected an object, found an array (ERR_VECTOR_TYPE)"],
  [
    "a member twice",
    '{"packets":[],"packets":[]}',
    "f.jsonl:1:15: the member 'packets' stands twice in one object (ERR_VECTOR_KEY)",
  ],
  [
    "an unknown member",
    '{"pakets":[]}',
    "f.jsonl:1:2: unknown member 'pakets' (ERR_VECTOR_KEY)\n  Did you mean packets?",
  ],
  ["no packets", '{"name":"x"}', "f.jsonl:1:1: the member 'packets' is missing (ERR_VECTOR_KEY)"],
  [
    "an unknown table",
    '{"tables":{"tunel":{}},"packets":[]}',
    "f.jsonl:1:12: there is no table 'tunel' (ERR_VECTOR_KEY)\n  Did you mean tunnel?",
  ],
  [
    "a bad key of a table",
    '{"tables":{"tunnel":{"07":{"local":"1.1.1.1:1","remote":"0.0.0.0:0"}}},"packets":[]}',
    "f.jsonl:1:22: '07' is not a number from 0 to 4294967295 (ERR_VECTOR_VALUE)",
  ],
  [
    "a key that is too short",
    '{"tables":{"verify":{"1/1":{"key":"00","tunnel":1,"proxy":"tcp 1.1.1.1:1","backend":"tcp 1.1.1.1:1"}}},"packets":[]}',
    "f.jsonl:1:35: '00' is not a key (ERR_VECTOR_VALUE)\n  A key is 32 hex digits.",
  ],
  [
    "a port beyond 65535",
    '{"tables":{"dnat":{"tcp 1.1.1.1:65536":"tcp 1.1.1.1:1"}},"packets":[]}',
    "f.jsonl:1:20: 'tcp 1.1.1.1:65536' is not an endpoint (ERR_VECTOR_VALUE)\n  Write \"tcp 1.1.1.1:4000\".",
  ],
  [
    "an unknown flag",
    '{"tables":{"config":{"7":{"rx":"gue+dant"}}},"packets":[]}',
    "f.jsonl:1:32: 'gue+dant' are no rx flags (ERR_VECTOR_VALUE)\n  Write a number, or of gue, dnat, fwd, dump joined by '+'.",
  ],
  [
    "the same row twice",
    '{"tables":{"dnat":{"tcp 1.1.1.1:1":"0.0.0.0:0","6 1.1.1.1:1":"0.0.0.0:0"}},"packets":[]}',
    "f.jsonl:1:48: '6 1.1.1.1:1' is the same row as 'tcp 1.1.1.1:1' (ERR_VECTOR_KEY)",
  ],
  [
    "a frame that is not hex",
    '{"packets":[{"hook":"egress","ifindex":7,"in":"0g"}]}',
    "f.jsonl:1:47: the frame is not hex (ERR_VECTOR_VALUE)\n  Write two hex digits for each byte.",
  ],
  [
    "an unknown hook",
    '{"packets":[{"hook":"ingres","ifindex":7,"in":""}]}',
    "f.jsonl:1:21: there is no hook 'ingres' (ERR_VECTOR_VALUE)\n  Did you mean ingress?",
  ],
  [
    "results in place of wants",
    '{"packets":[{"hook":"ingress","ifindex":7,"in":"","verdict":"pass"}]}',
    "f.jsonl:1:51: unknown member 'verdict' (ERR_VECTOR_KEY)\n  Known: hook, ifindex, in, gso_size, vlan, want, comment.",
  ],
  [
    "a note as reason",
    '{"packets":[{"hook":"ingress","ifindex":7,"in":"","want":{"reason":"FIB_SUCCESS"}}]}',
    "there is no reason 'FIB_SUCCESS' (ERR_VECTOR_VALUE)",
  ],
  [
    "a successful FIB row without its MACs",
    '{"tables":{"fib":{"1.1.1.1":{"ifindex":7}}},"packets":[]}',
    "f.jsonl:1:29: the member 'smac' is missing (ERR_VECTOR_KEY)",
  ],
];

describe("refuses", () => {
  it.each(refusals)("%s", (_why, line, message) => {
    expect(errorOf(() => parseVectors(line, "f.jsonl"))).toContain(message);
  });
  it("more rows than a table can hold", () => {
    const rows = Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`tcp 1.1.1.1:${i}`, "0.0.0.0:0"]));
    const vector = parseVector(JSON.stringify({ name: "many", tables: { dnat: rows }, packets: [] }), "f", 3);
    expect(errorOf(() => fillTables(createTables({ DNAT: 4 }), vector))).toBe(
      "f:3:1: 'many' has more rows than DNAT can hold (E2BIG) (ERR_VECTOR_TABLE_FULL)",
    );
  });
});

it("skips comments and blank lines, and keeps line numbers", () => {
  const text = '\ufeff// one\r\n\r\n  # two\r\n{"packets":[]}\r\n\n{"packets":[],"name":"b"}';
  expect(parseVectors(text, "f").map((v) => [v.line, v.name])).toEqual([
    [4, "line 4"],
    [6, "b"],
  ]);
});

/** Corner values of every table, spelt as they are printed. */
const CORNERS = {
  config: { "0": { rx: 0, tx: 0, mtu: 0 }, "4294967295": { rx: 4294967295, tx: 4294967295, mtu: 4294967295 } },
  tunnel: {
    "0": { local: "0.0.0.0:0", remote: "255.255.255.255:65535" },
    "4294967295": { local: "tcp 1.2.3.4:5", remote: "0 0.0.0.0:0" },
  },
  decap: { "0.0.0.0:0": 4294967295, "255 1.1.1.1:1": 0 },
  encap: { "0 0.0.0.0:0": { tunnel: 0, group: 0, service: 65535, key: "ff".repeat(16) } },
  session: {
    "tcp 0.0.0.0:0 > 255.255.255.255:65535": {
      tunnel: 4294967295,
      group: 65535,
      service: 0,
      key: "00".repeat(16),
      proxy: "0.0.0.0:0",
      epoch: 4294967295,
    },
    "udp 1.1.1.1:1 > tcp 2.2.2.2:2": {
      tunnel: 1,
      group: 2,
      service: 3,
      key: "01".repeat(16),
      proxy: "255 3.3.3.3:3",
      epoch: 0,
    },
  },
  verify: { "0/65535": { key: "ab".repeat(16), tunnel: 0, proxy: "tcp 0.0.0.0:0", backend: "0.0.0.0:1" } },
  dnat: { "tcp 5.5.5.5:0": "0.0.0.0:0" },
  snat: { "200 0.0.0.0:1": "udp 1.1.1.1:1" },
  epoch: 4294967295,
  stats: { "7": { rx_packets: 1, rx_bytes: 9007199254740991, tx_packets: 0, tx_bytes: 4294967296 } },
  reasons: { PASS_SHORT: 3, FIB_NO_NEIGH: 4294967296 },
};

it("prints every value that a table can hold as it was read", () => {
  const stores = createTables();
  fillTables(stores, parseVector(JSON.stringify({ tables: CORNERS, packets: [] })));
  expect(tablesToText(stores)).toEqual(CORNERS);
});

it("accepts flag names, numbers and both", () => {
  const config = { "1": { rx: "gue+dump", tx: "proxy+64" }, "2": { rx: "9", tx: "0" } };
  const stores = createTables();
  fillTables(stores, parseVector(JSON.stringify({ tables: { config }, packets: [] })));
  expect(tablesToText(stores).config).toEqual({ "1": { rx: 9, tx: 65, mtu: 0 }, "2": { rx: 9, tx: 0, mtu: 0 } });
});

const FRAME = "0200000000020200000000010806";

describe("running", () => {
  const vector = (packet: object, more: object = {}) =>
    parseVector(JSON.stringify({ packets: [{ hook: "ingress", ifindex: 7, in: FRAME, ...packet }], ...more }));

  it("judges only what is named", () => {
    expect(runVector(vector({})).mismatches).toEqual([]);
    expect(
      runVector(vector({ want: { verdict: "pass", redirect: null, out: FRAME.toUpperCase() } })).mismatches,
    ).toEqual([]);
  });

  it("names each difference", () => {
    const { mismatches } = runVector(
      vector(
        { want: { verdict: "drop", reason: "PASS_SHORT", out: null, redirect: { ifindex: 7, ingress: true } } },
        {
          want_after: {
            epoch: 1,
            reasons: { PASS_NO_CONFIG: 2, PASS_SHORT: null },
            tunnel: { "1": null },
            dnat: { "tcp 1.1.1.1:1": "0.0.0.0:0" },
          },
        },
      ),
    );
    expect(mismatches.map(formatMismatch)).toEqual([
      'packet 1 verdict: want "drop", got "pass"',
      'packet 1 reason: want "PASS_SHORT", got "PASS_NO_CONFIG"',
      `packet 1 out: want null, got "${FRAME}"`,
      'packet 1 redirect: want {"ifindex":7,"ingress":true}, got null',
      "after epoch: want 1, got 0",
      "after reasons PASS_NO_CONFIG: want 2, got 1",
      'after dnat tcp 1.1.1.1:1: want "0.0.0.0:0", got null',
    ]);
  });

  it("shows where frames differ", () => {
    const [m] = runVector(vector({ want: { out: `${FRAME.slice(0, 24)}080000` } })).mismatches;
    expect(formatMismatch(m)).toBe(
      "packet 1 out: differs at byte 13 (want 15 bytes, got 14): want ..000001080000, got ..0000010806",
    );
  });

  it("starts every vector from empty tables", () => {
    const target = referenceTarget();
    runVector(vector({}, { tables: { config: { "7": { rx: 1 } }, epoch: 9 } }), target);
    const { json } = runVector(vector({}), target);
    expect((json.after as { config: object; epoch: number; stats: object }).config).toEqual({});
    expect((json.after as { epoch: number }).epoch).toBe(0);
    expect((json.after as { stats: object }).stats).toEqual({});
  });
});
