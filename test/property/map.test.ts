/** The map twins against a plain JS Map, by random commands; small key ranges make collisions and reuse common. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BPF_ANY, BPF_EXIST, BPF_NOEXIST, BpfMap, MapError } from "../../src/tables/map.ts";
import { TABLES } from "../../src/tables/schema.ts";

type Op = { op: "update" | "delete" | "use" | "lookup" | "clear"; key: number; value: number; flags: number };
const op: fc.Arbitrary<Op> = fc.record({
  op: fc.constantFrom("update", "update", "update", "delete", "use", "lookup"),
  key: fc.nat(40),
  value: fc.nat(0xffff),
  flags: fc.constantFrom(BPF_ANY, BPF_ANY, BPF_NOEXIST, BPF_EXIST),
}) as fc.Arbitrary<Op>;
const ops = fc.array(
  fc.oneof(
    { weight: 60, arbitrary: op },
    { weight: 1, arbitrary: fc.constant<Op>({ op: "clear", key: 0, value: 0, flags: 0 }) },
  ),
  { maxLength: 400 },
);
const MAX = 24;

/** What the kernel would hold: insertion order is the LRU order, oldest first. */
class Model {
  rows = new Map<number, number>();
  readonly lru: boolean;
  constructor(lru: boolean) {
    this.lru = lru;
  }
  touch(key: number): void {
    const value = this.rows.get(key);
    if (value === undefined || !this.lru) return;
    this.rows.delete(key);
    this.rows.set(key, value);
  }
  update(key: number, value: number, flags: number): string {
    const has = this.rows.has(key);
    if (flags === BPF_NOEXIST && has) return "EEXIST";
    if (flags === BPF_EXIST && !has) return "ENOENT";
    if (!has && this.rows.size === MAX) {
      if (!this.lru) return "E2BIG";
      this.rows.delete(this.rows.keys().next().value as number);
    }
    if (this.lru) this.rows.delete(key);
    this.rows.set(key, value);
    return "ok";
  }
}

const end = (ip: number, port: number) => ({ ip, port, proto: 6, pad: 0 });
/** Spreads keys over the sign bit, and makes many of them share a hash bucket. */
const spread = (k: number): number => Math.imul(k, 0x40000001) >>> 0;
const kinds = [
  {
    def: TABLES.TUNNEL,
    key: (k: number) => TABLES.TUNNEL.key.encode({ value: spread(k) }),
    find: (m: BpfMap, k: number) => m.find1(spread(k)),
  },
  {
    def: TABLES.DECAP,
    key: (k: number) => TABLES.DECAP.key.encode(end(spread(k), k)),
    find: (m: BpfMap, k: number) => m.find2(spread(k), (k << 16) | 0x600),
  },
  {
    def: TABLES.SESSION,
    key: (k: number) => TABLES.SESSION.key.encode({ client: end(spread(k), 1), backend: end(9, k) }),
    find: (m: BpfMap, k: number) => m.find4(spread(k), (1 << 16) | 0x600, 9, (k << 16) | 0x600),
  },
];

for (const { def, key, find } of kinds)
  describe(def.name, () => {
    const valueBytes = (n: number): Uint8Array => {
      const v = new Uint8Array(def.value.size);
      new DataView(v.buffer).setUint32(0, n);
      return v;
    };
    it("behaves as its model", () => {
      fc.assert(
        fc.property(ops, (list) => {
          const map = new BpfMap(def, MAX);
          const model = new Model(def.kind === "lru_hash");
          for (const o of list) {
            if (o.op === "update")
              expect(tryUpdate(map, key(o.key), valueBytes(o.value), o.flags)).toBe(
                model.update(o.key, o.value, o.flags),
              );
            else if (o.op === "delete") expect(map.delete(key(o.key))).toBe(model.rows.delete(o.key));
            else if (o.op === "clear") {
              map.clear();
              model.rows.clear();
            } else if (o.op === "use") {
              const e = find(map, o.key);
              const want = model.rows.get(o.key);
              expect(e < 0 ? undefined : map.view.getUint32(map.valueOffset(e))).toBe(want);
              model.touch(o.key);
            } else {
              const want = model.rows.get(o.key);
              expect(map.lookup(key(o.key))).toEqual(want === undefined ? undefined : valueBytes(want));
            }
            expect(map.size).toBe(model.rows.size);
          }
          const got = new Map(map.entries().map(([k, v]) => [k.join(), v.join()]));
          expect(got).toEqual(new Map([...model.rows].map(([k, v]) => [key(k).join(), valueBytes(v).join()])));
        }),
        { numRuns: 150 },
      );
    });
  });

function tryUpdate(map: BpfMap, key: Uint8Array, value: Uint8Array, flags: number): string {
  try {
    map.update(key, value, flags);
    return "ok";
  } catch (err) {
    if (err instanceof MapError) return err.errno;
    throw err;
  }
}
