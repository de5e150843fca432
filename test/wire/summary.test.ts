import * as fc from "fast-check";
import { expect, it } from "vitest";
import { buildPacket } from "../../src/wire/repr.ts";
import { summary } from "../../src/wire/summary.ts";
import { FRAMES, ODD_FRAMES } from "../support/frames.ts";

it.each([
  ["arpRequest", "ARP who has 172.1.0.3? tell 172.1.0.2"],
  ["arpReply", "ARP 172.1.0.3 is at 02:00:00:01:00:03"],
  ["ping", "172.1.0.2 > 5.5.5.5 ICMP echo request id=17 seq=1 len=64"],
  ["syn", "172.1.0.2:40001 > 2.2.2.2:4000 TCP SYN seq=1000 len=0"],
  ["synAck", "2.2.2.2:4000 > 172.1.0.2:40001 TCP SYN,ACK seq=5000 ack=1001 len=0"],
  ["request", "172.1.0.2:40001 > 2.2.2.2:4000 TCP PSH,ACK seq=1001 ack=5001 len=23"],
  ["udp", "172.1.0.2:33000 > 5.5.5.5:3200 UDP len=12"],
  ["gueData", "172.1.0.3:5000 > 172.1.0.5:6000 GUE 1/200 [172.1.0.2:40001 > 2.2.2.2:4000 TCP SYN seq=1000 len=0]"],
  ["guePing", "172.1.0.5:6000 > 172.1.0.3:5000 GUE ping 1/200 tunnel 65736"],
  ["guePingOld", "172.1.0.5:6000 > 172.1.0.3:5000 GUE ping 1/200"],
  ["guePlain", "172.1.0.3:6080 > 172.1.0.4:6080 GUE [172.1.0.2:1 > 1.1.1.1:2 UDP len=1]"],
  [
    "fragNeeded",
    "2.2.2.2 > 172.1.0.2 ICMP fragmentation needed mtu=1448 [172.1.0.2:40001 > 2.2.2.2:4000 TCP seq=1000]",
  ],
  ["portUnreachable", "5.5.5.5 > 172.1.0.2 ICMP port unreachable [172.1.0.2:33000 > 5.5.5.5:9 UDP len=1]"],
  ["fragment", "10.0.0.1:7777 > 10.0.0.2:9999 UDP len=66 frag id=77 offset=0+"],
  ["fragmentTail", "10.0.0.1 > 10.0.0.2 protocol 17 frag id=77 offset=64 len=10"],
])("says in one line what %s is", (name, text) => {
  expect(summary(FRAMES[name])).toBe(text);
});

it("takes text on port 6080 for what it is, and only GUE for GUE", () => {
  const udp = (text: string) =>
    buildPacket({
      ip: { src: "172.2.0.3", dst: "172.1.0.3" },
      udp: { sport: 6080, dport: 6080 },
      payload: new TextEncoder().encode(text),
    });
  expect(summary(udp("service 200"))).toBe("172.2.0.3:6080 > 172.1.0.3:6080 UDP len=11");
  expect(summary(udp("\0\0\0\0\0"))).toBe("172.2.0.3:6080 > 172.1.0.3:6080 UDP len=5");
  expect(summary(udp("\0\x04\0\0"))).toContain("GUE");
});

it("keeps to one line of text whatever the bytes", () => {
  const seeds = [...Object.values(FRAMES), ...Object.values(ODD_FRAMES)];
  const change = fc.array(fc.tuple(fc.nat(130), fc.nat(255)), { maxLength: 4 });
  fc.assert(
    fc.property(fc.constantFrom(...seeds), change, fc.nat(130), (seed, changes, cut) => {
      const frame = seed.slice(0, cut % 3 === 0 ? cut : seed.length);
      for (const [at, v] of changes) if (frame.length > 0) frame[at % frame.length] = v;
      expect(summary(frame)).toMatch(/^[\x20-\x7e]+$/);
      expect(summary(frame)).not.toMatch(/undefined|NaN/);
    }),
    { numRuns: 1000 },
  );
});
