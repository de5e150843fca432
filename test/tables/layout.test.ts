import { expect, it } from "vitest";
import { be16, be32, struct, u8, u32, u64 } from "../../src/tables/layout.ts";
import {
  fibNote,
  REASON,
  REASON_NAMES,
  REASONS,
  TC_ACT_REDIRECT,
  TC_ACT_SHOT,
  TC_ACT_UNSPEC,
  VERDICT,
} from "../../src/tables/reasons.ts";
import { REASON_SLOTS, TABLES } from "../../src/tables/schema.ts";

it("stores be* members in network order and u* ones in little-endian order", () => {
  const s = struct("s", { a: be32, b: be16, c: u8, pad: u8, d: u32 });
  expect([...s.encode({ a: 0x01020304, b: 0x0506, c: 7, pad: 9, d: 0x0a0b0c0d })]).toEqual([
    1, 2, 3, 4, 5, 6, 7, 0, 0x0d, 0x0c, 0x0b, 0x0a,
  ]);
  expect(s.offset("d")).toBe(8);
  expect(() => s.offset("e")).toThrow("no member e");
});

it("refuses implicit padding", () => {
  expect(() => struct("s", { a: u8, b: be32 })).toThrow("explicit padding");
  expect(() => struct("s", { a: be32, b: u8 })).toThrow("explicit padding");
});

it("keeps 53 bits of a counter", () => {
  const s = struct("s", { n: u64 });
  expect(s.decode(s.encode({ n: Number.MAX_SAFE_INTEGER })).n).toBe(Number.MAX_SAFE_INTEGER);
});

it("reaches into nested structs, and decodes what it encoded", () => {
  const { value } = TABLES.TUNNEL;
  expect(value.offset("remote.port")).toBe(12);
  const v = {
    local: { ip: 0xac010003, port: 5000, proto: 17, pad: 0 },
    remote: { ip: 0xffffffff, port: 65535, proto: 255, pad: 0 },
  };
  expect(value.decode(value.encode(v))).toEqual(v);
});

it("has keys and values of whole words, as the map twins need", () => {
  for (const t of Object.values(TABLES)) expect([t.key.size % 4, t.value.size % 4], t.name).toEqual([0, 0]);
});

it("gives every reason a slot and every outcome its verdict", () => {
  expect(REASON_NAMES.length).toBeLessThanOrEqual(REASON_SLOTS);
  const verdict = { pass: TC_ACT_UNSPEC, drop: TC_ACT_SHOT, redirect: TC_ACT_REDIRECT, note: TC_ACT_UNSPEC };
  for (const name of REASON_NAMES) expect(VERDICT[REASON[name]], name).toBe(verdict[REASONS[name].outcome]);
  expect([0, 9, 10, -1].map(fibNote)).toEqual([
    REASON.FIB_SUCCESS,
    REASON.FIB_NO_SRC_ADDR,
    REASON.FIB_ERROR,
    REASON.FIB_ERROR,
  ]);
});
