import { describe, expect, it } from "vitest";
import { RTO_INITIAL, RTO_MAX, RTO_MIN, RttEstimator } from "../../../src/sim/tcp/rtt.ts";
import type { TcpConfig } from "../../../src/sim/tcp/tcb.ts";
import { L4_OFFSET, MS, SEC } from "../../../src/sim/types.ts";
import { difference, Peer, randomBytes, source } from "./peer.ts";
import { ADDR_B, Pipe, type Sent } from "./pipe.ts";

/** A one-way transfer of `size` bytes from a to b on an open connection. */
function sending(size: number, config: Partial<TcpConfig> = {}, seed = 1) {
  const pipe = new Pipe(seed, config);
  pipe.delayNs = 5 * MS;
  const server = new Peer({ ended: (s) => s.end() }, size);
  const client = new Peer();
  pipe.b.listen(0, 80, () => server);
  pipe.a.connect(ADDR_B, 80, client);
  pipe.run(20 * MS);
  const bytes = randomBytes(seed, size);
  const base = (pipe.sent[0].seq + 1) >>> 0;
  /** Offset of a segment's first byte in what is sent. */
  const at = (s: Sent): number => (s.seq - base) >>> 0;
  const data = (): Sent[] => pipe.sent.filter((s) => s.from === "a" && s.len > 0);
  return { pipe, server, client, bytes, at, data, go: () => client.socket!.write(source(bytes)) };
}

describe("retransmission timeout (RFC 6298)", () => {
  it("doubles from the minimum of 200 ms, as long as nothing is acknowledged", () => {
    const { pipe, go, data, at } = sending(100);
    pipe.drop = (s) => s.from === "a";
    go();
    const start = pipe.clock.now;
    pipe.run(7 * SEC);
    const times = data().map((s) => Math.round((s.timeNs - start) / MS));
    expect(times).toEqual([0, 200, 600, 1400, 3000, 6200]);
    expect(new Set(data().map(at))).toEqual(new Set([0]));
  });

  it("gives up after fifteen retransmissions", () => {
    const { pipe, go, client, data } = sending(100);
    pipe.drop = (s) => s.from === "a";
    go();
    pipe.run(2000 * SEC);
    expect(data()).toHaveLength(16);
    expect(client.events).toEqual(["connected", "closed ETIMEDOUT"]);
  });

  it("starts again with one segment and slow start", () => {
    const { pipe, go, data, server, bytes } = sending(300_000);
    let blackout = true;
    pipe.drop = () => blackout;
    go();
    const start = pipe.clock.now;
    pipe.run(190 * MS);
    expect(data()).toHaveLength(10);
    blackout = false;
    pipe.run(15 * MS);
    expect(data()).toHaveLength(11);
    pipe.run(10 * MS);
    expect(data()).toHaveLength(13);
    pipe.run(2 * SEC);
    expect(difference(server.bytes, bytes)).toBe(-1);
    expect(pipe.a.stats.timeouts).toBe(1);
    expect(pipe.clock.now).toBeGreaterThan(start);
  });

  it("computes SRTT, RTTVAR and RTO", () => {
    const e = new RttEstimator();
    expect(e.rto).toBe(RTO_INITIAL);
    e.sample(400 * MS);
    expect([e.srtt, e.rttvar, e.rto]).toEqual([400 * MS, 200 * MS, 1200 * MS]);
    e.sample(480 * MS);
    // RTTVAR = 3/4 200 + 1/4 |400 - 480|; SRTT = 7/8 400 + 1/8 480.
    expect([e.srtt, e.rttvar, e.rto]).toEqual([410 * MS, 170 * MS, 1090 * MS]);
    expect(e.backedOff(2)).toBe(4360 * MS);
    expect(e.backedOff(15)).toBe(RTO_MAX);
    for (let i = 0; i < 100; i++) e.sample(MS);
    expect(e.rto).toBe(RTO_MIN);
  });

  it("takes no sample of a segment that was sent twice (Karn)", () => {
    const pipe = new Pipe(1, { timestamps: false });
    pipe.delayNs = 150 * MS;
    const client = new Peer();
    pipe.b.listen(0, 80, () => new Peer());
    pipe.a.connect(ADDR_B, 80, client);
    pipe.run(SEC);
    let n = 0;
    pipe.drop = (s) => s.from === "a" && s.len > 0 && n++ === 0;
    client.socket!.write(source(randomBytes(1, 14_600)));
    pipe.run(5 * SEC);
    expect(pipe.a.stats).toMatchObject({ timeouts: 0, retransSegs: 1 });
    pipe.drop = () => true;
    const start = pipe.clock.now;
    const before = pipe.sent.length;
    client.socket!.write(source(randomBytes(1, 10)));
    pipe.run(SEC);
    // SRTT 300 ms, RTTVAR 150 ms by the handshake alone; the lost segment's 600 ms would have made it 1,087.
    expect(pipe.sent.slice(before).map((s) => (s.timeNs - start) / MS)).toEqual([0, 900]);
  });

  it("measures the path: the timeout follows the round trip", () => {
    const { pipe, go, data } = sending(3_000_000);
    pipe.delayNs = 400 * MS;
    go();
    pipe.run(20 * SEC);
    const before = data().length;
    pipe.drop = () => true;
    const retransmitted = pipe.a.stats.retransSegs;
    pipe.run(700 * MS);
    expect(pipe.a.stats.retransSegs).toBe(retransmitted);
    expect(before).toBeGreaterThan(100);
  });
});

