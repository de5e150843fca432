import { describe, expect, it } from "vitest";
import { BPF_ANY, BPF_EXIST, BPF_NOEXIST, BpfMap, MapError } from "../../src/tables/map.ts";
import { TABLES } from "../../src/tables/schema.ts";

const errnoOf = (fn: () => unknown): string => {
  try {
    fn();
  } catch (err) {
    if (err instanceof MapError) return err.errno;
    throw err;
  }
  return "none";
};
const u32 = (n: number) => TABLES.TUNNEL.key.encode({ value: n });
const value = (n: number) => TABLES.DECAP.value.encode({ value: n });
const endpoint = (port: number) => TABLES.DECAP.key.encode({ ip: 0xfffffffe, port, proto: 17, pad: 0 });
const session = (port: number) => {
  const end = { ip: 0x80000001, port, proto: 6, pad: 0 };
  return TABLES.SESSION.key.encode({ client: end, backend: end });
};
const sessionValue = new Uint8Array(TABLES.SESSION.value.size);

describe("hash", () => {
  it("honours BPF_NOEXIST and BPF_EXIST", () => {
    const map = new BpfMap(TABLES.DECAP, 4);
    expect(errnoOf(() => map.update(endpoint(1), value(1), BPF_EXIST))).toBe("ENOENT");
    map.update(endpoint(1), value(1), BPF_NOEXIST);
    expect(errnoOf(() => map.update(endpoint(1), value(2), BPF_NOEXIST))).toBe("EEXIST");
    expect(map.lookup(endpoint(1))).toEqual(value(1));
    map.update(endpoint(1), value(3), BPF_EXIST);
    expect(map.lookup(endpoint(1))).toEqual(value(3));
  });

  it("is full at its maximum: E2BIG for a new key, none for a known one", () => {
    const map = new BpfMap(TABLES.DECAP, 3);
    for (let i = 0; i < 3; i++) map.update(endpoint(i), value(i));
    expect(errnoOf(() => map.update(endpoint(3), value(3)))).toBe("E2BIG");
    map.update(endpoint(2), value(9), BPF_ANY);
    expect(map.size).toBe(3);
    expect(map.upsert(0xfffffffe, (7 << 16) | (17 << 8))).toBe(-1);
    expect(map.delete(endpoint(0))).toBe(true);
    map.update(endpoint(3), value(3));
    expect(map.lookup(endpoint(3))).toEqual(value(3));
  });

  it("refuses keys, values and flags of the wrong size", () => {
    const map = new BpfMap(TABLES.DECAP, 3);
    expect(errnoOf(() => map.update(u32(1), value(1)))).toBe("EINVAL");
    expect(errnoOf(() => map.update(endpoint(1), new Uint8Array(5)))).toBe("EINVAL");
    expect(errnoOf(() => map.update(endpoint(1), value(1), 4))).toBe("EINVAL");
    expect(errnoOf(() => map.lookup(u32(1)))).toBe("EINVAL");
    expect(errnoOf(() => map.delete(u32(1)))).toBe("EINVAL");
  });

  it("finds by words what was stored by bytes, whatever the sign of the words", () => {
    const map = new BpfMap(TABLES.DECAP, 4);
    map.update(endpoint(0xffff), value(5));
    const word1 = ((0xffff << 16) | (17 << 8)) >>> 0;
    const entry = map.find2(0xfffffffe, word1);
    expect(entry).toBeGreaterThanOrEqual(0);
    expect(map.find2(0xfffffffe | 0, word1 | 0)).toBe(entry);
    expect(map.keyWord(entry, 0)).toBe(0xfffffffe);
    expect(map.view.getUint32(map.valueOffset(entry), true)).toBe(5);
  });

  it("forgets a deleted or cleared entry that was the last one found", () => {
    const map = new BpfMap(TABLES.TUNNEL, 4);
    const tunnel = new Uint8Array(TABLES.TUNNEL.value.size);
    map.update(u32(7), tunnel);
    expect(map.find1(7)).toBeGreaterThanOrEqual(0);
    map.delete(u32(7));
    expect(map.find1(7)).toBe(-1);
    map.update(u32(7), tunnel);
    expect(map.find1(7)).toBeGreaterThanOrEqual(0);
    map.clear();
    expect(map.find1(7)).toBe(-1);
    expect(map.size).toBe(0);
  });

  it("starts a reused entry with zeros", () => {
    const map = new BpfMap(TABLES.DECAP, 4);
    map.update(endpoint(1), value(0xffffffff));
    map.delete(endpoint(1));
    const entry = map.upsert(1, 2);
    expect(map.view.getUint32(map.valueOffset(entry), true)).toBe(0);
  });

  it("grows from its first capacity to its maximum and keeps everything", () => {
    const map = new BpfMap(TABLES.DECAP, 1000);
    for (let i = 0; i < 1000; i++) map.update(endpoint(i), value(i));
    for (let i = 0; i < 1000; i++) expect(map.lookup(endpoint(i))).toEqual(value(i));
    expect(map.entries().length).toBe(1000);
  });
});

describe("LRU hash", () => {
  it("evicts the entry that was used least recently by the data path", () => {
    const map = new BpfMap(TABLES.SESSION, 3);
    for (let i = 0; i < 3; i++) map.update(session(i), sessionValue);
    const w = (port: number) => (port << 16) | (6 << 8);
    expect(map.find4(0x80000001, w(0), 0x80000001, w(0))).toBeGreaterThanOrEqual(0);
    map.update(session(3), sessionValue);
    expect([0, 1, 2, 3].map((i) => map.lookup(session(i)) !== undefined)).toEqual([true, false, true, true]);
  });

  it("does not count a lookup by the syscall as a use", () => {
    const map = new BpfMap(TABLES.SESSION, 2);
    map.update(session(0), sessionValue);
    map.update(session(1), sessionValue);
    expect(map.lookup(session(0))).toBeDefined();
    map.update(session(2), sessionValue);
    expect(map.lookup(session(0))).toBeUndefined();
  });
});

describe("array", () => {
  it("has all its entries, zeroed, and keeps them", () => {
    const map = new BpfMap(TABLES.REASON);
    expect(map.size).toBe(TABLES.REASON.maxEntries);
    const key = TABLES.REASON.key.encode({ value: 5 });
    expect(map.lookup(key)).toEqual(new Uint8Array(8));
    expect(errnoOf(() => map.delete(key))).toBe("EINVAL");
    expect(errnoOf(() => map.update(key, new Uint8Array(8), BPF_NOEXIST))).toBe("EEXIST");
    map.update(key, TABLES.REASON.value.encode({ value: 2 ** 40 + 1 }));
    expect(TABLES.REASON.value.decode(map.lookup(key) as Uint8Array).value).toBe(2 ** 40 + 1);
    map.clear();
    expect(map.lookup(key)).toEqual(new Uint8Array(8));
    expect(errnoOf(() => map.update(TABLES.REASON.key.encode({ value: 96 }), new Uint8Array(8)))).toBe("E2BIG");
  });
});
