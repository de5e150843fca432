import { expect, test } from "vitest";
import { ping } from "../../src/sim/ping.ts";
import { SEC } from "../../src/sim/types.ts";
import { ip, lan } from "./network.ts";

test("a host pings another through a bridge: the first answer also waits for ARP", () => {
  const { env, hosts } = lan(2);
  const p = ping(hosts[0], ip("10.0.0.3"), { count: 3 });
  expect(env.clock.runUntil(() => p.done, 10 * SEC)).toBe(true);
  expect(p.result.sent).toBe(3);
  expect(p.result.errors).toEqual([]);
  // Four links of 10 us there and back; ARP doubles it.
  expect(p.result.rttNs).toEqual([80_000, 40_000, 40_000]);
  expect(env.pool.outstanding).toBe(0);
});

test("an address that nobody has: host unreachable for each request, after three questions", () => {
  const { env, hosts } = lan(2);
  const p = ping(hosts[0], ip("10.0.0.99"), { count: 2, intervalNs: SEC / 10, timeoutNs: 10 * SEC });
  expect(env.clock.runUntil(() => p.done, 20 * SEC)).toBe(true);
  expect(env.clock.now).toBe(3 * SEC);
  expect(p.result.errors.map((e) => [e.seq, e.type, e.code, e.from])).toEqual([
    [1, 3, 1, ip("10.0.0.2")],
    [2, 3, 1, ip("10.0.0.2")],
  ]);
  expect(env.pool.outstanding).toBe(0);
});
