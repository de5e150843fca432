import { describe, expect, it } from "vitest";
import { listFlows } from "../../src/dataplane/conntrack-list.ts";
import { portClassMax, portClassMin } from "../../src/dataplane/masquerade.ts";
import { rd16 } from "../../src/wire/bytes.ts";
import { TCP_SYN } from "../../src/wire/tcp.ts";
import { DEMO_RULES, NatBox, OUTSIDE_ADDR } from "../support/nat-box.ts";
import { echo, endpoints, expectChecksums, icmpError, ip, tcp, udp } from "../support/packets.ts";

const SEC = 1_000_000_000;
const NODE2 = ip("172.2.0.3");
const NODE3 = ip("172.2.0.4");
const EGW = ip("172.1.0.3");
const ROUTER = ip("172.1.0.1");

/** Sends from inside; the source port it got outside. */
function mapped(box: NatBox, pkt: Uint8Array): number {
  expect(box.receive(pkt, "eth2")).toBe("eth1");
  expectChecksums(pkt);
  return rd16(pkt, 20);
}

describe("masquerade", () => {
  it("keeps the port, and translates the answer back", () => {
    const box = new NatBox();
    const ping = udp(NODE2, 6000, EGW, 5000);
    expect(box.receive(ping, "eth2")).toBe("eth1");
    expect(endpoints(ping)).toBe("17 172.1.0.5:6000 > 172.1.0.3:5000");
    expectChecksums(ping);
    const answer = udp(EGW, 5000, OUTSIDE_ADDR, 6000);
    expect(box.receive(answer, "eth1")).toBe("eth2");
    expect(endpoints(answer)).toBe("17 172.1.0.3:5000 > 172.2.0.3:6000");
    expectChecksums(answer);
  });

  it("does the same for TCP, and for ICMP echo by its identifier", () => {
    const box = new NatBox();
    const syn = tcp(NODE2, 33000, EGW, 80, TCP_SYN);
    expect(box.receive(syn, "eth2")).toBe("eth1");
    expect(endpoints(syn)).toBe("6 172.1.0.5:33000 > 172.1.0.3:80");
    expectChecksums(syn);
    const request = echo(NODE2, EGW, 8, 700);
    expect(box.receive(request, "eth2")).toBe("eth1");
    expect(endpoints(request)).toBe("1 172.1.0.5:700 > 172.1.0.3:700");
    const second = echo(NODE3, EGW, 8, 700);
    expect(box.receive(second, "eth2")).toBe("eth1");
    const id = rd16(second, 24);
    expect(id).not.toBe(700);
    const reply = echo(EGW, OUTSIDE_ADDR, 0, id);
    expect(box.receive(reply, "eth1")).toBe("eth2");
    expect(endpoints(reply)).toBe("1 172.1.0.3:700 > 172.2.0.4:700");
    expectChecksums(reply);
  });

  it("leaves a UDP checksum of 0 alone", () => {
    const box = new NatBox();
    const pkt = udp(NODE2, 6000, EGW, 5000);
    pkt[26] = pkt[27] = 0;
    expect(box.receive(pkt, "eth2")).toBe("eth1");
    expect(rd16(pkt, 26)).toBe(0);
  });

  it.each([
    [1, 1, 511],
    [511, 1, 511],
    [512, 600, 1023],
    [1023, 600, 1023],
    [1024, 1024, 65535],
    [65535, 1024, 65535],
  ])("takes another port for %i from %i to %i when it is in use", (port, min, max) => {
    for (const below of [() => 0, (n: number) => n - 1, (n: number) => n >> 1]) {
      const box = new NatBox(DEMO_RULES, below);
      expect(mapped(box, udp(NODE2, port, EGW, 5000))).toBe(port);
      const other = mapped(box, udp(NODE3, port, EGW, 5000));
      expect(other).not.toBe(port);
      expect(other).toBeGreaterThanOrEqual(min);
      expect(other).toBeLessThanOrEqual(max);
    }
    expect([portClassMin(port), portClassMax(port)]).toEqual([min, max]);
  });

  it("keeps the same port twice towards two destinations", () => {
    const box = new NatBox();
    expect(mapped(box, udp(NODE2, 6000, EGW, 5000))).toBe(6000);
    expect(mapped(box, udp(NODE3, 6000, EGW, 5001))).toBe(6000);
  });

  it("uses every port of a class, then drops with a reason", () => {
    const box = new NatBox(DEMO_RULES, (n) => n >> 1);
    const seen = new Set<number>();
    for (let i = 0; i < 511; i++) seen.add(mapped(box, udp(NODE2 + i, 7, EGW, 5000)));
    expect(seen.size).toBe(511);
    expect(box.receive(udp(NODE2 + 511, 7, EGW, 5000), "eth2")).toBe("drop");
    expect(box.nf.reason).toBe("nat: every port of the class is taken");
    box.clock.now = 30 * SEC;
    expect(mapped(box, udp(NODE2 + 511, 7, EGW, 5000))).toBe(7);
  });

  it("gives an inside flow another port after an unsolicited packet took the mapping", () => {
    const box = new NatBox();
    expect(box.receive(udp(EGW, 5000, OUTSIDE_ADDR, 6000), "eth1")).toBe("local");
    expect(mapped(box, udp(NODE2, 6000, EGW, 5000))).not.toBe(6000);
    box.clock.now = 30 * SEC;
    expect(mapped(box, udp(NODE3, 6000, EGW, 5000))).toBe(6000);
  });

  it("gives the box's own flow another port when an inside flow has it", () => {
    const box = new NatBox();
    mapped(box, udp(NODE2, 6000, EGW, 5000));
    const own = udp(OUTSIDE_ADDR, 6000, EGW, 5000);
    expect(box.send(own)).toBe("eth1");
    expect(rd16(own, 20)).not.toBe(6000);
    expectChecksums(own);
  });

  it("lets nothing in after the mapping has expired", () => {
    const box = new NatBox();
    mapped(box, udp(NODE2, 6000, EGW, 5000));
    box.clock.now = 30 * SEC;
    const late = udp(EGW, 5000, OUTSIDE_ADDR, 6000);
    expect(box.receive(late, "eth1")).toBe("local");
    expect(endpoints(late)).toBe("17 172.1.0.3:5000 > 172.1.0.5:6000");
  });

  it("forwards nothing unsolicited from outside, and remembers nothing of it", () => {
    const box = new NatBox();
    expect(box.receive(udp(EGW, 5000, NODE2, 6000), "eth1")).toBe("drop");
    expect(box.nf.reason).toBe("filter FORWARD: policy DROP");
    expect(listFlows(box.nf.conntrack, 0)).toEqual([]);
  });
});

