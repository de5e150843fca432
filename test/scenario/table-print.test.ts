import { expect, it } from "vitest";
import { alignColumns, formatTables, reasonText } from "../../src/scenario/table-print.ts";
import { REASON } from "../../src/tables/reasons.ts";
import { TABLES } from "../../src/tables/schema.ts";
import { createTables } from "../../src/tables/tables.ts";

const ep = (ip: number, port: number, proto: number) => ({ ip, port, proto, pad: 0 });
const key = (text: string) => new TextEncoder().encode(text);

function filled() {
  const t = createTables();
  t.CONFIG.update(TABLES.CONFIG.key.encode({ value: 7 }), TABLES.CONFIG.value.encode({ rx: 11, tx: 35, mtu: 1500 }));
  for (const [id, ip] of [
    [65736, 0xac010005],
    [7, 0],
  ])
    t.TUNNEL.update(
      TABLES.TUNNEL.key.encode({ value: id }),
      TABLES.TUNNEL.value.encode({ local: ep(0xac010003, 5000, 17), remote: ep(ip, ip === 0 ? 0 : 6000, 17) }),
    );
  for (const [service, k] of [
    [200, key("5erv1ceP@55w0rd!")],
    [201, new Uint8Array(16).fill(0x80)],
  ] as const)
    t.ENCAP.update(
      TABLES.ENCAP.key.encode(ep(0x02020202, 3800 + service, 6)),
      TABLES.ENCAP.value.encode({ tunnel: 65736, id: { group: 1, service }, key: k }),
    );
  t.REASON.update(TABLES.REASON.key.encode({ value: REASON.PASS_ENCAP }), TABLES.REASON.value.encode({ value: 12 }));
  return t;
}

it("prints tables under their names, in aligned columns; keys as text where they are ASCII, else hex", () => {
  expect(formatTables(filled(), { empty: false })).toEqual([
    "TABLE-CONFIG:",
    "  ifindex  rx             tx              mtu",
    "  7        gue+dnat+dump  proxy+snat+mss  1500",
    "TABLE-TUNNEL:",
    "  tunnel  local           remote",
    "  7       172.1.0.3:5000  0.0.0.0:0",
    "  65736   172.1.0.3:5000  172.1.0.5:6000",
    "TABLE-ENCAP:",
    "  backend           tunnel  group  service  key",
    "  tcp 2.2.2.2:4000  65736   1      200      5erv1ceP@55w0rd!",
    "  tcp 2.2.2.2:4001  65736   1      201      hex:80808080808080808080808080808080",
    "TABLE-EPOCH:",
    "  slot  epoch",
    "  0     0",
    "TABLE-REASON:",
    "  reason      count  meaning",
    "  PASS_ENCAP  12     encapsulated",
  ]);
});

it("names empty tables as empty, and prints those asked for only", () => {
  expect(formatTables(createTables(), { names: ["DNAT", "SNAT"] })).toEqual(["TABLE-DNAT: empty", "TABLE-SNAT: empty"]);
});

it("aligns columns and leaves no blanks at the end", () => {
  expect(
    alignColumns([
      ["a", "bb", "c"],
      ["aaa", "b", "cc"],
    ]),
  ).toEqual(["a    bb  c", "aaa  b   cc"]);
  expect(alignColumns([])).toEqual([]);
});

it("knows the text of a reason by name only", () => {
  expect(reasonText("PASS_DECAP")).toBe("decapsulated");
  expect(reasonText("toString")).toBe("");
});
