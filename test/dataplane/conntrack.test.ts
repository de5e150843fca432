import { describe, expect, it } from "vitest";
import {
  Conntrack,
  type ConntrackEvent,
  IP_CT_ESTABLISHED,
  IP_CT_ESTABLISHED_REPLY,
  IP_CT_INVALID,
  IP_CT_NEW,
  IP_CT_RELATED,
  IP_CT_RELATED_REPLY,
} from "../../src/dataplane/conntrack.ts";
import { formatFlow, listFlows } from "../../src/dataplane/conntrack-list.ts";
import { CONNTRACK_SYSCTLS, setTimeoutSeconds, timeoutSeconds } from "../../src/dataplane/conntrack-timeouts.ts";
import { TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from "../../src/wire/tcp.ts";
import { echo, icmpError, ip, tcp, udp } from "../support/packets.ts";

const SEC = 1_000_000_000;
const A = ip("10.0.0.1");
const B = ip("192.168.7.9");

/** Passes a packet through the tracker as a host would; its ctinfo. */
function pass(ct: Conntrack, pkt: Uint8Array, seconds: number): number {
  expect(ct.resolve(pkt, 0, seconds * SEC)).toBe(true);
  expect(ct.confirm()).toBe(true);
  return ct.ctinfo;
}

/** Seconds that the only flow has left; -1 when there is no flow. */
function left(ct: Conntrack, seconds: number): number {
  return listFlows(ct, seconds * SEC)[0]?.timeout ?? -1;
}

describe("UDP", () => {
  it("lives 30 s without an answer, and not a nanosecond longer", () => {
    const ct = new Conntrack();
    expect(pass(ct, udp(A, 5, B, 6), 0)).toBe(IP_CT_NEW);
    expect(ct.gc(30 * SEC - 1)).toBe(0);
    expect(ct.gc(30 * SEC)).toBe(1);
    expect(ct.table.size).toBe(0);
  });

  it("is a new flow when it comes back after expiry, without gc in between", () => {
    const ct = new Conntrack();
    pass(ct, udp(A, 5, B, 6), 0);
    expect(pass(ct, udp(B, 6, A, 5), 30)).toBe(IP_CT_NEW);
    expect(listFlows(ct, 30 * SEC)).toHaveLength(1);
  });

  it("becomes a stream of 120 s when packets flow both ways and one arrives 2 s after creation", () => {
    const ct = new Conntrack();
    pass(ct, udp(A, 5, B, 6), 0);
    expect(pass(ct, udp(B, 6, A, 5), 0.5)).toBe(IP_CT_ESTABLISHED_REPLY);
    expect(left(ct, 0.5)).toBe(30);
    expect(pass(ct, udp(A, 5, B, 6), 1.999)).toBe(IP_CT_ESTABLISHED);
    expect(left(ct, 1.999)).toBe(30);
    expect(listFlows(ct, 0)[0].assured).toBe(false);
    pass(ct, udp(A, 5, B, 6), 2);
    expect(left(ct, 2)).toBe(120);
    expect(listFlows(ct, 0)[0].assured).toBe(true);
  });

  it("counts the first answer itself as one-way, however late", () => {
    const ct = new Conntrack();
    pass(ct, udp(A, 5, B, 6), 0);
    pass(ct, udp(B, 6, A, 5), 10);
    expect(left(ct, 10)).toBe(30);
    pass(ct, udp(B, 6, A, 5), 11);
    expect(left(ct, 11)).toBe(120);
  });

  it("never becomes a stream one way", () => {
    const ct = new Conntrack();
    for (let t = 0; t <= 100; t += 10) expect(pass(ct, udp(A, 5, B, 6), t)).toBe(IP_CT_NEW);
    expect(left(ct, 100)).toBe(30);
  });
});

describe("ICMP", () => {
  it("pairs a request and its reply by identifier, for 30 s", () => {
    const ct = new Conntrack();
    expect(pass(ct, echo(A, B, 8, 77), 0)).toBe(IP_CT_NEW);
    expect(pass(ct, echo(B, A, 0, 78), 1)).toBe(IP_CT_INVALID);
    expect(pass(ct, echo(B, A, 0, 77), 1)).toBe(IP_CT_ESTABLISHED_REPLY);
    expect(left(ct, 1)).toBe(30);
  });

  it("calls an error RELATED when it quotes a packet of a flow, in either direction", () => {
    const ct = new Conntrack();
    pass(ct, udp(A, 5, B, 6), 0);
    expect(pass(ct, icmpError(ip("9.9.9.9"), udp(A, 5, B, 6), 28), 1)).toBe(IP_CT_RELATED_REPLY);
    expect(pass(ct, icmpError(ip("9.9.9.9"), udp(B, 6, A, 5), 28), 1)).toBe(IP_CT_RELATED);
    expect(left(ct, 1)).toBe(29);
  });

  it("calls it INVALID when it quotes nothing known, too little, or goes to somebody else", () => {
    const ct = new Conntrack();
    pass(ct, udp(A, 5, B, 6), 0);
    expect(pass(ct, icmpError(B, udp(A, 5, B, 7), 28), 0)).toBe(IP_CT_INVALID);
    expect(pass(ct, icmpError(B, udp(A, 5, B, 6), 27), 0)).toBe(IP_CT_INVALID);
    const forged = icmpError(B, udp(A, 5, B, 6), 28);
    forged[19] ^= 1;
    expect(pass(ct, forged, 0)).toBe(IP_CT_INVALID);
    const quotesError = icmpError(B, icmpError(A, udp(A, 5, B, 6), 28));
    expect(pass(ct, quotesError, 0)).toBe(IP_CT_INVALID);
  });
});

describe("TCP", () => {
  const fwd = (flags: number): Uint8Array => tcp(A, 1000, B, 80, flags);
  const rev = (flags: number): Uint8Array => tcp(B, 80, A, 1000, flags);

  it("goes through its states, each with its timeout", () => {
    const ct = new Conntrack();
    const steps: [Uint8Array, string, number][] = [
      [fwd(TCP_SYN), "SYN_SENT", 120],
      [rev(TCP_SYN | TCP_ACK), "SYN_RECV", 60],
      [fwd(TCP_ACK), "ESTABLISHED", 432_000],
      [rev(TCP_ACK), "ESTABLISHED", 432_000],
      [fwd(TCP_FIN | TCP_ACK), "FIN_WAIT", 120],
      [rev(TCP_ACK), "CLOSE_WAIT", 60],
      [rev(TCP_FIN | TCP_ACK), "LAST_ACK", 30],
      [fwd(TCP_ACK), "TIME_WAIT", 120],
    ];
    for (const [pkt, state, timeout] of steps) {
      pass(ct, pkt, 0);
      expect(listFlows(ct, 0)[0]).toMatchObject({ state, timeout });
    }
    expect(listFlows(ct, 0)[0].assured).toBe(true);
  });

  it("is closed by a reset for 10 s", () => {
    const ct = new Conntrack();
    for (const p of [fwd(TCP_SYN), rev(TCP_SYN | TCP_ACK), fwd(TCP_ACK), rev(TCP_RST)]) pass(ct, p, 0);
    expect(listFlows(ct, 0)[0]).toMatchObject({ state: "CLOSE", timeout: 10 });
  });

  it("is forgotten at once when the only answer is a reset", () => {
    const ct = new Conntrack();
    pass(ct, fwd(TCP_SYN), 0);
    expect(pass(ct, rev(TCP_RST | TCP_ACK), 0)).toBe(IP_CT_ESTABLISHED_REPLY);
    expect(ct.table.size).toBe(0);
  });

  it("makes a new flow for a SYN in TIME_WAIT and CLOSE", () => {
    const ct = new Conntrack();
    for (const p of [fwd(TCP_SYN), rev(TCP_SYN | TCP_ACK), fwd(TCP_ACK), rev(TCP_RST)]) pass(ct, p, 0);
    expect(pass(ct, fwd(TCP_SYN), 1)).toBe(IP_CT_NEW);
    expect(listFlows(ct, 1 * SEC)).toMatchObject([{ state: "SYN_SENT", timeout: 120, seenReply: false }]);
  });

  it("finds no flow in segments that can begin none, or have senseless flags", () => {
    for (const flags of [0, TCP_RST, TCP_SYN | TCP_ACK, TCP_FIN | TCP_ACK, TCP_SYN | TCP_FIN, TCP_FIN]) {
      const ct = new Conntrack();
      expect(pass(ct, fwd(flags), 0)).toBe(IP_CT_INVALID);
      expect(ct.table.size).toBe(0);
    }
  });

  it("picks a connection up in the middle, for 300 s until it is answered", () => {
    const ct = new Conntrack();
    expect(pass(ct, fwd(TCP_ACK), 0)).toBe(IP_CT_NEW);
    expect(listFlows(ct, 0)[0]).toMatchObject({ state: "ESTABLISHED", timeout: 300 });
    pass(ct, rev(TCP_ACK), 0);
    pass(ct, fwd(TCP_ACK), 0);
    expect(left(ct, 0)).toBe(432_000);
  });
});

describe("the table", () => {
  it("forgets a flow whose packet was dropped on the way", () => {
    const ct = new Conntrack();
    ct.resolve(udp(A, 5, B, 6), 0, 0);
    expect(ct.isNew).toBe(true);
    expect(pass(ct, udp(B, 6, A, 5), 0)).toBe(IP_CT_NEW);
    expect(listFlows(ct, 0)).toMatchObject([{ original: { src: B, sport: 6 } }]);
  });

  it("refuses flows beyond its size, unless old ones have expired", () => {
    const ct = new Conntrack();
    ct.max = 3;
    for (let p = 1; p <= 3; p++) pass(ct, udp(A, p, B, 6), p);
    expect(ct.resolve(udp(A, 4, B, 6), 0, 10 * SEC)).toBe(false);
    expect(ct.resolve(udp(A, 4, B, 6), 0, 31 * SEC)).toBe(true);
    expect(ct.confirm()).toBe(true);
    expect(ct.table.size).toBe(3);
  });

  it("treats fragments and malformed packets as INVALID", () => {
    const ct = new Conntrack();
    const fragment = udp(A, 5, B, 6);
    fragment[6] = 0x20;
    expect(pass(ct, fragment, 0)).toBe(IP_CT_INVALID);
    const short = udp(A, 5, B, 6);
    short[25] = 7;
    expect(pass(ct, short, 0)).toBe(IP_CT_INVALID);
    expect(ct.table.size).toBe(0);
  });

  it("tells its listener, in order", () => {
    const ct = new Conntrack();
    const seen: [ConntrackEvent, number][] = [];
    ct.listener = (event, _flow, now) => seen.push([event, now / SEC]);
    pass(ct, udp(A, 5, B, 6), 0);
    pass(ct, udp(B, 6, A, 5), 1);
    pass(ct, udp(A, 5, B, 6), 3);
    ct.gc(200 * SEC);
    expect(seen).toEqual([
      ["new", 0],
      ["reply", 1],
      ["assured", 3],
      ["destroy", 200],
    ]);
  });

  it("can be emptied, and goes on", () => {
    const ct = new Conntrack();
    const gone: number[] = [];
    ct.listener = (event, flow) => event === "destroy" && gone.push(ct.table.tuples[flow * 8 + 2] >>> 16);
    for (let p = 1; p <= 40; p++) pass(ct, udp(A, p, B, 6), 0);
    ct.flush(1 * SEC);
    expect(gone).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
    expect(listFlows(ct, SEC)).toEqual([]);
    expect(pass(ct, udp(B, 6, A, 5), 1)).toBe(IP_CT_NEW);
    expect(ct.table.size).toBe(1);
  });

  it("prints flows as conntrack -L does", () => {
    const ct = new Conntrack();
    pass(ct, udp(A, 5, B, 6), 0);
    pass(ct, tcp(A, 5, B, 6, TCP_SYN), 0);
    pass(ct, echo(A, B, 8, 3), 0);
    expect(listFlows(ct, SEC / 2).map(formatFlow)).toEqual([
      "udp      17 29 src=10.0.0.1 dst=192.168.7.9 sport=5 dport=6 [UNREPLIED] src=192.168.7.9 dst=10.0.0.1 sport=6 dport=5 mark=0 use=1",
      "tcp      6 119 SYN_SENT src=10.0.0.1 dst=192.168.7.9 sport=5 dport=6 [UNREPLIED] src=192.168.7.9 dst=10.0.0.1 sport=6 dport=5 mark=0 use=1",
      "icmp     1 29 src=10.0.0.1 dst=192.168.7.9 type=8 code=0 id=3 [UNREPLIED] src=192.168.7.9 dst=10.0.0.1 type=0 code=0 id=3 mark=0 use=1",
    ]);
  });
});

describe("sysctls", () => {
  it("sets timeouts by name; flows take them on with their next packet", () => {
    const ct = new Conntrack();
    pass(ct, udp(A, 5, B, 6), 0);
    setTimeoutSeconds(ct.timeouts, "net.netfilter.nf_conntrack_udp_timeout", 5);
    expect(left(ct, 0)).toBe(30);
    pass(ct, udp(A, 5, B, 6), 1);
    expect(left(ct, 1)).toBe(5);
    expect(timeoutSeconds(ct.timeouts, "net.netfilter.nf_conntrack_udp_timeout")).toBe(5);
  });

  it("knows every name it lists, and refuses others and bad values", () => {
    const ct = new Conntrack();
    for (const name of CONNTRACK_SYSCTLS) {
      setTimeoutSeconds(ct.timeouts, name, 9);
      expect(timeoutSeconds(ct.timeouts, name)).toBe(9);
    }
    expect(() => setTimeoutSeconds(ct.timeouts, "net.netfilter.nf_conntrack_x", 9)).toThrow(/unknown/);
    expect(() => setTimeoutSeconds(ct.timeouts, CONNTRACK_SYSCTLS[0], -1)).toThrow(/whole number/);
  });
});
