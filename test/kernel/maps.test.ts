/** Kernel maps and their twins under the same calls: the same errors, the same contents. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createTableMap, KernelMap } from "../../src/ebpf/maps.ts";
import { BPF_ANY, BPF_EXIST, BPF_NOEXIST, BpfMap, MapError, type TableStore } from "../../src/tables/map.ts";
import { TABLES } from "../../src/tables/schema.ts";
import { toHex } from "../../src/wire/bytes.ts";
import { describeKernel } from "./require.ts";

const MAX = 8;
const key = (n: number): Uint8Array => TABLES.DECAP.key.encode({ ip: n, port: n, proto: 17, pad: 0 });
const value = (n: number): Uint8Array => TABLES.DECAP.value.encode({ value: n });
const sessionKey = (n: number): Uint8Array =>
  TABLES.SESSION.key.encode({
    client: { ip: n, port: n & 0xffff, proto: 6, pad: 0 },
    backend: { ip: 1, port: 1, proto: 6, pad: 0 },
  });
const session = (n: number): Uint8Array => {
  const bytes = new Uint8Array(TABLES.SESSION.value.size);
  bytes[0] = n;
  return bytes;
};

function errno(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (err) {
    if (err instanceof MapError) return err.errno;
    throw err;
  }
}

const contents = (store: TableStore): string[] =>
  store
    .entries()
    .map(([k, v]) => `${toHex(k)} ${toHex(v)}`)
    .sort();

describeKernel("maps", () => {
  const opened: KernelMap[] = [];
  const open = (def: (typeof TABLES)[keyof typeof TABLES], max: number): KernelMap => {
    const map = new KernelMap(def, createTableMap(def, max));
    opened.push(map);
    return map;
  };
  afterAll(() => {
    for (const map of opened) map.close();
  });

  describe.each(["kernel", "twin"])("a hash, %s", (which) => {
    let map: TableStore;
    beforeAll(() => {
      map = which === "kernel" ? open(TABLES.DECAP, MAX) : new BpfMap(TABLES.DECAP, MAX);
    });

    it("keeps to the flags, and is full at its size", () => {
      expect(errno(() => map.update(key(1), value(1), BPF_EXIST))).toBe("ENOENT");
      expect(errno(() => map.update(key(1), value(1), BPF_NOEXIST))).toBeUndefined();
      expect(errno(() => map.update(key(1), value(2), BPF_NOEXIST))).toBe("EEXIST");
      expect(errno(() => map.update(key(1), value(3), BPF_EXIST))).toBeUndefined();
      for (let n = 2; n <= MAX; n++) map.update(key(n), value(n), BPF_ANY);
      expect(errno(() => map.update(key(MAX + 1), value(0)))).toBe("E2BIG");
      expect(errno(() => map.update(key(1), value(1)))).toBeUndefined();
      expect(errno(() => map.update(key(1).slice(1), value(1)))).toBe("EINVAL");
      expect(contents(map)).toEqual(
        Array.from({ length: MAX }, (_, i) => `${toHex(key(i + 1))} ${toHex(value(i + 1))}`).sort(),
      );
      expect([map.delete(key(1)), map.delete(key(1)), map.lookup(key(1)), map.lookup(key(2))]).toEqual([
        true,
        false,
        undefined,
        value(2),
      ]);
      map.clear();
      expect(map.entries()).toEqual([]);
    });
  });

  describe.each(["kernel", "twin"])("an array, %s", (which) => {
    it("has all its slots, and zeroes them", () => {
      const map = which === "kernel" ? open(TABLES.EPOCH, 1) : new BpfMap(TABLES.EPOCH, 1);
      map.update(TABLES.EPOCH.key.encode({ value: 0 }), value(9));
      expect(contents(map)).toEqual(["00000000 09000000"]);
      expect(errno(() => map.update(TABLES.EPOCH.key.encode({ value: 1 }), value(9)))).toBe("E2BIG");
      expect(errno(() => map.delete(TABLES.EPOCH.key.encode({ value: 0 })))).toBe("EINVAL");
      map.clear();
      expect(contents(map)).toEqual(["00000000 00000000"]);
    });
  });

  it("gives per-CPU counters as their sum, beyond 32 bits too", () => {
    const map = open(TABLES.STATS, MAX);
    const stats = { rx_packets: 2 ** 33 + 1, rx_bytes: 5, tx_packets: 0, tx_bytes: 2 ** 52 };
    const ifindex = TABLES.STATS.key.encode({ value: 7 });
    map.update(ifindex, TABLES.STATS.value.encode(stats));
    expect(TABLES.STATS.value.decode(map.lookup(ifindex) as Uint8Array)).toEqual(stats);
    expect(contents(map)).toEqual([`${toHex(ifindex)} ${toHex(TABLES.STATS.value.encode(stats))}`]);
  });

  it("reads a table that is larger than a batch whole", () => {
    const map = open(TABLES.DECAP, 5000);
    for (let n = 0; n < 3000; n++) map.update(key(n), value(n));
    expect(new Set(contents(map)).size).toBe(3000);
    map.clear();
    expect(map.entries()).toEqual([]);
  });

  it("an LRU hash never refuses and never holds more than its size; the kernel may evict early, the twin does not", () => {
    const size = 1024;
    const kernel = open(TABLES.SESSION, size);
    const twin = new BpfMap(TABLES.SESSION, size);
    for (let n = 0; n < 3 * size; n++) for (const map of [kernel, twin]) map.update(sessionKey(n), session(n));
    expect(twin.entries().length).toBe(size);
    const left = kernel.entries().length;
    expect(left).toBeLessThanOrEqual(size);
    expect(left).toBeGreaterThan(size / 4);
    // The newest is there in both.
    for (const map of [kernel, twin]) expect(map.lookup(sessionKey(3 * size - 1))).toEqual(session(3 * size - 1));
  });
});