describe("fast recovery", () => {
  it.each([
    ["with SACK", {}],
    ["without SACK", { sack: false }],
    ["without timestamps", { timestamps: false }],
  ])("sends one lost segment again without a timeout %s", (_name, config) => {
    const { pipe, go, at, data, server, bytes } = sending(200_000, config);
    let n = 0;
    pipe.drop = (s) => s.from === "a" && s.len > 0 && ++n === 15;
    go();
    pipe.run(SEC);
    expect(difference(server.bytes, bytes)).toBe(-1);
    expect(pipe.a.stats).toMatchObject({ timeouts: 0, fastRetransmits: 1, retransSegs: 1 });
    const lost = at(data()[14]);
    expect(data().filter((s) => at(s) === lost)).toHaveLength(2);
  });

  it("repairs many holes in one window by SACK alone, each once", () => {
    const { pipe, go, at, data, server, bytes } = sending(1_000_000);
    const lost = new Set<number>();
    let n = 0;
    pipe.drop = (s) => {
      if (s.from !== "a" || s.len === 0 || ++n < 60 || n > 90 || n % 3 !== 0) return false;
      lost.add(at(s));
      return true;
    };
    go();
    pipe.run(SEC);
    expect(difference(server.bytes, bytes)).toBe(-1);
    expect(lost.size).toBe(11);
    expect(pipe.a.stats).toMatchObject({ timeouts: 0, fastRetransmits: 1, retransSegs: 11 });
    for (const offset of lost) expect(data().filter((s) => at(s) === offset)).toHaveLength(2);
  });

  it("halves the window, once per loss event", () => {
    const { pipe, go, data } = sending(4_000_000);
    let n = 0;
    pipe.drop = (s) => s.from === "a" && s.len > 0 && (++n === 200 || n === 204);
    go();
    pipe.run(95 * MS);
    /** Segments sent per round trip. */
    const perRtt = new Map<number, number>();
    for (const s of data()) {
      const round = Math.floor((s.timeNs - 20 * MS) / (10 * MS));
      perRtt.set(round, (perRtt.get(round) ?? 0) + 1);
    }
    // Slow start doubles 10 segments; 200 falls into the round of 160, which is bounded by half of its flight after it.
    expect([0, 1, 2, 3].map((r) => perRtt.get(r))).toEqual([10, 20, 40, 80]);
    const after = perRtt.get(7)!;
    expect(after).toBeGreaterThan(60);
    expect(after).toBeLessThan(110);
    expect(pipe.a.stats).toMatchObject({ timeouts: 0, fastRetransmits: 1, retransSegs: 2 });
  });

  it("a lost retransmission costs a timeout, not the connection", () => {
    const { pipe, go, at, data, server, bytes } = sending(100_000);
    let seen = 0;
    pipe.drop = (s) => s.from === "a" && s.len > 0 && at(s) === 20 * 1448 && ++seen <= 3;
    go();
    pipe.run(5 * SEC);
    expect(difference(server.bytes, bytes)).toBe(-1);
    expect(pipe.a.stats.timeouts).toBe(2);
    expect(data().filter((s) => at(s) === 20 * 1448)).toHaveLength(4);
  });
});

describe("path MTU discovery (RFC 1191)", () => {
  it("makes segments smaller at once and sends again what was too big, without a timeout", () => {
    const { pipe, go, server, bytes, data } = sending(500_000);
    go();
    pipe.run(25 * MS);
    expect(data().at(-1)?.total).toBe(1500);
    pipe.hiddenMtu = 1448;
    const from = pipe.clock.now;
    pipe.run(SEC);
    expect(difference(server.bytes, bytes)).toBe(-1);
    expect(pipe.a.stats.timeouts).toBe(0);
    const late = data().filter((s) => s.timeNs > from + 20 * MS);
    expect(late.length).toBeGreaterThan(30);
    expect(Math.max(...late.map((s) => s.total))).toBe(1448);
    expect(Math.max(...data().map((s) => s.total))).toBe(1500);
  });

  it("starts with what the path is known to carry, and offers it as MSS", () => {
    const pipe = new Pipe();
    pipe.ipA.mtu = 1000;
    const server = new Peer({ connected: (s) => s.write(source(randomBytes(1, 50_000))) });
    const client = new Peer({ connected: (s) => s.write(source(randomBytes(2, 50_000))) });
    pipe.b.listen(0, 80, () => server);
    pipe.a.connect(ADDR_B, 80, client);
    pipe.run(SEC);
    expect(Math.max(...pipe.sent.map((s) => s.total))).toBe(1000);
    expect([client.length, server.length]).toEqual([50_000, 50_000]);
    expect(pipe.a.stats.retransSegs + pipe.b.stats.retransSegs).toBe(0);
  });

  it("notices by itself that the IP layer refuses a segment", () => {
    const { pipe, go, server, bytes } = sending(100_000);
    pipe.ipA.mtu = 600;
    go();
    pipe.run(SEC);
    expect(difference(server.bytes, bytes)).toBe(-1);
    expect(pipe.a.stats.timeouts).toBe(0);
  });

  it("ignores errors about what is not outstanding", () => {
    const { pipe, go, data } = sending(200_000);
    pipe.ipA.mtu = 1500;
    const skb = pipe.pool.get(L4_OFFSET + 8);
    const view = skb.view;
    view.setUint32(skb.head + 26, 0x0a000001);
    view.setUint32(skb.head + 30, ADDR_B);
    view.setUint16(skb.head + 34, pipe.a.sockets()[0].localPort);
    view.setUint16(skb.head + 36, 80);
    view.setUint32(skb.head + 38, (pipe.sent[0].seq + 5_000_000) >>> 0);
    go();
    const before = data().length;
    pipe.ipA.mtu = 576;
    pipe.ipA.icmp(3, 4, 576, skb);
    expect(data().length).toBe(before);
  });
});
