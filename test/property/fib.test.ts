import fc from "fast-check";
import { expect, it } from "vitest";
import { Fib, prefixMask, type Route } from "../../src/dataplane/fib.ts";

/** Addresses that share many prefixes, so that random routes nest. */
const address = fc
  .tuple(fc.constantFrom(0x0a000000, 0x0a010000, 0xac100000, 0xffff0000), fc.nat(0x3ff))
  .map(([net, low]) => (net | (low * 0x41)) >>> 0);
const length = fc.constantFrom(0, 1, 8, 15, 16, 20, 24, 27, 30, 31, 32);
const change = fc.record({
  add: fc.boolean(),
  prefix: address,
  len: length,
  metric: fc.nat(2),
  ifindex: fc.integer({ min: 2, max: 5 }),
});

it("finds what a scan of all routes for the longest prefix finds, through any changes", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(change, address, address), { maxLength: 60 }), (steps) => {
      const fib = new Fib();
      const model: Pick<Route, "prefix" | "len" | "metric" | "ifindex">[] = [];
      for (const [c, d1, d2] of steps) {
        const prefix = (c.prefix & prefixMask(c.len)) >>> 0;
        const at = model.findIndex((r) => r.prefix === prefix && r.len === c.len && r.metric === c.metric);
        if (c.add) {
          expect(fib.addRoute(c)).toBe(at < 0);
          if (at < 0) model.push({ prefix, len: c.len, metric: c.metric, ifindex: c.ifindex });
        } else {
          expect(fib.removeRoute({ prefix: c.prefix, len: c.len, metric: c.metric })).toBe(at >= 0);
          if (at >= 0) model.splice(at, 1);
        }
        for (const daddr of [d1, d2, c.prefix, d1]) {
          let best: (typeof model)[number] | undefined;
          for (const r of model) {
            if ((daddr & prefixMask(r.len)) >>> 0 !== r.prefix) continue;
            if (!best || r.len > best.len || (r.len === best.len && r.metric < best.metric)) best = r;
          }
          const found = fib.lookup(daddr);
          expect(
            found && { prefix: found.prefix, len: found.len, metric: found.metric, ifindex: found.ifindex },
          ).toEqual(best);
        }
      }
    }),
  );
});
