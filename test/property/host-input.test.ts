import fc from "fast-check";
import { expect, test } from "vitest";
import { FouPort, GueDevice } from "../../src/sim/gue-device.ts";
import { SEC } from "../../src/sim/types.ts";
import { wr16 } from "../../src/wire/bytes.ts";
import { icmpSendCheck } from "../../src/wire/icmp.ts";
import { ipSendCheck } from "../../src/wire/ipv4.ts";
import { ip, lan } from "../sim/network.ts";

/**
 * Frames that get some way into the stack: a header that is right but for what is random, with random flags, protocol,
 * addresses and rest, cut off anywhere.
 */
const frame = fc.record({
  body: fc.uint8Array({ minLength: 0, maxLength: 120 }),
  type: fc.constantFrom(0x0800, 0x0800, 0x0800, 0x0806, 0x8100, 0x1234),
  ihl: fc.constantFrom(5, 5, 5, 6, 15, 0),
  word: fc.constantFrom(0, 0, 0x4000, 0x2000, 1, 0x2001, 0x1fff),
  ttl: fc.constantFrom(0, 1, 2, 64),
  proto: fc.constantFrom(1, 1, 6, 17, 17, 4, 99),
  saddr: fc.constantFrom("10.0.0.2", "10.0.0.3", "10.0.0.1", "8.8.8.8", "127.0.0.1", "255.255.255.255", "0.0.0.0"),
  daddr: fc.constantFrom("10.0.0.3", "10.0.0.3", "10.0.0.2", "10.9.0.2", "10.0.0.255", "8.8.8.8", "224.0.0.1"),
  cut: fc.nat(160),
  totLen: fc.option(fc.nat(200)),
  dport: fc.constantFrom(7, 6080, 4242),
  quoted: fc.constantFrom(1, 6, 17, 99),
  icmpType: fc.constantFrom(0, 3, 5, 8, 11, 12, 200),
});

test("no frame makes a host throw, and every frame is given back", () => {
  fc.assert(
    fc.property(fc.array(frame, { minLength: 1, maxLength: 20 }), fc.boolean(), (frames, tracking) => {
      const net = lan(2);
      const [a, b] = net.hosts;
      b.ip.settings.ipForward = true;
      b.netfilter.tracking = b.netfilter.active = tracking;
      b.udp.bind(0, 7);
      FouPort.open(b);
      b.addAddress(new GueDevice(b, { name: "gue1", remote: ip("10.0.0.2") }), ip("10.9.0.2"), 24);
      for (const f of frames) {
        const len = 14 + 20 + f.body.length;
        const skb = net.env.pool.get(len);
        skb.buf.fill(0, skb.head, skb.end);
        skb.buf.set(b.nics[0].macBytes, skb.head);
        skb.buf.set(a.nics[0].macBytes, skb.head + 6);
        wr16(skb.buf, skb.head + 12, f.type);
        const at = skb.head + 14;
        skb.buf.set(f.body, at + 20);
        skb.buf[at] = 0x40 | f.ihl;
        wr16(skb.buf, at + 2, f.totLen ?? len - 14);
        wr16(skb.buf, at + 6, f.word);
        skb.buf[at + 8] = f.ttl;
        skb.buf[at + 9] = f.proto;
        for (const [i, addr] of [f.saddr, f.daddr].entries()) {
          skb.buf.set([ip(addr) >>> 24, ip(addr) >>> 16, ip(addr) >>> 8, ip(addr)], at + 12 + 4 * i);
        }
        if (f.body.length >= 8 && f.proto === 17) {
          wr16(skb.buf, at + 22, f.dport);
          wr16(skb.buf, at + 24, f.body.length);
          wr16(skb.buf, at + 26, 0);
        }
        if (f.body.length >= 8 && f.proto === 1) {
          skb.buf[at + 20] = f.icmpType;
          // The packet that an error quotes: one of this host's own, as far as there is room.
          if (f.body.length >= 28) {
            skb.buf[at + 28] = 0x40 | f.ihl;
            skb.buf[at + 28 + 9] = f.quoted;
            skb.buf.set([10, 0, 0, 3], at + 28 + 12);
          }
          icmpSendCheck(skb.buf, at + 20, f.body.length);
        }
        if (f.ihl >= 5 && 4 * f.ihl <= len - 14) ipSendCheck(skb.buf, at);
        skb.end = Math.max(skb.head, skb.end - (f.cut > 120 ? f.cut - 120 : 0));
        a.nics[0].out!.send(skb);
      }
      net.env.clock.run(100 * SEC);
      expect(net.env.pool.outstanding).toBe(0);
    }),
    { numRuns: 300 },
  );
});
