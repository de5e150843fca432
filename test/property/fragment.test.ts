import fc from "fast-check";
import { expect, test } from "vitest";
import type { Skb } from "../../src/dataplane/skb.ts";
import { SimEnv } from "../../src/sim/env.ts";
import { fragment, Reassembler } from "../../src/sim/ip-fragment.ts";
import { wr16 } from "../../src/wire/bytes.ts";
import { ipv4ChecksumOk } from "../../src/wire/checksum.ts";
import { IPV4_TOT_LEN, ipHlen, ipSendCheck, ipTotLen, writeIpv4 } from "../../src/wire/ipv4.ts";

/** A packet with `options` words of no-operations and the given payload, MAC header zero. */
function packet(env: SimEnv, payload: Uint8Array, options: number, id: number): Skb {
  const hlen = 20 + 4 * options;
  const skb = env.pool.get(14 + hlen + payload.length);
  skb.buf.fill(1, skb.head, skb.head + 14 + hlen);
  const ip = skb.head + 14;
  writeIpv4(skb.buf, ip, hlen + payload.length, id, 0, 64, 17, 0x0a000002, 0x0a000003);
  skb.buf[ip] = 0x45 + options;
  wr16(skb.buf, ip + IPV4_TOT_LEN, hlen + payload.length);
  ipSendCheck(skb.buf, ip);
  skb.buf.set(payload, ip + hlen);
  return skb;
}

const input = fc.record({
  payload: fc.uint8Array({ minLength: 9, maxLength: 6000 }),
  options: fc.integer({ min: 0, max: 10 }),
  mtu: fc.integer({ min: 68, max: 1500 }),
  /** Fragments of fragments, as a second router would make them. */
  mtu2: fc.integer({ min: 68, max: 1500 }),
  order: fc.infiniteStream(fc.nat()),
  repeat: fc.nat(3),
});

test("fragments, cut twice, in any order and some repeated, make the packet again", () => {
  fc.assert(
    fc.property(input, ({ payload, options, mtu, mtu2, order, repeat }) => {
      const env = new SimEnv();
      const whole = packet(env, payload, options, 7);
      const want = whole.frame();
      const parts: Skb[] = [];
      const take = (skb: Skb, limit: number, emit: (part: Skb) => void): void => {
        if (skb.len - 14 <= limit) emit(skb);
        else {
          fragment(env.pool, skb, limit, emit);
          env.pool.put(skb);
        }
      };
      take(whole, mtu, (part) => take(part, mtu2, (p) => parts.push(p)));
      const limit = Math.min(mtu, mtu2);
      for (const p of parts) {
        expect(p.len - 14).toBeLessThanOrEqual(limit);
        expect(ipTotLen(p.buf, p.head + 14)).toBe(p.len - 14);
        expect(ipv4ChecksumOk(p.buf, p.head + 14)).toBe(true);
        expect(ipHlen(p.buf, p.head + 14)).toBe(20 + 4 * options);
      }
      if (parts.length === 1) return;
      const reassembler = new Reassembler(env, { label: "h" }, () => {});
      const ranks = parts.map((p) => ({ p, rank: order.next().value as number })).sort((a, b) => a.rank - b.rank);
      const sequence = ranks.map((r) => r.p);
      for (let i = 0; i < repeat && i < sequence.length - 1; i++) sequence.splice(i, 0, env.pool.clone(sequence[i]));
      const done = sequence.map((p) => reassembler.add(p)).filter((s) => s !== undefined);
      expect(done.length).toBe(1);
      expect(done[0].frame()).toEqual(want);
      expect(reassembler.size).toBe(0);
      env.pool.put(done[0]);
      expect(env.pool.outstanding).toBe(0);
    }),
    { numRuns: 200 },
  );
});

test("a fragment that overlaps another discards the datagram, whatever the order", () => {
  fc.assert(
    fc.property(
      fc.nat(20),
      fc.integer({ min: 1, max: 20 }),
      fc.nat(20),
      fc.integer({ min: 1, max: 20 }),
      (o1, l1, o2, l2) => {
        fc.pre(o1 < o2 + l2 && o2 < o1 + l1 && !(o1 === o2 && l1 === l2));
        const env = new SimEnv();
        const reassembler = new Reassembler(env, { label: "h" }, () => {});
        for (const [off, len] of [
          [o1, l1],
          [o2, l2],
        ]) {
          const skb = packet(env, new Uint8Array(len * 8), 0, 7);
          wr16(skb.buf, skb.head + 14 + 6, 0x2000 | off);
          expect(reassembler.add(skb)).toBeUndefined();
        }
        expect(reassembler.size).toBe(0);
        expect(env.pool.outstanding).toBe(0);
      },
    ),
  );
});