describe("ICMP errors about a translated flow", () => {
  const rest = (pkt: Uint8Array): string => endpoints(pkt, 28);

  it.each([28, 60, 1000])("translates one from outside back, quoting up to %i bytes", (bytes) => {
    const box = new NatBox();
    mapped(box, udp(NODE3, 6000, EGW, 5000, 500));
    const sent = udp(NODE2, 6000, EGW, 5000, 500);
    expect(mapped(box, sent)).toBe(1024);
    const error = icmpError(ROUTER, sent, Math.min(bytes, sent.length));
    expect(box.receive(error, "eth1")).toBe("eth2");
    expectChecksums(error);
    expect(endpoints(error).split(" > ")[1]).toMatch(/^172\.2\.0\.3:/);
    expect(endpoints(error)).toMatch(/^1 172\.1\.0\.1:/);
    expect(rest(error)).toBe("17 172.2.0.3:6000 > 172.1.0.3:5000");
    const original = udp(NODE2, 6000, EGW, 5000, 500);
    expect(error.subarray(28, 28 + bytes)).toEqual(original.subarray(0, bytes));
  });

  it("does so for TCP, whose checksum the 8 quoted bytes do not reach, and for echo", () => {
    const box = new NatBox();
    for (const make of [() => tcp(NODE2, 700, EGW, 80, TCP_SYN), () => echo(NODE2, EGW, 8, 700)]) {
      const sent = make();
      const clash = make();
      clash[15]++;
      expect(box.receive(clash, "eth2")).toBe("eth1");
      expect(box.receive(sent, "eth2")).toBe("eth1");
      for (const bytes of [28, sent.length]) {
        const error = icmpError(ROUTER, sent, bytes, 11, 0);
        expect(box.receive(error, "eth1")).toBe("eth2");
        expectChecksums(error);
        expect(error.subarray(28)).toEqual(make().subarray(0, bytes));
      }
    }
  });

  it("hides the inside in one that a host inside sends about an answer", () => {
    const box = new NatBox();
    mapped(box, udp(NODE2, 6000, EGW, 5000));
    const answer = udp(EGW, 5000, OUTSIDE_ADDR, 6000);
    const before = answer.slice();
    expect(box.receive(answer, "eth1")).toBe("eth2");
    const error = icmpError(NODE2, answer);
    expect(box.receive(error, "eth2")).toBe("eth1");
    expectChecksums(error);
    expect(endpoints(error)).toMatch(/^1 172\.1\.0\.5:/);
    expect(error.subarray(28)).toEqual(before);
  });

  it("hides it also in one that the box itself sends about an answer it has already translated", () => {
    const box = new NatBox();
    mapped(box, udp(NODE2, 6000, EGW, 5000));
    const answer = udp(EGW, 5000, OUTSIDE_ADDR, 6000);
    const before = answer.slice();
    expect(box.nf.prerouting(answer, 0, "eth1", 0)).toBe(1);
    const error = icmpError(OUTSIDE_ADDR, answer, answer.length, 3, 4);
    expect(box.send(error)).toBe("eth1");
    expectChecksums(error);
    expect(error.subarray(28)).toEqual(before);
  });

  it("drops one with a bad checksum, which translation would hide", () => {
    const box = new NatBox();
    const sent = udp(NODE2, 6000, EGW, 5000);
    mapped(box, sent);
    const error = icmpError(ROUTER, sent);
    error[error.length - 1] ^= 1;
    expect(box.receive(error, "eth1")).toBe("drop");
    expect(box.nf.reason).toBe("nat: ICMP error with a bad checksum");
  });

  it("does not translate one about somebody else's flow", () => {
    const box = new NatBox();
    mapped(box, udp(NODE2, 6000, EGW, 5000));
    const error = icmpError(ROUTER, udp(OUTSIDE_ADDR, 6001, EGW, 5000));
    const before = error.slice();
    expect(box.receive(error, "eth1")).toBe("local");
    expect(error).toEqual(before);
  });
});
